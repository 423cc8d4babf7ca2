package webhook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidemark/pkg/outbound"
)

// Metrics are the figures of all endpoints. Their names come from the file of endpoints.
type Metrics struct {
	attempts *prometheus.CounterVec
	givenUp  *prometheus.CounterVec
	missed   *prometheus.CounterVec
	queued   *prometheus.GaugeVec
	overdue  *prometheus.GaugeVec
	disabled *prometheus.GaugeVec
	limit    *prometheus.GaugeVec
	latency  *prometheus.HistogramVec
}

// NewMetrics registers the figures, at zero for each endpoint.
func NewMetrics(r prometheus.Registerer, endpoints []*Endpoint) *Metrics {
	label := []string{"endpoint"}
	m := &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_webhook_attempts_total", Help: "Attempts to deliver an event, by what came of them."}, []string{"endpoint", "result"}),
		givenUp:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_webhook_given_up_total", Help: "Events that were dropped after their last attempt."}, label),
		missed:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_webhook_missed_total", Help: "Events that were not queued, as their endpoint was disabled."}, label),
		queued:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_webhook_queued", Help: "Events that wait for the endpoint."}, label),
		overdue:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_webhook_overdue_seconds", Help: "How long the most overdue attempt waits for its turn."}, label),
		disabled: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_webhook_disabled", Help: "1 while the endpoint is disabled and gets nothing."}, label),
		limit:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_webhook_queue_limit", Help: "Events that may wait for the endpoint before it is disabled: max_queue."}, label),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidemark_webhook_delivery_seconds", Help: "From an event's time until it was delivered.",
			Buckets: []float64{0.1, 0.5, 1, 5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600},
		}, label),
	}
	r.MustRegister(m.attempts, m.givenUp, m.missed, m.queued, m.overdue, m.disabled, m.limit, m.latency)
	for _, e := range endpoints {
		for _, result := range outbound.Results {
			m.attempts.WithLabelValues(e.Name, string(result))
		}
		m.givenUp.WithLabelValues(e.Name)
		m.missed.WithLabelValues(e.Name)
		m.latency.WithLabelValues(e.Name)
		m.limit.WithLabelValues(e.Name).Set(float64(e.maxQueue))
	}
	m.idle(endpoints)
	return m
}

// idle is what an instance shows that delivers nothing.
func (m *Metrics) idle(endpoints []*Endpoint) {
	for _, e := range endpoints {
		m.depth(e.Name, Depth{}, false, time.Now())
	}
}

func (m *Metrics) depth(endpoint string, d Depth, disabled bool, now time.Time) {
	m.queued.WithLabelValues(endpoint).Set(float64(d.Queued))
	overdue := 0.0
	if d.Queued > 0 {
		overdue = max(float64(now.UnixMilli()-d.Next)/1000, 0)
	}
	m.overdue.WithLabelValues(endpoint).Set(overdue)
	off := 0.0
	if disabled {
		off = 1
	}
	m.disabled.WithLabelValues(endpoint).Set(off)
}

func (m *Metrics) delivered(endpoint string, e *Entry, now time.Time) {
	if at, ok := happened(e.Value); ok {
		m.latency.WithLabelValues(endpoint).Observe(now.Sub(at).Seconds())
	}
}
