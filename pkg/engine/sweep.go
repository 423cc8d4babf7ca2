package engine

import (
	"context"
	"time"

	"tidemark/pkg/failpoint"
)

// A haste says how much of what is due a lane takes at a time.
type haste struct {
	shards int           // that one turn takes, at most
	batch  int           // accounts of each: enough to be cheap, few enough not to hold up events
	time   time.Duration // after which the next turn is left to the next round
}

var (
	// alone is for when nothing else comes.
	alone = haste{shards: 1 << 30, batch: 128, time: 100 * time.Millisecond}
	// behind is for when what comes is old anyway: seldom, and then for a tenth of the time.
	behind = haste{shards: 1 << 30, batch: 256, time: backlogPause / 10}
	// beside is for when events come: those of the next round wait for it, and what they
	// lead to waits in the outboxes behind what it makes.
	beside = haste{shards: 2, batch: 32, time: 4 * time.Millisecond}
)

const (
	// backlogPause is how long sweeps are put off at most while there is a backlog of
	// events: accounts that have events need none, and one of many accounts costs less for
	// each.
	backlogPause = 4 * time.Second
	// relayPause is how long they are put off at most while much waits to be published.
	relayPause = 100 * time.Millisecond
	// mostUnpublished is how many tier changes may wait to be published when a sweep beside
	// events adds to them: about what the relay publishes at a time.
	mostUnpublished = 256
)

// runDue sweeps what is due by the end of the round.
func (l *lane) runDue(ctx context.Context, r *Round) error {
	how, pause := alone, time.Duration(0)
	switch {
	case r.Beside:
		how = beside
		if l.e.hooks.Unpublished != nil && l.e.hooks.Unpublished() > mostUnpublished {
			pause = relayPause
		}
	case r.Behind:
		how, pause = behind, backlogPause
	}
	if time.Since(l.swept) < pause {
		return nil
	}
	err := l.sweep(ctx, r.Watermark, how)
	l.swept = time.Now()
	return err
}

// sweep advances the accounts of owned shards that are due at or before the
// watermark, until none is or the time is over. The next round goes on with the rest.
func (l *lane) sweep(ctx context.Context, watermark int64, how haste) error {
	for begun := time.Now(); ; {
		due := l.overdue(watermark, how.shards)
		if len(due) == 0 {
			return nil
		}
		failpoint.Hit(failpoint.BeforeSweep)
		if err := l.lookUpDue(ctx, due, watermark, how.batch); err != nil {
			return err
		}
		err := l.commitAll(ctx, due, func(ctx context.Context, s *shard) (*work, error) {
			return l.advance(ctx, s, watermark, how.batch)
		})
		if err != nil {
			return err
		}
		l.shrink()
		if time.Since(begun) > how.time {
			return nil
		}
	}
}

// overdue are owned shards with accounts that are due, at most so many, taking turns.
func (l *lane) overdue(watermark int64, most int) (due []*shard) {
	for i := range l.order {
		at := (l.turn + i) % len(l.order)
		if s := l.shards[l.order[at]]; s.due <= watermark && l.e.owns(s.number) {
			if due = append(due, s); len(due) == most {
				l.turn = at + 1
				break
			}
		}
	}
	return due
}

// advance does what time alone did to the due accounts of a shard.
func (l *lane) advance(ctx context.Context, s *shard, watermark int64, batch int) (*work, error) {
	w := &work{shard: s, step: Step{Shard: s.number}}
	if s.sweeping == nil {
		if err := l.lookUpDue(ctx, []*shard{s}, watermark, batch); err != nil {
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
	for i, e := range entries {
		if s.sweptIn != nil {
			e.tier = s.sweptIn[i]
		}
		if err := l.adopt(w, t, e); err != nil {
			return nil, err
		}
		l.e.model.AdvanceTo(&l.out, e.account, watermark)
		t.add(e) // crossed or not: the due instant is armed anew
		if err := l.note(w, t, e, &l.out, 0); err != nil {
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

// lookUpDue finds out what is due of the shards, so many accounts of each, and when they
// are due next.
func (l *lane) lookUpDue(ctx context.Context, shards []*shard, watermark int64, batch int) error {
	numbers := make([]int, len(shards))
	for i, s := range shards {
		numbers[i] = s.number
	}
	return l.e.retry(ctx, "look up due accounts", func() error {
		lists, err := l.e.store.Due(ctx, numbers, watermark, batch)
		for i := range lists {
			s, list := shards[i], &lists[i]
			s.sweeping, s.sweptIn = make([]string, 0, len(list.Accounts)), make([]string, 0, len(list.Accounts))
			for _, d := range list.Accounts {
				s.sweeping, s.sweptIn = append(s.sweeping, d.Account), append(s.sweptIn, d.Tier)
			}
			s.due = list.Next
		}
		return err
	})
}
