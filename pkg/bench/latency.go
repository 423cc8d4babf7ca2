package bench

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// samples are latencies by the instant at which their event was due to be sent.
type samples struct {
	mu  sync.Mutex // guards all, which several readers add to; nothing is called while it is held
	all []sample
}

type sample struct {
	due  time.Duration // since the load began
	took time.Duration
}

func (s *samples) add(due, took time.Duration) {
	s.mu.Lock()
	s.all = append(s.all, sample{due, took})
	s.mu.Unlock()
}

func (s *samples) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// window is a part of a load.
type window struct{ from, to time.Duration }

// histogram is how long the events of a window took, in order.
type histogram []time.Duration

func (s *samples) histogram(w window) histogram {
	s.mu.Lock()
	defer s.mu.Unlock()
	var h histogram
	for _, x := range s.all {
		if x.due >= w.from && x.due < w.to {
			h = append(h, x.took)
		}
	}
	slices.Sort(h)
	return h
}

// quantile is the least value that the share q of all do not exceed.
func (h histogram) quantile(q float64) time.Duration {
	if len(h) == 0 {
		return 0
	}
	rank := int(q*float64(len(h)) + 0.999999)
	return h[min(max(rank, 1), len(h))-1]
}

// quantiles are those that reports show.
var quantiles = []struct {
	name string
	q    float64
}{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}}

// addQuantiles notes a histogram's quantiles under a name.
func (r *Report) addQuantiles(section, name string, h histogram) {
	for _, q := range quantiles {
		r.addTo(Figure{Section: section, Name: name, Quantile: q.name, Unit: "ms"}, milliseconds(h.quantile(q.q)))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// paced is a load at a fixed rate. The instant at which each event is due does not
// depend on how the system does: when sending is held up, what is due piles up and
// its waiting counts.
type paced struct {
	rate  int
	begun time.Time
	p     sender
	g     *generator
	sent  int
}

// sender is what a load goes to: a producer.
type sender interface {
	// add takes a message and copies its value.
	add(m message) error
	// flush sends what is open.
	flush() error
	// close sends what is open and waits until all is acknowledged.
	close() error
}

// due is when an event is due, since the load began.
func (l *paced) due(number int) time.Duration {
	return time.Duration(number) * time.Second / time.Duration(l.rate)
}

// paceTick is how often what became due is sent: as by a producer that waits for more
// to send as long as Kafka's own does since 4.0 (linger.ms).
const paceTick = 5 * time.Millisecond

// run sends until stop closes or ctx ends, and then waits for all acknowledgements.
func (l *paced) run(ctx context.Context, stop <-chan struct{}) error {
	ticker := time.NewTicker(paceTick)
	defer ticker.Stop()
	for {
		if err := l.send(time.Since(l.begun)); err != nil {
			return cmp.Or(l.p.close(), err)
		}
		select {
		case <-stop:
			return l.p.close()
		case <-ctx.Done():
			return cmp.Or(l.p.close(), context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// send sends what is due by now.
func (l *paced) send(now time.Duration) error {
	for ; l.due(l.sent) <= now; l.sent++ {
		at := l.begun.Add(l.due(l.sent))
		e := l.g.make(at)
		if err := l.p.add(message{topic: e.topic, key: e.key, value: e.value, time: at}); err != nil {
			return err
		}
	}
	return l.p.flush()
}
