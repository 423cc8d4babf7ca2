package app

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidemark/pkg/desk"
	"tidemark/pkg/route"
	"tidemark/streams/relay"
)

// deskOutbox is the desk's outbox as the relay wants it: one shard. It counts the
// events once they are published, whichever process made them.
type deskOutbox struct {
	gate    *desk.Gate
	metrics *routingMetrics

	mu   sync.Mutex // guards read
	read map[string]relay.Entry
}

// Outbox implements relay.Outbox. The relay reads from the oldest on.
func (o *deskOutbox) Outbox(ctx context.Context, _ int, _ string, limit int) ([]relay.Entry, error) {
	found, err := o.gate.Outbox(ctx, limit)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]relay.Entry, len(found))
	for i, e := range found {
		out[i] = relay.Entry(e)
		o.read[e.ID] = out[i]
	}
	return out, nil
}

// Trim implements relay.Outbox.
func (o *deskOutbox) Trim(ctx context.Context, _ int, ids []string) error {
	if err := o.gate.Trim(ctx, ids); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		o.metrics.published(o.read[id].Value)
		delete(o.read, id)
	}
	return nil
}

// PendingShards implements relay.Outbox.
func (o *deskOutbox) PendingShards(ctx context.Context, shards []int) ([]int, error) {
	some, err := o.gate.Waits(ctx)
	if err != nil || !some {
		return nil, err
	}
	return shards, nil
}

// routingMetrics are what routing shows.
type routingMetrics struct {
	mqas   *prometheus.GaugeVec
	queued prometheus.Gauge
	steps  *prometheus.CounterVec
	acked  prometheus.Histogram
	upheld prometheus.Counter
}

func newRoutingMetrics(r prometheus.Registerer) *routingMetrics {
	m := &routingMetrics{
		mqas: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tidemark_mqas", Help: "MQAs on the desk by state, on the instance that routes; 0 on the others.",
		}, []string{"state"}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_mqas_queued", Help: "MQAs that wait in a queue for a rep, on the instance that routes.",
		}),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_mqa_steps_total", Help: "Published steps of MQAs' lives; breached counts broken promises.",
		}, []string{"step"}),
		acked: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_mqa_acknowledge_seconds", Help: "From an MQA's crossing until somebody acknowledged or decided it.",
			Buckets: []float64{60, 300, 900, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 12 * 3600, 24 * 3600, 48 * 3600, 7 * 24 * 3600},
		}),
	}
	m.upheld = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tidemark_mqas_upheld_total",
		Help: "MQAs whose desk was set back and denied what was published of them; what was published stands.",
	})
	r.MustRegister(m.mqas, m.queued, m.steps, m.acked, m.upheld)
	for _, step := range route.StepNames() {
		m.steps.WithLabelValues(string(step))
	}
	m.idle()
	return m
}

// idle is what an instance shows that does not route.
func (m *routingMetrics) idle() {
	for _, state := range []route.State{route.Held, route.Opened, route.Acknowledged, route.Accepted, route.Rejected} {
		m.mqas.WithLabelValues(string(state)).Set(0)
	}
	m.queued.Set(0)
}

func (m *routingMetrics) observe(d *route.Desk) {
	states := map[route.State]int{route.Held: 0, route.Opened: 0, route.Acknowledged: 0, route.Accepted: 0, route.Rejected: 0}
	queued := 0
	for _, q := range d.MQAs {
		states[q.State]++
		if q.Queued {
			queued++
		}
	}
	for state, n := range states {
		m.mqas.WithLabelValues(string(state)).Set(float64(n))
	}
	m.queued.Set(float64(queued))
}

// published counts an event of the topic.
func (m *routingMetrics) published(value []byte) {
	var e struct {
		Type string    `json:"type"`
		Time time.Time `json:"time"`
		Data struct {
			Crossed time.Time `json:"crossed_at"`
			Acked   time.Time `json:"acknowledged_at"`
		} `json:"data"`
	}
	if json.Unmarshal(value, &e) != nil {
		return
	}
	m.steps.WithLabelValues(strings.TrimPrefix(e.Type, route.EventType)).Inc()
	// The step at whose instant it was acknowledged; later ones repeat the instant.
	if !e.Data.Acked.IsZero() && e.Data.Acked.Equal(e.Time) {
		m.acked.Observe(e.Data.Acked.Sub(e.Data.Crossed).Seconds())
	}
}
