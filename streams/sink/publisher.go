package sink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"tidemark/pkg/together"
	"tidemark/streams/conn"
)

// Message is what to publish.
type Message struct {
	// Key decides the partition. Nil: any, spread at random.
	Key []byte
	// Value is the content. Nil: a tombstone.
	Value   []byte
	Headers []Header
	// Time is the record's timestamp. Zero: when it is sent.
	Time time.Time
}

// Header is one header of a message. A key may come more than once.
type Header struct {
	Key   string
	Value []byte
}

// size is how many bytes a message takes in a batch, at most.
func (m *Message) size() int {
	n := 64 + len(m.Key) + len(m.Value)
	for _, h := range m.Headers {
		n += 16 + len(h.Key) + len(h.Value)
	}
	return n
}

// The limits that hold where a Config does not say.
const (
	DefaultTimeout    = 10 * time.Second
	DefaultBatchBytes = 900_000 // below the brokers' max.message.bytes of 1 MiB
	DefaultMinBackoff = 50 * time.Millisecond
	DefaultMaxBackoff = 2 * time.Second
)

// Config says how to publish. Zeros take the defaults above.
type Config struct {
	// Transport connects to the cluster. It must follow the topics published to.
	// Whoever made it closes it.
	Transport *conn.Transport
	// Timeout bounds one attempt; the brokers wait half of it for replicas.
	Timeout time.Duration
	// BatchBytes bounds one request, but for a single larger message.
	BatchBytes int
	// MinBackoff and MaxBackoff bound the pause between attempts, which doubles.
	MinBackoff, MaxBackoff time.Duration
}

// Validate reports every fault of the settings.
func (c Config) Validate() error {
	var faults []error
	if c.Transport == nil {
		faults = append(faults, errors.New("transport: missing"))
	}
	if c.Timeout < 0 || c.BatchBytes < 0 || c.MinBackoff < 0 || c.MaxBackoff < 0 {
		faults = append(faults, errors.New("timeout, batch_bytes and backoff: must not be negative, 0 takes the default"))
	}
	return errors.Join(faults...)
}

// Publisher publishes messages. It is safe for concurrent use; only messages of
// one call have an order.
type Publisher struct {
	config  Config
	client  *kafka.Client
	log     zerolog.Logger
	outages outages
	layouts layouts
	sending together.Group[flight]
	unsure  atomic.Uint64

	clientID string
	bodies   sync.Pool // of requests, *[]byte
	sorters  sync.Pool // where messages are sorted, *sorter
}

// New makes a Publisher. It starts nothing.
func New(c Config, log zerolog.Logger) (*Publisher, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	c.Timeout = or(c.Timeout, DefaultTimeout)
	c.BatchBytes = or(c.BatchBytes, DefaultBatchBytes)
	c.MinBackoff = or(c.MinBackoff, DefaultMinBackoff)
	c.MaxBackoff = max(or(c.MaxBackoff, DefaultMaxBackoff), c.MinBackoff)
	p := &Publisher{
		config: c, client: c.Transport.Client(c.Timeout),
		log:      log.With().Str("component", "sink").Logger(),
		clientID: c.Transport.Kafka().ClientID,
	}
	p.sending.Do, p.sending.Abreast, p.sending.Joined = p.send, abreast, true
	return p, nil
}

// Publish returns nil when all messages are acknowledged by all in-sync replicas.
// What can heal is tried again until the context ends; an outage is logged when
// it begins and when it is over. After an error some messages may be in the log,
// and in each partition those are the first ones.
func (p *Publisher) Publish(ctx context.Context, topic string, messages []Message) error {
	if len(messages) == 0 {
		return nil
	}
	of, err := p.layoutOf(ctx, topic)
	if err != nil {
		return err
	}
	d := p.sorter()
	defer p.clear(d)
	d.sort(topic, messages, of, p.config.BatchBytes)
	p.produce(ctx, &d.flight)
	return p.finish(ctx, &d.flight)
}

