package engine_test

import (
	"fmt"
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
)

// Accounts are demoted when the watermark reaches their instants and not before,
// whether an instant was armed exactly or too early.
func TestSweepDemotesAtTheWatermark(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s}.engine(t)
	assign(t, e, web)
	process(t, e, round(demo(web, 0, "acme.example", start)))
	first := e.NextDue()
	process(t, e, round(demo(web, 1, "acme.example", start+4*hour))) // pushes the demotion later, the entry stays
	if got := e.NextDue(); got > first {
		t.Errorf("got next due %d, want %d or earlier", got, first)
	}
	process(t, e, engine.Round{Watermark: first})
	if n := len(outbox(t, s)["acme.example"]); n != 2 { // up to B, up to A
		t.Fatalf("got %d crossings at the first instant, want 2", n)
	}
	for range 2 {
		due := e.NextDue()
		process(t, e, engine.Round{Watermark: due - 1})
		before := len(outbox(t, s)["acme.example"])
		process(t, e, engine.Round{Watermark: due})
		changes := outbox(t, s)["acme.example"]
		if len(changes) != before+1 || changes[before].At != due {
			t.Fatalf("due at %d: got %+v", due, changes[before:])
		}
	}
	if got := e.NextDue(); got != engine.NoDue {
		t.Errorf("got next due %d, want none", got)
	}
}

// Shards that another instance sweeps are left alone, and found once they are ours.
func TestDueInstantsOfShardsOwnedLater(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	before := setup{memory: s}.engine(t)
	assign(t, before, web)
	process(t, before, round(demo(web, 0, "acme.example", start)))

	owned := false
	e := setup{memory: s.Peer(), hooks: engine.Hooks{Owns: func(int) bool { return owned }}}.engine(t)
	assign(t, e, web)
	if err := e.RefreshDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	process(t, e, engine.Round{Watermark: start + 10*day})
	if n := len(outbox(t, s)["acme.example"]); n != 1 {
		t.Fatalf("got %d crossings of a shard that is not ours, want 1", n)
	}
	owned = true
	process(t, e, engine.Round{Watermark: start + 10*day})
	if got, want := path(outbox(t, s)["acme.example"]), "C>B event B>C decay "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A shard is due when its first account is, whichever was armed last.
func TestTheFirstOfAShardIsDueFirst(t *testing.T) {
	t.Parallel()
	s := memory.New(1)
	var woken []int
	e := setup{memory: s, hooks: engine.Hooks{Outbox: func(shard int, _ engine.Appended) { woken = append(woken, shard) }}}.engine(t)
	assign(t, e, web)
	process(t, e, round(demo(web, 0, "acme.example", start)))
	first := e.NextDue()
	process(t, e, round(demo(web, 1, "bert.example", start+hour)))
	if got := e.NextDue(); got != first {
		t.Errorf("got next due %d, want %d", got, first)
	}
	process(t, e, engine.Round{Watermark: first})
	if got, want := path(outbox(t, s)["acme.example"]), "C>B event B>C decay "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := e.NextDue(); got != first+hour {
		t.Errorf("got next due %d, want %d", got, first+hour)
	}
	if len(woken) != 3 { // a commit each
		t.Errorf("the relay was woken for %v, want three times for shard 0", woken)
	}
}

// Sweeping very many accounts at once keeps no more of them than the bound.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const accounts, bound = 2000, 100
	s := memory.New(1)
	most := 0
	f := &faulty{Store: s}
	e := setup{memory: s, store: f, lanes: 1, accounts: bound}.engine(t)
	assign(t, e, web)
	for first := int64(0); first < accounts; first += 500 {
		var inputs []engine.Input
		for i := first; i < first+500; i++ {
			inputs = append(inputs, demo(web, i, fmt.Sprintf("firm%d", i), start))
		}
		process(t, e, round(inputs...))
	}
	f.read = func(string) error { // one lane: nobody else is at it
		held := e.Cached()
		most = max(most, held)
		return nil
	}
	process(t, e, engine.Round{Watermark: start + 10*day})
	if most > bound+500 { // a turn of one shard
		t.Errorf("got up to %d accounts in memory, want at most %d and a turn's", most, bound)
	}
	if held := e.Cached(); held > bound {
		t.Errorf("got %d accounts in memory, want at most %d", held, bound)
	}
	if got := len(outbox(t, s)); got != accounts {
		t.Errorf("got %d accounts with crossings, want %d", got, accounts)
	}
}
