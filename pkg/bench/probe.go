package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tidemark/pkg/engine"
)

// probe is a paced load with its readers: of the input itself, and of the tier
// changes that it causes.
type probe struct {
	load    *paced
	input   samples
	changes samples
	read    atomic.Int64 // tier changes read, of whatever cause
	first   int64        // tier changes in the topic before

	cancel  context.CancelFunc
	halt    chan struct{} // closed: the load ends
	loaded  chan struct{} // closed: the load has ended and is acknowledged
	halted  sync.Once
	running sync.WaitGroup
	mu      sync.Mutex // guards err, which any part may set
	err     error
	failed  chan struct{}
}

// probeSetup says what a probe loads and reads.
type probeSetup struct {
	input   []string // the two input topics
	changes string
	rate    int
	seed    uint64
	// seen, if not nil, is given every tier change and when it was read.
	seen func(change, time.Time)
}

// startProbe starts the readers at the ends of the logs, then the load.
func (b *bench) startProbe(ctx context.Context, s probeSetup) (*probe, error) {
	ends := map[string]map[int]int64{}
	for _, topic := range append(slices.Clone(s.input), s.changes) {
		var err error
		if ends[topic], err = b.logEnds(ctx, topic); err != nil {
			return nil, err
		}
	}
	w := b.opts.Workload
	w.Seed = s.seed
	ctx, cancel := context.WithCancel(ctx)
	x := &probe{cancel: cancel, halt: make(chan struct{}), loaded: make(chan struct{}), failed: make(chan struct{})}
	for _, end := range ends[s.changes] {
		x.first += end
	}
	x.load = &paced{rate: s.rate, p: newProducer(ctx, b.client, s.input, b.opts.Partitions), g: newGenerator(w), begun: time.Now()}
	x.follow(ctx, b, s.input, ends, x.tookInput)
	x.follow(ctx, b, []string{s.changes}, ends, func(value []byte, now time.Time) error {
		c, err := parseChange(value)
		if err != nil {
			return err
		}
		x.read.Add(1)
		x.tookChange(c, now)
		if s.seen != nil {
			s.seen(c, now)
		}
		return nil
	})
	x.running.Go(func() {
		defer close(x.loaded)
		if err := x.load.run(ctx, x.halt); ctx.Err() == nil {
			x.fail(err)
		}
	})
	return x, nil
}

// follow reads topics from their ends on until ctx ends.
func (x *probe) follow(ctx context.Context, b *bench, topics []string, ends map[string]map[int]int64, take func(value []byte, now time.Time) error) {
	from := map[engine.Partition]int64{}
	for _, topic := range topics {
		for number, offset := range ends[topic] {
			from[engine.Partition{Topic: topic, ID: number}] = offset
		}
	}
	x.running.Go(func() { x.fail(b.follow(ctx, from, take)) })
}

func (x *probe) fail(err error) {
	if err == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = err
		close(x.failed)
	}
}

func (x *probe) tookInput(value []byte, now time.Time) error {
	if number, ok := eventNumber(idOf(value)); ok {
		due := x.load.due(number)
		x.input.add(due, now.Sub(x.load.begun)-due)
	}
	return nil
}

// tookChange notes a change that an event of the load caused. Others, by decay or
// by the population beside the load, have no instant at which they were due to be sent.
func (x *probe) tookChange(c change, now time.Time) {
	if number, ok := eventNumber([]byte(c.Data.Cause.ID)); ok && c.Data.Cause.Kind == causeEvent {
		due := x.load.due(number)
		x.changes.add(due, now.Sub(x.load.begun)-due)
	}
}

// elapsed is the time since the load began.
func (x *probe) elapsed() time.Duration { return time.Since(x.load.begun) }

// wait lets the load run until so long after its begin.
func (x *probe) wait(ctx context.Context, until time.Duration) error {
	timer := time.NewTimer(until - x.elapsed())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-x.failed:
		return x.failure()
	}
}

func (x *probe) failure() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// endLoad ends the load; what was sent is still read.
func (x *probe) endLoad() { x.halted.Do(func() { close(x.halt) }) }

// close ends everything and waits for it.
func (x *probe) close() error {
	x.endLoad()
	x.cancel()
	x.running.Wait()
	return x.failure()
}

// settleLimit is how long the end of a load may take to come through.
const settleLimit = 2 * time.Minute

// settle ends the load and waits until all of it was stored, published and read, so
// that no slow event is missing from the histograms.
func (b *bench) settle(ctx context.Context, x *probe, s *serve, d *deployment) error {
	x.endLoad()
	ctx, cancel := context.WithTimeoutCause(ctx, settleLimit, fmt.Errorf("the load is not all stored, published and read %s after its end", settleLimit))
	defer cancel()
	return s.poll(ctx, 50*time.Millisecond, func() (bool, error) {
		select {
		case <-x.failed:
			return false, x.failure()
		case <-x.loaded:
		default:
			return false, nil
		}
		if x.input.count() < x.load.sent {
			return false, nil
		}
		if idle, err := b.idle(ctx, d); !idle || err != nil {
			return false, err
		}
		n, err := b.records(ctx, d.cfg.Kafka.Topics.TierChanges)
		return x.read.Load() >= n-x.first, err
	})
}

// idle says that serve has nothing left to do: the group is at the logs' ends, nobody
// is due, and nothing waits to be published.
func (b *bench) idle(ctx context.Context, d *deployment) (bool, error) {
	lag, err := b.lag(ctx, d)
	if lag > 0 || err != nil {
		return false, err
	}
	outbox, due, err := b.waiting(ctx, d)
	return outbox == 0 && due == 0, err
}
