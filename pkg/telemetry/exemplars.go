package telemetry

import "github.com/prometheus/client_golang/prometheus"

// exemplars are the latest example of each bucket. A nil one has none.
type exemplars map[int]prometheus.Exemplar

// Exemplify keeps an example of a delay, in milliseconds, until the next of its bucket.
// It counts nothing: that is Add's. Its Value is set here; nil is no example.
func (d *Delays) Exemplify(ms int64, of *prometheus.Exemplar) {
	if of == nil {
		return
	}
	ms = max(ms, 0)
	example := *of
	example.Value = float64(ms) / 1000
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.examples == nil {
		d.examples = exemplars{}
	}
	d.examples[bucket(ms)] = example
}

// with is a metric with the examples, where there are any.
func (e exemplars) with(m prometheus.Metric) prometheus.Metric {
	list := make([]prometheus.Exemplar, 0, len(e))
	for _, example := range e {
		list = append(list, example)
	}
	if len(list) == 0 {
		return m
	}
	shown, err := prometheus.NewMetricWithExemplars(m, list...)
	if err != nil {
		return m // labels that Prometheus does not take cost the example, not the figure
	}
	return shown
}
