package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// Hooks are told of what happens, by as many goroutines at once as Config.Abreast says.
// Each may be nil, and must not block.
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
	DefaultAbreast        = 1
)

// Config says what to relay. Zeros of Poll, Batch, PublishTimeout, Settle and Abreast take
// the defaults above.
type Config struct {
	Topics Topics
	// Shards is how many shards there are.
	Shards int
	// Owns tells whether this process relays a shard now. It must not block.
	Owns func(shard int) bool
	// Poll is how often shards are looked at that nobody woke the relay for. Where nothing
	// happens for some polls, only every fifth of them looks.
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
	// Abreast is how many parts the shards are divided into, by their numbers. Each part
	// publishes without waiting for the others.
	Abreast int
	// Admit says whether entries that were handed over (see Add) may be published without
	// being read from the outbox first. It must not block. Nil: none may.
	Admit func(shard int, entries []Entry) bool
	Hooks Hooks
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
	if c.Abreast < 0 {
		faults = append(faults, fmt.Errorf("abreast: %d, must not be negative, 0 takes the default", c.Abreast))
	}
	return errors.Join(faults...)
}

// Relay publishes outboxes. Run it once; Wake and Add may be called at any time.
type Relay struct {
	config  Config
	outbox  Outbox
	publish Publisher
	outages outages
	ages    ages
	parts   []*part

	// working is held by whoever relays, Run or Drain. It is held while waiting for Kafka
	// and Redis, so Wake and Add must not take it.
	working sync.Mutex
}

// New makes a Relay. It starts nothing.
func New(c Config, outbox Outbox, publisher Publisher, log zerolog.Logger) (*Relay, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	if outbox == nil || publisher == nil {
		return nil, errors.New("relay: outbox and publisher are required")
	}
	c.Poll = cmp.Or(c.Poll, DefaultPoll)
	c.Batch = cmp.Or(c.Batch, DefaultBatch)
	c.PublishTimeout = cmp.Or(c.PublishTimeout, DefaultPublishTimeout)
	c.Settle = cmp.Or(c.Settle, DefaultSettle)
	c.Abreast = min(cmp.Or(c.Abreast, DefaultAbreast), c.Shards)
	r := &Relay{
		config: c, outbox: outbox, publish: publisher, ages: ages{of: make([]time.Duration, c.Abreast)},
		outages: outages{log: log.With().Str("component", "relay").Logger(), since: map[string]time.Time{}},
	}
	for i := range c.Abreast {
		r.parts = append(r.parts, newPart(r, i))
	}
	return r, nil
}

func (r *Relay) partOf(shard int) *part { return r.parts[shard%len(r.parts)] }

// Wake says that a shard has new entries, which are to be read. It never blocks.
func (r *Relay) Wake(shard int) {
	p := r.partOf(shard)
	p.handed.doubt(shard)
	p.woken.add(shard)
}

// Add hands over entries that were appended to a shard's outbox just now, in order, and
// says behind which one: between that one and the last of these there is no other. So
// they are published without being read, if the one before them was published, unless
// Config.Admit refuses. Whoever does not know the entry before says "". It never
// blocks. The entries must not be changed any more.
func (r *Relay) Add(shard int, after string, entries []Entry) {
	p := r.partOf(shard)
	p.handed.add(shard, after, entries)
	p.woken.add(shard)
}

// Unpublished is how many entries the relay has in memory that are not published yet.
func (r *Relay) Unpublished() (n int) {
	for _, p := range r.parts {
		n += p.handed.waiting() + int(p.inHand.Load())
	}
	return n
}

// Run relays until the context ends, which is no error. What is in hand then is
// finished, within a grace of two seconds, so that a stop leads to no repeats.
// Failures are logged once per outage and tried again at every poll.
func (r *Relay) Run(ctx context.Context) error {
	r.working.Lock()
	defer r.working.Unlock()
	work, end := outlast(ctx, grace)
	defer end()
	var wait sync.WaitGroup
	for _, p := range r.parts {
		wait.Go(func() { p.run(ctx, work) })
	}
	wait.Wait()
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
	faults := make([]error, len(r.parts))
	var wait sync.WaitGroup
	for i, p := range r.parts {
		wait.Go(func() { faults[i] = p.drain(ctx) })
	}
	wait.Wait()
	return errors.Join(faults...)
}
