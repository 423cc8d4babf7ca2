package engine_test

import (
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

// What is held is part of the stored state, so that it is released by an event of
// another round and from a store that was read again; the figures say so.
func TestHeldEventsAreStoredAndCounted(t *testing.T) {
	t.Parallel()
	s := spec()
	s.Holds = &scoring.HoldsSpec{
		ReleasedBy: scoring.ReleaseSpec{Signals: []string{"demo"}},
		Rules:      []scoring.HoldRuleSpec{{Name: "burst", Signals: []string{"visit"}, Burst: &scoring.BurstSpec{Of: 3, Within: scoring.Second}}},
	}
	m, store := compile(t, s), memory.New(shards)
	by := func(in engine.Input) engine.Input {
		in.Event.Contact = &scoring.Contact{ID: "c1"}
		return in
	}
	registry := prometheus.NewRegistry()
	run := func(from, end int64) {
		e, err := engine.New(engine.Config{Lanes: 1, Accounts: 1}, m, store, aliases{store}, lines{}, engine.Hooks{}, engine.NewMetrics(registry), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Assign(t.Context(), map[engine.Partition]int64{web: from}, whole(web)); err != nil {
			t.Fatal(err)
		}
		for i := from; i < end; i++ {
			in := by(visit(web, i, "acme.example", start+i*100))
			if i == 4 {
				in = by(demo(web, i, "acme.example", start+scoring.Minute))
			}
			process(t, e, round(in))
		}
		checkpoint(t, e)
	}
	run(0, 4)
	a := account(t, store, m, "acme.example")
	if got := m.Score(a, a.Clock); got != 0 {
		t.Errorf("score %v while the visits are held, want 0", got)
	}
	if got := counted(t, registry, "tidemark_held_events_total"); got != 4 {
		t.Errorf("%v events counted as held, want 4", got)
	}
	registry = prometheus.NewRegistry()
	run(4, 5)
	a = account(t, store, m, "acme.example")
	if got := m.Score(a, a.Clock); math.Abs(got-90) > 0.1 {
		t.Errorf("score %v after the release, want the group's cap of 90", got)
	}
	if got := counted(t, registry, "tidemark_held_releases_total"); got != 1 {
		t.Errorf("%v releases counted, want 1", got)
	}
}

// counted sums the series of a counter.
func counted(t *testing.T, from prometheus.Gatherer, name string) (sum float64) {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
