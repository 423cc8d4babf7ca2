package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"tidemark/streams/sink"
)

// Outbox is where entries wait. Methods are called by several goroutines at once,
// for one shard by one at a time.
type Outbox interface {
	// Outbox returns at most limit entries of the shard behind the one named by
	// after, the oldest first. An empty after starts at the oldest.
	Outbox(ctx context.Context, shard int, after string, limit int) ([]Entry, error)
	// Trim removes entries. Those that are gone already are no error.
	Trim(ctx context.Context, shard int, ids []string) error
	// PendingShards returns which of the shards have entries.
	PendingShards(ctx context.Context, shards []int) ([]int, error)
}

// Entry is one message of an outbox.
type Entry struct {
	ID      string // its place in the shard's outbox
	Account string // the Kafka key
	Value   []byte
	// Appended is the Kafka timestamp of the input that led to it, Unix milliseconds. 0: none did.
	Appended int64
	// Trace is the W3C trace context of that input: the traceparent and, where there is
	// one, a space and the tracestate. Empty: none. It goes out as headers.
	Trace string
}

// Publisher publishes messages: nil means that every one is acknowledged. It keeps
// their order within a key, tries again what can heal until the context ends, and
// tells of such outages itself.
type Publisher interface {
	Publish(ctx context.Context, topic string, messages []sink.Message) error
	// Unsure counts requests that ended without an answer: what they hold may be
	// written yet, behind what was written since.
	Unsure() uint64
}

// Topics are where entries go: all of them to both, or to Changes alone.
type Topics struct {
	Changes string // tier-changes, the retained log
	Tiers   string // account-tiers, compacted; empty: there is no such topic
}

// Hooks are told of what happens. Each may be nil, and must not block.
type Hooks struct {
	// Published is told of entries that both topics acknowledged. It keeps none.
	Published func(entries []Entry)
	// Traced is told of the same entries, if one of them has a trace, and when they were
	// taken from their outbox. It keeps none.
	Traced func(entries []Entry, taken time.Time)
	// Failed counts failures by where they happened: "look" (which shards have
	// entries), "read", "publish", "trim".
	Failed func(stage string)
	// OldestAge is for how long the relay has known of the oldest entry that
	// waits; 0 where none does.
	OldestAge func(age time.Duration)
}

// The settings that hold where a Config does not say.
const (
	DefaultPoll           = time.Second
	DefaultBatch          = 500
	DefaultPublishTimeout = 10 * time.Second
	DefaultSettle         = 3 * time.Second
)

// Config says what to relay. Zeros of Poll, Batch, PublishTimeout and Settle take the
// defaults above.
type Config struct {
	Topics Topics
	// Shards is how many shards there are.
	Shards int
	// Owns tells whether this process relays a shard now. It must not block.
	Owns func(shard int) bool
	// Poll is how often shards are looked at that nobody woke the relay for.
	Poll time.Duration
	// Batch is the most entries that are read from one shard at a time.
	Batch int
	// PublishTimeout bounds one attempt, after which ownership is looked at anew.
	// Keep it below the time for which a lost shard may still be published by us.
	PublishTimeout time.Duration
	// Settle is how long after a request without an answer its entries stay in the outbox.
	// They are then published once more, so that a topic ends with the latest of each
	// account although the broker may have taken the lost request last.
	Settle time.Duration
	Hooks  Hooks
}

// Validate reports every fault of the settings.
func (c Config) Validate() error {
	var faults []error
	if c.Topics.Changes == "" {
		faults = append(faults, errors.New("topics: changes is empty"))
	}
	if c.Shards < 1 {
		faults = append(faults, fmt.Errorf("shards: %d, must be at least 1", c.Shards))
	}
	if c.Owns == nil {
		faults = append(faults, errors.New("owns: missing"))
	}
	if c.Poll < 0 || c.Batch < 0 || c.PublishTimeout < 0 || c.Settle < 0 {
		faults = append(faults, fmt.Errorf("poll %s, batch %d, publish_timeout %s, settle %s: must not be negative, 0 takes the default",
			c.Poll, c.Batch, c.PublishTimeout, c.Settle))
	}
	return errors.Join(faults...)
}

// Relay publishes outboxes. Run it once; Wake may be called at any time.
type Relay struct {
	config  Config
	outbox  Outbox
	publish Publisher
	log     zerolog.Logger
	woken   woken

	// working is held by whoever relays, Run or Drain, and guards what follows.
	// It is held while waiting for Kafka and Redis, so Wake must not take it.
	working sync.Mutex
	shards  map[int]*shard
	outages map[string]time.Time // by stage
}

