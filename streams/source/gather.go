package source

import (
	"context"
	"errors"
	"sync"
	"time"

	"tidemark/pkg/engine"
)

// breath is how long a fetch at the end of its log waits for those of other partitions,
// to go with them in one request, and for what producers are about to write. Without it
// each batch that a producer writes is fetched alone, and where many write a little,
// requests are most of what broker and program do.
const breath = 2 * time.Millisecond

// gatherer makes one request for each leader of the fetches that are at the ends of their
// logs. The broker holds a request until one of its partitions has something, and then
// answers for all. A partition that comes while a request is held goes with those
// that come then; they meet once both are answered within a breath.
type gatherer struct {
	mu   sync.Mutex // guards asks; nothing blocks while it is held
	asks []*ask
}

// ask is one partition's part in a request, and then of the answer.
type ask struct {
	partition engine.Partition
	index     int
	offset    int64
	lead      chan []*ask // told: make the request for these, of which it is the first
	done      chan struct{}

	got  fetched
	body []byte // of an answer that is the partition's alone
	err  error
}

func newAsk(f *fetcher) *ask {
	return &ask{partition: f.partition, index: f.index, offset: f.offset, lead: make(chan []*ask, 1), done: make(chan struct{})}
}

// fetch waits a breath and asks along with all that have come by then. Whoever came
// first makes the request.
func (g *gatherer) fetch(ctx context.Context, s *Source, a *ask) {
	if g.add(a) {
		sleep(ctx, breath) // cut short it goes on all the same: others wait for the outcome
		s.fetch(ctx, s.cfg.FetchMaxWait, g.take())
	}
	select {
	case <-a.done:
	case asks := <-a.lead:
		s.fetch(ctx, s.cfg.FetchMaxWait, asks)
	}
}

// add says whether the ask is the first one.
func (g *gatherer) add(a *ask) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asks = append(g.asks, a)
	return len(g.asks) == 1
}

// take returns those that have come, the one that asks first.
func (g *gatherer) take() []*ask {
	g.mu.Lock()
	defer g.mu.Unlock()
	asks := g.asks
	g.asks = nil
	return asks
}

// fetch asks for partitions and gives each its part of the answer. Those of other
// leaders than the first one's are left to one of them.
func (s *Source) fetch(ctx context.Context, wait time.Duration, asks []*ask) {
	req := newFetchRequest(asks, s.cfg.FetchMaxBytes, int(wait/time.Millisecond))
	req.clientID, req.pool = s.transport.ClientID, &s.buffers
	ctx, cancel := context.WithTimeout(ctx, wait+s.cfg.RequestTimeout)
	defer cancel()
	var parts []partAnswer
	res, err := s.transport.RoundTrip(ctx, s.addr, req)
	if err == nil {
		answer := res.(*fetchAnswer)
		if parts, err = answer.parse(); len(req.asks) == 1 {
			req.asks[0].body = answer.body
		}
	}
	for _, a := range req.asks {
		a.take(parts, err)
	}
}

// take finds the partition's part of an answer.
func (a *ask) take(parts []partAnswer, err error) {
	defer close(a.done)
	a.err = err
	if err != nil {
		return
	}
	for i := range parts {
		if p := &parts[i]; p.is(a.partition) {
			a.got, a.err = p.fetched, p.err
			return
		}
	}
	a.err = errors.New("the broker's answer leaves it out")
}
