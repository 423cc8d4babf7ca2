package source

import (
	"maps"
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tidemark/pkg/engine"
)

func wantCounted(t *testing.T, s *Source, records, events, dead float64) {
	t.Helper()
	r := prometheus.NewRegistry()
	s.Register(r)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "/" + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{"tidemark_source_records_total": records, "tidemark_source_inputs_total/event": events, "tidemark_source_inputs_total/dead_letter": dead}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestARecordOfSeveralInputsIsOneRecord(t *testing.T) {
	t.Parallel()
	s, next := &Source{metrics: newMetrics()}, make([]int64, 2)
	s.metrics.count([]Input{{Event: at(1), Offset: 4}, {Event: at(1), Offset: 4}, {Dead: "x", Offset: 4}, {Event: at(2), Offset: 4, Part: 1}, {Dead: "y", Offset: 5}}, next)
	wantCounted(t, s, 3, 3, 2)
	s.metrics.count([]Input{{Event: at(1), Offset: 4}, {Dead: "x", Offset: 4}, {Dead: "y", Offset: 5}, {Event: at(3), Offset: 9}}, next)
	wantCounted(t, s, 4, 4, 2)
}

func TestWhatIsReadAgainIsCountedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		cfg := w.config(w.topic("a", 4))
		backlog(w, cfg.Topics, 50)
		s := w.source(cfg)
		for range 2 { // nothing is committed: the second session begins anew
			se := w.join(s)
			w.read(se, Want{Max: 30, NotAfter: math.MaxInt64}, func(p *position) bool { return len(p.inputs) >= 200 })
			wantCounted(t, s, 200, 200, 0)
			se.Close()
		}
		if got := s.handed[engine.Partition{Topic: cfg.Topics[0], ID: 3}]; got != 50 {
			t.Errorf("50 records were handed out of partition 3, noted are %d", got)
		}
	})
}