// shard is what the relay remembers of a shard with entries.
type shard struct {
	// since is when the relay first knew of the entries that wait.
	since time.Time
	// acked are entries that both topics acknowledged and that are still there: trimming
	// failed, or they settle. They are not published again if they are met again unchanged.
	acked map[string]Entry
	// settles is until when entries stay because a request that held some had no answer.
	settles time.Time
	// retryAt is when entries that were refused are tried again, and pause how
	// long that was put off.
	retryAt time.Time
	pause   time.Duration
}

// New makes a Relay. It starts nothing.
func New(c Config, outbox Outbox, publisher Publisher, log zerolog.Logger) (*Relay, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	if outbox == nil || publisher == nil {
		return nil, errors.New("relay: outbox and publisher are required")
	}
	if c.Poll == 0 {
		c.Poll = DefaultPoll
	}
	if c.Batch == 0 {
		c.Batch = DefaultBatch
	}
	if c.PublishTimeout == 0 {
		c.PublishTimeout = DefaultPublishTimeout
	}
	if c.Settle == 0 {
		c.Settle = DefaultSettle
	}
	return &Relay{
		config: c, outbox: outbox, publish: publisher,
		log:    log.With().Str("component", "relay").Logger(),
		woken:  woken{shards: map[int]time.Time{}, signal: make(chan struct{}, 1)},
		shards: map[int]*shard{}, outages: map[string]time.Time{},
	}, nil
}

// Wake says that a shard has new entries. It never blocks.
func (r *Relay) Wake(shard int) { r.woken.add(shard) }

// Run relays until the context ends, which is no error. What is in hand then is
// finished, within a grace of two seconds, so that a stop leads to no repeats.
// Failures are logged once per outage and tried again at every poll.
func (r *Relay) Run(ctx context.Context) error {
	r.working.Lock()
	defer r.working.Unlock()
	poll := time.NewTicker(r.config.Poll)
	defer poll.Stop()
	work, end := outlast(ctx, grace)
	defer end()
	_ = r.look(ctx) // logged, as all that fails here
	for ctx.Err() == nil {
		_ = r.relay(ctx, work, r.woken.take())
		select {
		case <-ctx.Done():
		case <-r.woken.signal:
		case <-poll.C:
			_ = r.look(ctx)
		}
	}
	return nil
}

// grace is how long what is in hand may take when Run is told to stop.
const grace = 2 * time.Second

// outlast gives a context that ends a while after ctx has.
func outlast(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		timer := time.NewTimer(while)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-work.Done():
		}
	})
	return work, cancel
}

// Drain relays until the outboxes of all owned shards are empty: for shutdown,
// after Run has returned and nothing adds entries any more. It tries what fails
// again until the context ends, and returns why it could not finish.
func (r *Relay) Drain(ctx context.Context) error {
	r.working.Lock()
	defer r.working.Unlock()
	poll := time.NewTicker(r.config.Poll)
	defer poll.Stop()
	var last error
	for {
		err := r.look(ctx)
		waiting := r.woken.take()
		for _, s := range r.shards {
			s.retryAt = time.Time{} // there is no later to put it off to
		}
		if err == nil && len(waiting) == 0 {
			return nil
		}
		if err = errors.Join(err, r.relay(ctx, ctx, waiting)); err != nil || r.settling() {
			last = err
			select {
			case <-ctx.Done():
			case <-poll.C:
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("drain outboxes: %w", errors.Join(ctx.Err(), last))
		}
	}
}

// settling reports whether entries stay for a while after they were published.
func (r *Relay) settling() bool {
	for _, s := range r.shards {
		if !s.settles.IsZero() {
			return true
		}
	}
	return false
}

// look wakes the relay for owned shards that have entries, and forgets the others.
func (r *Relay) look(ctx context.Context) error {
	var owned []int
	for n := range r.config.Shards {
		if r.config.Owns(n) {
			owned = append(owned, n)
		}
	}
	var pending []int
	if len(owned) > 0 {
		var err error
		if pending, err = r.outbox.PendingShards(ctx, owned); err != nil {
			r.failed(ctx, stageLook, err)
			return err
		}
		r.worked(stageLook)
	}
	for n := range r.shards {
		if !slices.Contains(pending, n) {
			delete(r.shards, n)
		}
	}
	for _, n := range pending {
		r.woken.add(n)
	}
	return nil
}
