package engine

import (
	"context"
	"time"

	"tidemark/pkg/failpoint"
)

// sweepBatch is how many due accounts of a shard one step takes: enough to be
// cheap, few enough not to hold up events.
const sweepBatch = 128

// sweepTime is how long a round sweeps: when very many accounts are due at once,
// events do not wait for all of them.
const sweepTime = 100 * time.Millisecond

// sweep advances the accounts of owned shards that are due at or before the
// watermark, until none is or the time is over. The next round goes on with the rest.
func (l *lane) sweep(ctx context.Context, watermark int64) error {
	for begun := time.Now(); ; {
		var due []*shard
		for _, n := range l.order {
			if s := l.shards[n]; s.due <= watermark && l.e.owns(n) {
				due = append(due, s)
			}
		}
		if len(due) == 0 {
			return nil
		}
		failpoint.Hit(failpoint.BeforeSweep)
		if err := l.lookUpDue(ctx, due, watermark); err != nil {
			return err
		}
		err := l.commitAll(ctx, due, func(ctx context.Context, s *shard) (*work, error) {
			return l.advance(ctx, s, watermark)
		})
		if err != nil {
			return err
		}
		l.shrink()
		if time.Since(begun) > sweepTime {
			return nil
		}
	}
}

// advance does what time alone did to the due accounts of a shard.
func (l *lane) advance(ctx context.Context, s *shard, watermark int64) (*work, error) {
	w := &work{shard: s, step: Step{Shard: s.number}}
	if s.sweeping == nil {
		if err := l.lookUpDue(ctx, []*shard{s}, watermark); err != nil {
			return nil, err
		}
	}
	entries, err := l.entries(ctx, s, s.sweeping)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		w.step.Moves = s.guards(l.e.ends)
	}
	t := &touched{}
	for _, e := range entries {
		if err := l.adopt(w, t, e); err != nil {
			return nil, err
		}
		out := l.e.model.Advance(e.account, watermark)
		t.add(e) // crossed or not: the due instant is armed anew
		if err := l.note(w, t, e, &out, 0); err != nil {
			return nil, err
		}
	}
	return w, l.writeAll(w, t, watermark)
}

// guards are moves to where the shard stands already: a store that was set back
// refuses them, before a seq could be given a second meaning. Only positions that
// this instance alone moves will do.
func (s *shard) guards(mine map[Partition]int64) []Move {
	var moves []Move
	for p := range mine {
		if at, ok := s.positions[p]; ok {
			moves = append(moves, Move{Partition: p, From: at, To: at})
		}
	}
	return moves
}

// lookUpDue finds out what is due of the shards, and when they are due next.
func (l *lane) lookUpDue(ctx context.Context, shards []*shard, watermark int64) error {
	numbers := make([]int, len(shards))
	for i, s := range shards {
		numbers[i] = s.number
	}
	return l.e.retry(ctx, "look up due accounts", func() error {
		lists, err := l.e.store.Due(ctx, numbers, watermark, sweepBatch)
		for i := range lists {
			s, list := shards[i], &lists[i]
			s.sweeping = make([]string, 0, len(list.Accounts))
			for _, d := range list.Accounts {
				s.sweeping = append(s.sweeping, d.Account)
			}
			if s.due = list.Next; len(list.Accounts) == sweepBatch {
				s.due = watermark // there may be more
			}
		}
		return err
	})
}