// finish takes what a flight left undone to its end, each partition for itself.
func (p *Publisher) finish(ctx context.Context, f *flight) error {
	var left []*sending
	for i := range f.sends {
		if s := &f.sends[i]; s.err != nil || len(s.rest) > 0 {
			left = append(left, s)
		} else {
			p.worked(s.topic, s.partition)
		}
	}
	if len(left) == 0 {
		return nil
	}
	faults := make([]error, len(left))
	var wait sync.WaitGroup
	for i, s := range left {
		wait.Go(func() { faults[i] = p.goOn(ctx, s) })
	}
	wait.Wait()
	return errors.Join(faults...)
}

// Unsure counts requests that ended without an answer: what they hold may be written yet,
// even behind what is written later.
func (p *Publisher) Unsure() uint64 { return p.unsure.Load() }

// goOn takes a partition's messages to their end whose first batch was tried once.
func (p *Publisher) goOn(ctx context.Context, s *sending) error {
	tried := s
	for batch, rest := s.batch, s.rest; len(batch) > 0; batch, rest = fill(rest, p.config.BatchBytes) {
		if err := p.deliver(ctx, s.topic, s.partition, batch, tried); err != nil {
			return err
		}
		tried = nil
	}
	return nil
}

// deliver sends one batch until it is acknowledged; tried, if not nil, is how its first
// attempt went. A batch that is too large for the topic goes in halves, down to single
// messages.
func (p *Publisher) deliver(ctx context.Context, topic string, partition int, batch []Message, tried *sending) error {
	err := p.retry(ctx, topic, partition, func() error {
		if tried != nil {
			first := tried.err
			tried = nil
			return first
		}
		return p.again(ctx, topic, partition, batch)
	})
	if !tooLarge(err) {
		return err
	}
	if len(batch) == 1 {
		return &TooLargeError{Topic: topic, Size: batch[0].size(), Err: err}
	}
	half := len(batch) / 2
	if err := p.deliver(ctx, topic, partition, batch[:half], nil); err != nil {
		return err
	}
	return p.deliver(ctx, topic, partition, batch[half:], nil)
}

// again makes one attempt for one batch.
func (p *Publisher) again(ctx context.Context, topic string, partition int, batch []Message) error {
	s := sending{topic: topic, partition: partition, leader: unknown, batch: batch}
	of := p.layouts.get(topic)
	if of == nil {
		of, _ = p.askLayout(ctx, topic) // what could not be asked fails at the next step too
	}
	if of != nil && partition < len(of.leaders) {
		s.leader = of.leaders[partition]
	}
	f := &flight{sends: []sending{s}}
	p.produce(ctx, f)
	return f.sends[0].err
}

// retry repeats an attempt while its error can heal and the context lives.
func (p *Publisher) retry(ctx context.Context, topic string, partition int, attempt func() error) error {
	pause := p.config.MinBackoff
	var before error
	for {
		err := attempt()
		if err == nil {
			p.worked(topic, partition)
			return nil
		}
		if ctx.Err() != nil {
			if before != nil && errors.Is(err, ctx.Err()) {
				err = before // says more than that this one was cut off
			}
			return fmt.Errorf("publish to %s: %w (the last attempt said: %w)", topic, ctx.Err(), err)
		}
		before = err
		if Classify(err) != Retryable {
			return fmt.Errorf("publish to %s/%d: %w", topic, max(partition, 0), err)
		}
		if p.outages.begin(topic, partition) {
			p.log.Warn().Err(err).Str("topic", topic).Msg("publishing fails, it is tried until it works")
		}
		// Between half of the pause and all of it, so that instances spread.
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("publish to %s: %w (the last attempt said: %w)", topic, ctx.Err(), err)
		}
		pause = min(2*pause, p.config.MaxBackoff)
	}
}

// worked notes that a partition took what it was sent.
func (p *Publisher) worked(topic string, partition int) {
	if lasted, over := p.outages.end(topic, partition); over {
		p.log.Info().Str("topic", topic).Dur("lasted", lasted).Msg("publishing works again")
	}
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
