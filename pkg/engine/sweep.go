package engine

import (
	"context"
	"fmt"
)

// sweepBatch is how many due accounts of a shard one step takes: enough to be
// cheap, few enough not to hold up events.
const sweepBatch = 500

// sweep advances the accounts of owned shards that are due at or before the
// watermark, until none is.
func (l *lane) sweep(ctx context.Context, watermark int64) error {
	for {
		var due []*shard
		for _, n := range l.order {
			if s := l.shards[n]; s.due <= watermark && l.e.owns(n) {
				due = append(due, s)
			}
		}
		if len(due) == 0 {
			return nil
		}
		err := l.commitAll(ctx, due, func(ctx context.Context, s *shard) (*work, error) {
			return l.advance(ctx, s, watermark)
		})
		if err != nil {
			return err
		}
		if err := l.refresh(ctx, due); err != nil {
			return err
		}
	}
}

// advance does what time alone did to the due accounts of a shard.
func (l *lane) advance(ctx context.Context, s *shard, watermark int64) (*work, error) {
	w := &work{shard: s, step: Step{Shard: s.number}}
	names, err := l.dueNames(ctx, s, watermark)
	if err != nil {
		return nil, err
	}
	if err := l.entries(ctx, s, names); err != nil {
		return nil, err
	}
	t := newTouched()
	for _, name := range names {
		out := l.e.model.Advance(s.accounts[name].account, watermark)
		t.add(name) // crossed or not: the due instant is armed anew
		if err := l.note(w, t, name, &out); err != nil {
			return nil, err
		}
	}
	return w, l.writeAll(w, t, true)
}

func (l *lane) dueNames(ctx context.Context, s *shard, watermark int64) ([]string, error) {
	for attempt := 0; ; attempt++ {
		due, err := l.e.store.Due(ctx, s.number, watermark, sweepBatch)
		if err == nil {
			names := make([]string, len(due))
			for i, d := range due {
				names[i] = d.Account
			}
			return names, nil
		}
		if hopeless(err) || !pause(ctx, attempt) {
			return nil, fmt.Errorf("due accounts of shard %d: %w", s.number, err)
		}
	}
}

// refresh looks up the earliest due instant of shards just swept.
func (l *lane) refresh(ctx context.Context, shards []*shard) error {
	numbers := make([]int, len(shards))
	for i, s := range shards {
		numbers[i] = s.number
	}
	for attempt := 0; ; attempt++ {
		due, err := l.e.store.NextDue(ctx, numbers)
		if err == nil {
			for i, s := range shards {
				s.due = due[i]
			}
			return nil
		}
		if hopeless(err) || !pause(ctx, attempt) {
			return fmt.Errorf("next due instants: %w", err)
		}
	}
}
