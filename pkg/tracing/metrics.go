package tracing

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what became of spans.
type Metrics struct{ sent, failed, dropped prometheus.Counter }

// NewMetrics registers the counters, whether there is a Tracer or not: their names
// are to be the same everywhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	spans := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidemark_trace_spans_total",
		Help: "Spans, by what became of them: sent to the collector, failed (it did not take them), dropped (the queue was full).",
	}, []string{"result"})
	r.MustRegister(spans)
	return &Metrics{sent: spans.WithLabelValues("sent"), failed: spans.WithLabelValues("failed"), dropped: spans.WithLabelValues("dropped")}
}

func (m *Metrics) count(err error, spans int) {
	if err != nil {
		m.failed.Add(float64(spans))
		return
	}
	m.sent.Add(float64(spans))
}
