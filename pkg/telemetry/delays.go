package telemetry

import (
	"maps"
	"math/bits"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// limits are the buckets' upper bounds in milliseconds: the service level promises 60 s,
// so that is a bound, and both sides of it are told apart.
var limits = [...]int64{
	5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 900_000, 3_600_000, 21_600_000,
}

// begins are the first buckets that numbers of so many bits may be in: one or two
// comparisons are left.
var begins = func() (first [64]int) {
	for n := 1; n < len(first); n++ {
		i := first[n-1]
		for i < len(limits) && limits[i] < 1<<(n-1) {
			i++
		}
		first[n] = i
	}
	return first
}()

// Delays is a histogram of delays, in seconds to who scrapes it. It takes tallies, so
// that a round of many thousand events costs one lock. It is safe for concurrent use.
type Delays struct {
	desc *prometheus.Desc

	mu       sync.Mutex // guards what follows; held for a few additions
	all      Tally
	examples exemplars
}

// NewDelays registers a histogram. labels are constant; several histograms of one name
// differ in them.
func NewDelays(r prometheus.Registerer, name, help string, labels prometheus.Labels) *Delays {
	d := &Delays{desc: prometheus.NewDesc(name, help, nil, labels)}
	r.MustRegister(d)
	return d
}

// Tally counts delays by bucket, for one goroutine. The zero value has none.
type Tally struct {
	counts [len(limits) + 1]uint64
	sum    int64 // milliseconds
}

// Add counts one delay in milliseconds. One below zero, as between two clocks that
// differ, counts as none.
func (t *Tally) Add(ms int64) {
	ms = max(ms, 0)
	t.counts[bucket(ms)]++
	t.sum += ms
}

// bucket is that of a delay of at least 0 milliseconds.
func bucket(ms int64) int {
	i := begins[bits.Len64(uint64(ms))]
	for i < len(limits) && ms > limits[i] {
		i++
	}
	return i
}

// Add takes what was tallied.
func (d *Delays) Add(t *Tally) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, n := range t.counts {
		d.all.counts[i] += n
	}
	d.all.sum += t.sum
}

// Describe implements prometheus.Collector.
func (d *Delays) Describe(out chan<- *prometheus.Desc) { out <- d.desc }

// Collect implements prometheus.Collector.
func (d *Delays) Collect(out chan<- prometheus.Metric) {
	d.mu.Lock()
	t, examples := d.all, maps.Clone(d.examples)
	d.mu.Unlock()
	buckets := make(map[float64]uint64, len(limits))
	var count uint64
	for i, limit := range limits {
		count += t.counts[i]
		buckets[float64(limit)/1000] = count
	}
	count += t.counts[len(limits)]
	out <- examples.with(prometheus.MustNewConstHistogram(d.desc, count, float64(t.sum)/1000, buckets))
}
