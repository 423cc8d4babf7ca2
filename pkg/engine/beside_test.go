package engine_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
)

// demos are one input for each of so many accounts, at one time.
func demos(accounts int, at int64) (inputs []engine.Input) {
	for i := range accounts {
		inputs = append(inputs, demo(web, int64(i), fmt.Sprintf("firm%d", i), at))
	}
	return inputs
}

// fallen is how many accounts crossed again after their first crossing.
func fallen(t *testing.T, s *memory.Store) (n int) {
	for _, changes := range outbox(t, s) {
		n += len(changes) - 1
	}
	return n
}

// Beside events what is due goes in small portions, of all shards in turns, and the
// rounds that follow go on with the rest.
func TestSweepsBesideEventsGoInPortions(t *testing.T) {
	t.Parallel()
	const accounts, portion = 1200, 32
	s := memory.New(shards)
	var most atomic.Int64
	f := &faulty{Store: s, step: func(step engine.Step) faultKind {
		if n := int64(len(step.Writes)); n > most.Load() { // one lane
			most.Store(n)
		}
		return fine
	}}
	e := setup{memory: s, store: f, lanes: 1}.engine(t)
	assign(t, e, web)
	process(t, e, round(demos(accounts, start)...))
	most.Store(0)
	sweep := engine.Round{Watermark: start + 10*day, Beside: true}
	process(t, e, sweep)
	for e.Overdue() {
		before := fallen(t, s)
		if process(t, e, sweep); fallen(t, s) == before {
			t.Fatalf("%d of %d fell, and no more do", before, accounts)
		}
	}
	if n := fallen(t, s); n != accounts || most.Load() != portion {
		t.Errorf("%d of %d fell, up to %d of a shard at a time, want %d", n, accounts, most.Load(), portion)
	}
}

// While much waits to be published sweeps beside events are put off, though not for long.
func TestSweepsBesideEventsWaitForTheRelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(shards)
		waiting := 0
		e := setup{memory: s, lanes: 1, hooks: engine.Hooks{Unpublished: func() int { return waiting }}}.engine(t)
		assign(t, e, web)
		process(t, e, round(demo(web, 0, "a.example", start)))
		process(t, e, round(demo(web, 1, "a.example", start+hour), demo(web, 2, "b.example", start)))
		due := e.NextDue()
		process(t, e, engine.Round{Watermark: due, Beside: true})
		before := fallen(t, s)
		waiting = 1000
		later := engine.Round{Watermark: start + 10*day, Beside: true}
		process(t, e, later)
		if n := fallen(t, s); n != before || !e.Overdue() {
			t.Errorf("%d fell although much waits, want %d", n, before)
		}
		<-time.After(time.Second) // of the bubble
		if process(t, e, later); fallen(t, s) == before {
			t.Error("nothing fell, though sweeps were put off for long")
		}
	})
}
