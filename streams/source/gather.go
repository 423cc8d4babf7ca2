package source

import (
	"context"
	"errors"
	"slices"
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
//
// Requests that wait for nothing end together, so that all go in one where nothing comes.
type gatherer struct {
	mu   sync.Mutex // guards what follows; nothing blocks while it is held
	asks []*ask
	held []time.Time // when the brokers give up those that are under way, at the latest
}

// ask is one partition's part in a request, and then of the answer. Until it is done
// whoever makes the request has the fetcher to itself.
type ask struct {
	fetcher   *fetcher
	partition engine.Partition
	index     int
	offset    int64
	lead      chan []*ask // told: make the request for these, of which it is the first; nil: for those that gather
	done      chan struct{}

	got  fetched
	body []byte // of an answer that is the partition's alone
	err  error

	delivered bool  // what came was handed on
	failed    error // it could not be
}

func newAsk(f *fetcher) *ask {
	return &ask{
		fetcher: f, partition: f.partition, index: f.index, offset: f.offset,
		lead: make(chan []*ask, 1), done: make(chan struct{}),
	}
}

// fetch waits a breath and asks along with all that have come by then. Whoever came
// first makes the request, and goes on with those that have nothing else to do than to
// ask again: they need not be woken.
func (g *gatherer) fetch(ctx context.Context, s *Source, a *ask) {
	var asks []*ask
	calm := false // all was waited for in vain, and nobody else is to come
	for leads := g.add(a); ; {
		if leads {
			if !calm {
				sleep(ctx, breath) // cut short it goes on all the same: others wait for the outcome
			}
			asks = g.take()
		}
		if len(asks) > 0 {
			until := g.begin(time.Now(), s.cfg.FetchMaxWait)
			answered, size := s.fetch(ctx, max(time.Until(until), 0), asks)
			// A broker that answers at once without anything is not asked in a row.
			calm = g.end(until) && time.Until(until) < breath && !slices.ContainsFunc(answered, (*ask).brought)
			if leads = g.again(a, g.deliver(ctx, answered, size)); leads {
				continue
			}
		}
		select {
		case <-a.done:
			return
		case asks = <-a.lead:
			leads = asks == nil
		}
	}
}

// add says whether the ask is the first one.
func (g *gatherer) add(asks ...*ask) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := len(g.asks) == 0
	g.asks = append(g.asks, asks...)
	return first
}

// take returns those that have come, the one that asks first.
func (g *gatherer) take() []*ask {
	g.mu.Lock()
	defer g.mu.Unlock()
	asks := g.asks
	g.asks = nil
	return asks
}

// begin notes a request that waits so long at most, or until another one is given up.
func (g *gatherer) begin(now time.Time, wait time.Duration) (until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	until = now.Add(wait)
	for _, other := range g.held {
		if other.After(now.Add(time.Millisecond)) && other.Before(until) {
			until = other
		}
	}
	g.held = append(g.held, until)
	return until
}

// end notes that a request is over, and says whether no other is under way.
func (g *gatherer) end(until time.Time) (alone bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.held, until)
	g.held = slices.Delete(g.held, i, i+1)
	return len(g.held) == 0
}

// again lets asks gather for the next request, and says whether the caller makes it.
func (g *gatherer) again(own *ask, asks []*ask) bool {
	if len(asks) == 0 || !g.add(asks...) {
		return false
	}
	if slices.Contains(asks, own) {
		return true
	}
	asks[0].lead <- nil
	return false
}

// deliver hands on what partitions were answered, all of it before the merge is told, and
// returns the asks that go on. A large answer is left to the fetchers, side by side.
func (g *gatherer) deliver(ctx context.Context, asks []*ask, size int) (on []*ask) {
	var news *Session
	for _, a := range asks {
		if a.err == nil && size < minPooled {
			told, err := a.fetcher.deliver(a.got)
			if a.delivered, a.failed = true, err; told {
				news = a.fetcher.session
			}
		}
	}
	if news != nil {
		news.tell()
	}
	for _, a := range asks {
		if ctx.Err() == nil && a.delivered && a.failed == nil && a.fetcher.goesOn() {
			a.offset, a.got, a.body, a.delivered = a.fetcher.offset, fetched{}, nil, false
			on = append(on, a)
		} else {
			close(a.done)
		}
	}
	return on
}

// fetch asks for partitions and gives each its part of the answer, of so many bytes. Those
// of other leaders than the first one's are left to one of them, and not returned.
func (s *Source) fetch(ctx context.Context, wait time.Duration, asks []*ask) (answered []*ask, size int) {
	req := newFetchRequest(asks, s.cfg.FetchMaxBytes, int(wait/time.Millisecond))
	req.clientID, req.pool = s.transport.ClientID, &s.buffers
	ctx, cancel := context.WithTimeout(ctx, wait+s.cfg.RequestTimeout)
	defer cancel()
	var parts []partAnswer
	res, err := s.transport.RoundTrip(ctx, s.addr, req)
	if err == nil {
		answer := res.(*fetchAnswer)
		size = len(answer.body)
		if parts, err = answer.parse(); len(req.asks) == 1 {
			req.asks[0].body = answer.body
		}
	}
	for _, a := range req.asks {
		a.take(parts, err)
	}
	return req.asks, size
}

// brought reports whether the answer is not just that nothing came.
func (a *ask) brought() bool { return a.err != nil || len(a.got.set) > 0 }

// take finds the partition's part of an answer.
func (a *ask) take(parts []partAnswer, err error) {
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
