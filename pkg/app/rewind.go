package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/streams/codec"
	"tidemark/streams/tail"
)

// rewinds brings the states back in line with what was published after Redis was
// set back, by a failover or a lost second of its file.
type rewinds struct {
	engine *engine.Engine
	tiers  *tail.Follower // of account-tiers
	topic  string
	log    zerolog.Logger
	count  prometheus.Counter
}

func newRewinds(e *engine.Engine, tiers *tail.Follower, topic string, r prometheus.Registerer, log zerolog.Logger) *rewinds {
	count := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tidemark_rewinds_total", Help: "Times that Redis was found set back; its log was read again from there.",
	})
	r.MustRegister(count)
	return &rewinds{engine: e, tiers: tiers, topic: topic, log: log, count: count}
}

// again is how many records will be read a second time: the store stands behind
// what the group committed, and that is committed only after the store.
func again(from, committed map[engine.Partition]int64) (records int64) {
	for p, at := range from {
		records += max(committed[p]-at, 0)
	}
	return records
}

// Published are the ends of account-tiers now, as positions for the engine.
func (w *rewinds) Published(ctx context.Context) (map[engine.Partition]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ends, err := w.tiers.Ends(ctx)
	out := make(map[engine.Partition]int64, len(ends))
	for p, end := range ends {
		out[w.partition(p)] = end
	}
	return out, err
}

func (w *rewinds) partition(p int) engine.Partition { return engine.Partition{Topic: w.topic, ID: p} }

// reconcileBatch is how many accounts are compared at a time.
const reconcileBatch = 5000

// Reconcile compares accounts with their latest published tier change, before
// anything new is published. It looks at what was published since the position
// that every shard still remembers: a shard that was set back remembers an earlier
// one. known says that Redis was set back, with so many records to read again.
func (w *rewinds) Reconcile(ctx context.Context, known bool, records int64) error {
	if known {
		w.told(records)
	}
	partitions, err := w.tiers.Partitions(ctx)
	if err != nil {
		return err
	}
	c := comparison{engine: w.engine, batch: map[string]engine.Published{}}
	for _, p := range partitions {
		err := eachPublished(ctx, w.tiers, p, w.engine.PublishedFrom(w.partition(p)), func(p *codec.Published, value []byte) error {
			return c.take(ctx, p, value)
		})
		if err != nil {
			return fmt.Errorf("reconcile with what was published: %w", err)
		}
	}
	if err := c.flush(ctx); err != nil {
		return fmt.Errorf("reconcile with what was published: %w", err)
	}
	if c.behind > 0 && !known {
		w.told(records)
	}
	if c.behind > 0 || known {
		w.log.Info().Int("accounts", c.accounts).Int("behind", c.behind).Msg("states agree with what was published")
	}
	return nil
}

func (w *rewinds) told(records int64) {
	w.count.Inc()
	w.log.Warn().Int64("records", records).
		Msg("redis was set back: the records since are read again; nothing is lost and nothing counts twice")
}

// comparison gathers published tier changes and compares them in batches.
type comparison struct {
	engine           *engine.Engine
	batch            map[string]engine.Published
	accounts, behind int
}

// tiersLog is account-tiers as it is read.
type tiersLog interface {
	Partitions(ctx context.Context) ([]int, error)
	Whole(ctx context.Context, partition int, from int64, use func(tail.Record) error) error
}

// eachPublished calls use with each tier change of a partition of account-tiers
// from an offset on, and with its bytes. A repeat of an earlier change may stand
// behind a later one.
func eachPublished(ctx context.Context, tiers tiersLog, partition int, from int64, use func(*codec.Published, []byte) error) error {
	return tiers.Whole(ctx, partition, from, func(r tail.Record) error {
		if r.Value == nil {
			return nil
		}
		p, err := codec.DecodePublished(r.Value)
		if err != nil {
			return fmt.Errorf("%s/%d at %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		return use(&p, r.Value)
	})
}

func (c *comparison) take(ctx context.Context, p *codec.Published, value []byte) error {
	if p.Seq > c.batch[p.Account].Seq {
		c.batch[p.Account] = engine.Published{Account: p.Account, Seq: p.Seq, To: p.To, At: p.At, Value: value}
	}
	if len(c.batch) < reconcileBatch {
		return nil
	}
	return c.flush(ctx)
}

func (c *comparison) flush(ctx context.Context) error {
	list := slices.Collect(maps.Values(c.batch))
	clear(c.batch)
	n, err := c.engine.Reconcile(ctx, list)
	c.accounts, c.behind = c.accounts+len(list), c.behind+n
	if err != nil {
		return hopeless{err} // the engine has repeated what can heal
	}
	return nil
}
