package telemetry

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestDelaysAreCountedInTheirBuckets(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	d := NewDelays(r, "way_seconds", "The way.", prometheus.Labels{"of": "a"})
	NewDelays(r, "way_seconds", "The way.", prometheus.Labels{"of": "b"})
	var tally Tally
	for _, ms := range []int64{-7, 0, 5, 6, 60_000, 60_001, 1 << 40} {
		tally.Add(ms)
	}
	d.Add(&tally)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	h := families[0].Metric[0].Histogram
	want := map[float64]uint64{0.005: 3, 0.01: 4, 30: 4, 60: 5, 120: 6, 21600: 6}
	for _, b := range h.Bucket {
		if n, ok := want[b.GetUpperBound()]; ok && n != b.GetCumulativeCount() {
			t.Errorf("le %v: %d, want %d", b.GetUpperBound(), b.GetCumulativeCount(), n)
		}
	}
	if got, sum := h.GetSampleCount(), h.GetSampleSum(); got != 7 || sum != float64(5+6+60_000+60_001+1<<40)/1000 {
		t.Errorf("%d delays of %v s in all", got, sum)
	}
}

func TestTalliesOfSeveralAddUp(t *testing.T) {
	t.Parallel()
	d := NewDelays(prometheus.NewRegistry(), "way_seconds", "The way.", nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			var tally Tally
			for ms := range int64(100) {
				tally.Add(ms)
			}
			d.Add(&tally)
		})
	}
	all.Wait()
	if d.all.counts[0] != 8*6 || d.all.sum != 8*99*50 {
		t.Errorf("%+v, want 48 up to 5 ms and 39600 ms in all", d.all)
	}
}

func TestEachBucketEndsWithItsLimit(t *testing.T) {
	t.Parallel()
	for i, limit := range limits {
		var tally Tally
		tally.Add(limit)
		tally.Add(limit + 1)
		if tally.counts[i] != 1 || tally.counts[i+1] != 1 {
			t.Errorf("%d and %d ms: %v", limit, limit+1, tally.counts)
		}
	}
}

// What one event costs: 3 ms, as live, and two hours, as behind.
func BenchmarkDelays(b *testing.B) {
	for _, c := range []struct {
		name string
		ms   int64
	}{{"live", 3}, {"behind", 7_200_000}} {
		b.Run("tally/"+c.name, func(b *testing.B) {
			var t Tally
			for b.Loop() {
				t.Add(c.ms)
			}
		})
		b.Run("observe/"+c.name, func(b *testing.B) {
			h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Buckets: prometheus.ExponentialBuckets(0.005, 2.5, len(limits))})
			for b.Loop() {
				h.Observe(float64(c.ms) / 1000)
			}
		})
	}
}
