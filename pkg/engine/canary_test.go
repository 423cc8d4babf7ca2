package engine_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
)

func TestACanaryLeavesNothingButAMessage(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s}.engine(t)
	assign(t, e, web)
	canary := engine.Input{Event: engine.Canary("tm/a/1", start), Partition: web, Offset: 0}
	r := engine.Round{Inputs: []engine.Input{canary}, Ends: map[engine.Partition]int64{web: 1}, Watermark: engine.UnknownWatermark, Until: start + day}
	process(t, e, r)
	all := rawOutbox(t, s)
	if len(all) != 1 || !engine.IsCanaryAccount(slices.Collect(maps.Keys(all))[0]) {
		t.Fatalf("outbox: %q, want one canary", all)
	}
	name := slices.Collect(maps.Keys(all))[0]
	entries, err := s.Outbox(t.Context(), engine.ShardOf(name, shards), "", 10)
	if err != nil || entries[0].Appended != start {
		t.Errorf("got %+v, %v, want it to say when it was sent", entries, err)
	}
	records, err := s.Load(t.Context(), engine.WantedOf([]string{name}, shards)...)
	if err != nil || records[0].State != nil {
		t.Errorf("got %+v, %v, want no state", records, err)
	}
	positions, err := s.Positions(t.Context())
	if err != nil || positions[engine.ShardOf(name, shards)][web] != 1 {
		t.Errorf("got %v, %v, want the position behind it", positions, err)
	}
}

// Its time is nobody's: what is due by an event at that instant is not due by it.
func TestACanaryMovesNoTime(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s}.engine(t)
	assign(t, e, web)
	process(t, e, round(visit(web, 0, "acme.example", start), visit(web, 1, "acme.example", start)))
	later := start + 10*day
	process(t, e, engine.Round{
		Inputs: []engine.Input{
			{Event: engine.Canary("tm/a/1", later), Partition: web, Offset: 2},
			visit(web, 3, "acme.example", start+hour),
		},
		Ends: map[engine.Partition]int64{web: 4}, Watermark: engine.UnknownWatermark, Until: later,
	})
	if got := path(outboxOf(t, s, "acme.example")); got != "C>B event " {
		t.Errorf("got %s, want no demotion", got)
	}
}

// A step that is tried again because another writer overtook it counts once.
func TestCanariesAreCountedAmongInputs(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	registry := prometheus.NewRegistry()
	e, err := engine.New(engine.Config{Lanes: 1, Accounts: 10}, compile(t, spec()), s, aliases{s}, lines{}, engine.Hooks{},
		engine.NewMetrics(registry), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	assign(t, e, web)
	r := round(visit(web, 0, "acme.example", start))
	r.Inputs = append(r.Inputs, engine.Input{Event: engine.Canary("tm/a/1", start), Partition: web, Offset: 1})
	r.Ends[web] = 2
	process(t, e, r)
	process(t, e, r) // covered by the positions now
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "tidemark_engine_inputs_total" && m.Counter.GetValue() > 0 {
				got[m.Label[0].GetValue()] = m.Counter.GetValue()
			}
		}
	}
	if want := map[string]float64{"counted": 1, "canary": 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func outboxOf(t *testing.T, s *memory.Store, account string) []line {
	t.Helper()
	var out []line
	for _, v := range rawOutbox(t, s)[account] {
		var l line
		if err := unmarshal([]byte(v), &l); err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}
