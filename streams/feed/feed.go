// Package feed brings the records of a topic to a follow.Follower, in batches, and
// reads the topics for it where it begins or catches up. It is the Kafka edge of
// Tidemark's own subscribers: webhooks and audiences.
//
// It promises what streams/tail does, keeps no position of its own, and reads ahead of
// the subscriber by a bounded number of records. The API is internal to Tidemark and may
// change.
package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"tidemark/pkg/follow"
	"tidemark/streams/conn"
	"tidemark/streams/tail"
)

// Config says what to read. Transport and Topic are needed.
type Config struct {
	// Transport must follow the topics. Whoever made it closes it.
	Transport *conn.Transport
	Topic     string
	// Compacted is the topic with the latest event of each key; empty: there is none,
	// and nothing is caught up.
	Compacted string
	// MaxWait is how long a broker may hold an empty answer; 0: tail's default.
	MaxWait time.Duration
}

// Feed reads a topic for one subscriber.
type Feed struct {
	cfg       Config
	log       zerolog.Logger
	whole     *tail.Follower // of the topic, for its ends
	compacted *tail.Follower // nil where there is none
}

// New makes a Feed. It starts nothing.
func New(c Config, log zerolog.Logger) (*Feed, error) {
	whole, err := tail.New(tail.Config{Transport: c.Transport, Topic: c.Topic}, log)
	if err != nil {
		return nil, err
	}
	f := &Feed{cfg: c, log: log, whole: whole}
	if c.Compacted != "" {
		f.compacted, err = tail.New(tail.Config{Transport: c.Transport, Topic: c.Compacted}, log)
	}
	return f, err
}

// Spans implements follow.Log.
func (f *Feed) Spans(ctx context.Context) (map[int]follow.Span, error) {
	spans, err := f.whole.Spans(ctx)
	out := make(map[int]follow.Span, len(spans))
	for p, s := range spans {
		out[p] = follow.Span{First: s[0], Next: s[1]}
	}
	return out, err
}

// Present implements follow.Log.
func (f *Feed) Present(ctx context.Context, use func(value []byte) error) error {
	if f.compacted == nil {
		return nil
	}
	return each(ctx, f.compacted, use)
}

// Between calls use with every record of the topic that was published from one instant up
// to before another, Unix milliseconds.
func (f *Feed) Between(ctx context.Context, from, until int64, use func(value []byte) error) error {
	return f.whole.All(ctx, nil, func(r tail.Record) error {
		if r.Time < from || r.Time >= until || r.Value == nil {
			return nil
		}
		return use(r.Value)
	})
}

func each(ctx context.Context, t *tail.Follower, use func([]byte) error) error {
	return t.All(ctx, nil, func(r tail.Record) error {
		if r.Value == nil { // a tombstone
			return nil
		}
		return use(r.Value)
	})
}

// The most records that are handed on together, and that are read ahead.
const batch, ahead = 500, 1000

// Run begins where the subscriber stands and hands on records until ctx ends or the
// subscriber returns an error. A clean stop returns nil. Run may be called again.
func (f *Feed) Run(ctx context.Context, to *follow.Follower) error {
	offsets, err := to.Begin(ctx)
	if err != nil {
		return ended(ctx, fmt.Errorf("begin to follow %s: %w", f.cfg.Topic, err))
	}
	reader, err := tail.New(tail.Config{Transport: f.cfg.Transport, Topic: f.cfg.Topic, Offsets: offsets, MaxWait: f.cfg.MaxWait}, f.log)
	if err != nil {
		return err
	}
	f.log.Info().Str("topic", f.cfg.Topic).Msg("following")
	group, work := errgroup.WithContext(ctx)
	records := make(chan follow.Record, ahead)
	group.Go(func() error {
		return reader.Run(work, func(r tail.Record) error {
			select {
			case records <- follow.Record{Partition: r.Partition, Offset: r.Offset, Value: r.Value}:
			case <-work.Done():
			}
			return nil
		})
	})
	group.Go(func() error {
		for {
			waiting := gather(work, records)
			if len(waiting) == 0 {
				return nil
			}
			if err := to.Take(work, waiting); err != nil {
				return fmt.Errorf("follow %s: %w", f.cfg.Topic, err)
			}
		}
	})
	return ended(ctx, group.Wait())
}

// gather waits for a record and takes what waits behind it; nothing once ctx ends.
func gather(ctx context.Context, records <-chan follow.Record) []follow.Record {
	var out []follow.Record
	select {
	case r := <-records:
		out = append(out, r)
	case <-ctx.Done():
		return nil
	}
	for len(out) < batch {
		select {
		case r := <-records:
			out = append(out, r)
		default:
			return out
		}
	}
	return out
}

// ended leaves out what the end of ctx brings about.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		return nil
	}
	return err
}
