package tail

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"tidemark/streams/conn"
)

// Record is a record as it stands in the topic.
type Record struct {
	Topic     string
	Partition int
	Offset    int64
	Time      int64 // Unix milliseconds
	// Key and Value are the receiver's to keep; nil where there is none.
	Key, Value []byte
	Headers    []kafka.Header
}

// Point is where in the log to begin.
type Point int

// The points.
const (
	// Beginning is the first record there is.
	Beginning Point = iota
	// End is behind the last record there is when Run asks.
	End
)

// The limits that hold where a Config does not say.
const (
	DefaultMaxBytes = 1 << 20
	DefaultMaxWait  = 500 * time.Millisecond
	DefaultTimeout  = 10 * time.Second
	DefaultRefresh  = 10 * time.Second
)

// Config says what to follow. Zeros take the defaults above.
type Config struct {
	// Transport connects to the cluster. It must follow the topic. Whoever made
	// it closes it.
	Transport *conn.Transport
	Topic     string
	From      Point
	// Offsets are where to begin in the partitions that it names, whatever From says.
	Offsets map[int]int64
	// MaxBytes bounds one answer of a partition.
	MaxBytes int
	// MaxWait is how long a broker may hold an empty answer.
	MaxWait time.Duration
	// Timeout bounds a request beyond that.
	Timeout time.Duration
	// Refresh is how often to look for partitions that were added.
	Refresh time.Duration
}

// Validate reports every fault of the settings.
func (c Config) Validate() error {
	var faults []error
	if c.Transport == nil {
		faults = append(faults, errors.New("transport: missing"))
	}
	if c.Topic == "" {
		faults = append(faults, errors.New("topic: missing"))
	}
	if c.MaxBytes < 0 || c.MaxWait < 0 || c.Timeout < 0 || c.Refresh < 0 {
		faults = append(faults, errors.New("max_bytes, max_wait, timeout and refresh: must not be negative, 0 takes the default"))
	}
	return errors.Join(faults...)
}

// Follower follows one topic.
type Follower struct {
	cfg    Config
	client *kafka.Client
	log    zerolog.Logger
}

// New makes a Follower. It starts nothing.
func New(c Config, log zerolog.Logger) (*Follower, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("tail: %w", err)
	}
	c.MaxBytes = or(c.MaxBytes, DefaultMaxBytes)
	c.MaxWait, c.Timeout, c.Refresh = or(c.MaxWait, DefaultMaxWait), or(c.Timeout, DefaultTimeout), or(c.Refresh, DefaultRefresh)
	return &Follower{
		cfg: c, client: c.Transport.Client(c.MaxWait + c.Timeout),
		log: log.With().Str("component", "tail").Str("topic", c.Topic).Logger(),
	}, nil
}

// Run calls take for each record, one at a time, until ctx ends, take returns an
// error, or the broker refuses what no retry heals. A clean stop returns nil. What
// can heal is tried again, and logged when it begins. Run may be called again; it
// begins anew then.
func (f *Follower) Run(ctx context.Context, take func(Record) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	readers := readers{Follower: f, take: take, stop: cancel, known: map[int]bool{}}
	defer readers.wait.Wait()
	defer cancel(nil)
	ticker := time.NewTicker(f.cfg.Refresh)
	defer ticker.Stop()
	for first := true; ; first = false {
		if err := readers.spread(ctx, first); err != nil {
			cancel(err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
				return cause
			}
			return nil
		}
	}
}

// readers are the partitions of one Run.
type readers struct {
	*Follower
	mu    sync.Mutex // held while take runs, so that it is called by one at a time
	take  func(Record) error
	stop  context.CancelCauseFunc
	known map[int]bool
	wait  sync.WaitGroup
}

// spread starts a reader for each partition that has none. Those of the first call
// begin where the settings say, later ones at their beginning.
func (r *readers) spread(ctx context.Context, first bool) error {
	var partitions []int
	err := r.retry(ctx, "look for partitions", func() (err error) {
		partitions, err = r.partitions(ctx)
		return err
	})
	if err != nil {
		return err
	}
	starts := map[int]int64{}
	if first && r.cfg.From == End {
		err := r.retry(ctx, "look for the end", func() (err error) {
			starts, err = r.ends(ctx, partitions)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, p := range partitions {
		if r.known[p] {
			continue
		}
		r.known[p] = true
		offset, given := r.cfg.Offsets[p]
		if !first || !given {
			offset = starts[p]
		}
		r.wait.Go(func() {
			if err := r.read(ctx, p, offset); err != nil {
				r.stop(err)
			}
		})
	}
	return nil
}

func (r *readers) hand(ctx context.Context, records []Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range records {
		if ctx.Err() != nil {
			return nil
		}
		if err := r.take(rec); err != nil {
			return err
		}
	}
	return nil
}

func or[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}
