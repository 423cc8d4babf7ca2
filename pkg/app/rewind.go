package app

import (
	"context"
	"fmt"

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
	log    zerolog.Logger
	count  prometheus.Counter
}

func newRewinds(e *engine.Engine, tiers *tail.Follower, r prometheus.Registerer, log zerolog.Logger) *rewinds {
	count := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tidemark_rewinds_total", Help: "Times that Redis was found set back; its log was read again from there.",
	})
	r.MustRegister(count)
	return &rewinds{engine: e, tiers: tiers, log: log, count: count}
}

// again is how many records will be read a second time: the store stands behind
// what the group committed, and that is committed only after the store.
func again(from, committed map[engine.Partition]int64) (records int64) {
	for p, at := range from {
		records += max(committed[p]-at, 0)
	}
	return records
}

// reconcileBatch is how many accounts are compared at a time.
const reconcileBatch = 5000

// Reconcile compares every account with its latest published tier change, before
// anything new is published.
func (w *rewinds) Reconcile(ctx context.Context, records int64) error {
	w.count.Inc()
	w.log.Warn().Int64("records", records).
		Msg("redis was set back: the records since are read again; nothing is lost and nothing counts twice")
	accounts, behind := 0, 0
	batch := map[string]engine.Published{}
	flush := func() error {
		list := make([]engine.Published, 0, len(batch))
		for _, p := range batch {
			list = append(list, p)
		}
		clear(batch)
		n, err := w.engine.Reconcile(ctx, list)
		accounts, behind = accounts+len(list), behind+n
		return err
	}
	err := w.tiers.Whole(ctx, func(r tail.Record) error {
		if r.Value == nil {
			return nil
		}
		p, err := codec.DecodePublished(r.Value)
		if err != nil {
			return fmt.Errorf("account-tiers/%d at %d: %w", r.Partition, r.Offset, err)
		}
		// A repeat of an earlier change may stand behind a later one.
		if p.Seq > batch[p.Account].Seq {
			batch[p.Account] = engine.Published(p)
		}
		if len(batch) < reconcileBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return fmt.Errorf("reconcile with what was published: %w", err)
	}
	w.log.Info().Int("accounts", accounts).Int("behind", behind).Msg("states agree with what was published")
	return nil
}
