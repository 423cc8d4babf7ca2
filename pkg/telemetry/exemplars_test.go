package telemetry

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

func TestABucketShowsItsLatestExample(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	d := NewDelays(r, "way_seconds", "The way.", nil)
	of := func(trace string) *prometheus.Exemplar {
		return &prometheus.Exemplar{Labels: prometheus.Labels{"trace_id": trace}}
	}
	var tally Tally
	for trace, ms := range map[string]int64{"a": 7, "b": 90_000, "c": 1 << 40} {
		tally.Add(ms)
		d.Exemplify(ms, of("older"))
		d.Exemplify(ms, of(trace))
	}
	d.Add(&tally)
	d.Exemplify(-1, nil)
	got := map[string]float64{}
	for _, b := range histogram(t, r).Bucket {
		if e := b.Exemplar; e != nil {
			got[e.Label[0].GetValue()] = e.GetValue()
		}
	}
	if len(got) != 3 || got["a"] != 0.007 || got["b"] != 90 || got["c"] != float64(1<<40)/1000 {
		t.Errorf("got %v", got)
	}
	if n := histogram(t, r).GetSampleCount(); n != 3 {
		t.Errorf("%d delays are counted, want 3: an example counts nothing", n)
	}
}

func histogram(t *testing.T, r *prometheus.Registry) *dto.Histogram {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].Metric[0].Histogram
}
