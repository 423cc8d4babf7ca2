package engine

import (
	"context"
	"fmt"
)

// reapBatch is how many accounts a Reap looks at.
const reapBatch = 500

// ReapCalls is about how many calls of Reap it takes to look at those of so many accounts
// that are in owned shards; at least one.
func (e *Engine) ReapCalls(accounts int64) int64 {
	shards, owned := int64(e.store.Shards()), int64(0)
	for shard := range e.store.Shards() {
		if e.owns(shard) {
			owned++
		}
	}
	return max(accounts/shards*owned/reapBatch+owned, 1)
}

// Reap looks at some accounts of the owned shards, and forgets those that are idle for
// too long: in the lowest tier nothing tells when, so that a quiet account costs no entry
// in the due index. Calls go on where the last one stopped; it returns false when all
// accounts were looked at, and begins anew with the next. Each engine begins with a shard of
// its own choice: one that never lives to the end looks at other accounts than the one
// before. No round may be processed meanwhile.
func (e *Engine) Reap(ctx context.Context, scan Scanner) (more bool, err error) {
	if e.watermark == UnknownWatermark {
		return true, nil
	}
	for ; e.reaping < e.store.Shards(); e.reaping++ {
		shard := (e.reapFrom + e.reaping) % e.store.Shards()
		if !e.owns(shard) {
			continue
		}
		l := e.laneOf(shard)
		e.cursor, err = l.reap(ctx, l.shards[shard], scan, e.cursor)
		if err != nil {
			return true, fmt.Errorf("forget idle accounts of shard %d: %w", shard, err)
		}
		if e.cursor == 0 {
			e.reaping++
		}
		break
	}
	if e.reaping < e.store.Shards() {
		return true, nil
	}
	e.reaping = 0
	return false, nil
}

func (l *lane) reap(ctx context.Context, s *shard, scan Scanner, cursor uint64) (next uint64, err error) {
	records, next, err := scan.Scan(ctx, s.number, cursor, reapBatch)
	if err != nil {
		return cursor, err
	}
	var idle, kept []string
	for _, r := range records {
		a, err := l.e.models.read(r)
		if err != nil {
			return cursor, err
		}
		if a != nil && l.e.model.Lapses(a, l.e.watermark) {
			idle = append(idle, r.Account)
		}
		if a != nil && l.e.keptTooLong(a) {
			kept = append(kept, r.Account)
		}
	}
	for _, account := range kept {
		if err := l.e.dropKept(ctx, account); err != nil {
			return cursor, err
		}
	}
	if len(idle) == 0 {
		return next, nil
	}
	s.sweeping, s.sweptIn = idle, nil // after a conflict, what is due: these are found again
	return next, l.commitAll(ctx, []*shard{s}, func(ctx context.Context, s *shard) (*work, error) {
		return l.advance(ctx, s, l.e.watermark, alone.batch)
	})
}
