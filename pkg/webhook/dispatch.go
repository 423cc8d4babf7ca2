package webhook

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/outbound"
)

// Sender makes one attempt at an endpoint.
type Sender interface {
	Send(ctx context.Context, m outbound.Message) outbound.Answer
}

// Dispatcher delivers what waits. Each endpoint has its own goroutines, connections and
// queue: none waits for another's.
type Dispatcher struct {
	queue     Queue
	endpoints []*Endpoint
	lines     map[string]*line
	metrics   *Metrics
	log       zerolog.Logger
	jitter    func(time.Duration) time.Duration
	every     time.Duration // lookEvery
}

// line is what delivers to one endpoint.
type line struct {
	*Dispatcher
	*Endpoint
	sender Sender
	log    zerolog.Logger
	woken  chan struct{}
	// beyond is what waited when somebody enabled it, until it is worked off: as much more
	// than the bound may wait. Used by look alone.
	beyond int64

	mu        sync.Mutex // guards the rest; not held while anything waits
	status    Status
	pause     time.Time // no attempts before: the receiver asked for it
	succeeded time.Time // when an attempt last was through; at first, when this began
	failing   bool
}

// New makes a Dispatcher. It starts nothing.
func New(q Queue, endpoints []*Endpoint, m *Metrics, log zerolog.Logger) *Dispatcher {
	d := &Dispatcher{queue: q, endpoints: endpoints, lines: map[string]*line{}, metrics: m, jitter: jitter, every: lookEvery, log: log.With().Str("component", "webhooks").Logger()}
	for _, e := range endpoints {
		d.lines[e.Name] = &line{
			Dispatcher: d, Endpoint: e, sender: e.target, woken: make(chan struct{}, 1),
			log: d.log.With().Str("endpoint", e.Name).Logger(),
		}
	}
	return d
}

// Close closes idle connections.
func (d *Dispatcher) Close() {
	for _, e := range d.endpoints {
		e.target.Close()
	}
}

// Run delivers until ctx ends, then waits for the attempts in hand, which end with it.
// An outage of the queue's store is waited for.
func (d *Dispatcher) Run(ctx context.Context) error {
	defer d.metrics.idle(d.endpoints)
	d.look(ctx)
	var lines sync.WaitGroup
	for _, l := range d.lines {
		l.mu.Lock()
		l.succeeded = time.Now()
		l.mu.Unlock()
		lines.Go(func() { l.run(ctx) })
	}
	lines.Go(func() { d.watch(ctx) })
	lines.Wait()
	return nil
}

// wanted are the endpoints that are to get an event.
func (d *Dispatcher) wanted(e *Entry) []string {
	var event map[string]any
	if json.Unmarshal(e.Value, &event) != nil {
		return nil
	}
	var out []string
	for _, endpoint := range d.endpoints {
		l := d.lines[endpoint.Name]
		l.mu.Lock()
		disabled := l.status.Disabled != ""
		l.mu.Unlock()
		if !endpoint.wants(e.Topic, event) {
			continue
		}
		if disabled {
			d.metrics.missed.WithLabelValues(endpoint.Name).Inc()
			continue
		}
		out = append(out, endpoint.Name)
	}
	return out
}

// wake tells an endpoint's line that something waits.
func (d *Dispatcher) wake(endpoint string) {
	if l := d.lines[endpoint]; l != nil {
		select {
		case l.woken <- struct{}{}:
		default:
		}
	}
}

// lookEvery is how often the statuses and depths are looked at: what another process
// enabled or added is noticed as late as this.
const lookEvery = time.Second

func (d *Dispatcher) watch(ctx context.Context) {
	ticker := time.NewTicker(d.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			d.look(ctx)
		}
	}
}

// look reads statuses and depths, and disables endpoints whose queue is full.
func (d *Dispatcher) look(ctx context.Context) {
	statuses, err := d.queue.Statuses(ctx)
	if err != nil {
		d.log.Debug().Err(err).Msg("statuses of endpoints not read")
		return
	}
	queues := make([]string, len(d.endpoints))
	for i, e := range d.endpoints {
		queues[i] = e.Name
	}
	depths, err := d.queue.Depths(ctx, queues)
	if err != nil {
		d.log.Debug().Err(err).Msg("queues not measured")
		return
	}
	for i, e := range d.endpoints {
		l := d.lines[e.Name]
		l.mu.Lock()
		was := l.status
		l.status = statuses[e.Name]
		l.mu.Unlock()
		d.metrics.depth(e.Name, depths[i], statuses[e.Name].Disabled != "", time.Now())
		if was.Disabled != "" && statuses[e.Name].Disabled == "" {
			l.log.Info().Msg("endpoint enabled")
			l.beyond = depths[i].Queued // has time to work that off
		}
		if depths[i].Queued <= int64(e.maxQueue) {
			l.beyond = 0
		}
		if depths[i].Queued > l.beyond+int64(e.maxQueue) && statuses[e.Name].Disabled == "" {
			l.disable(ctx, "the queue is full")
		}
		d.wake(e.Name)
	}
}
