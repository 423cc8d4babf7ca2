package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

// AccountsByTier is as in store/redis.
func (s *Store) AccountsByTier(ctx context.Context, tier, cursor string, limit int) ([]string, string, error) {
	if limit <= 0 {
		return nil, "", fmt.Errorf("list tier %q: limit %d is not positive", tier, limit)
	}
	first, after, err := store.ParseCursor(cursor, s.Shards())
	if err != nil {
		return nil, "", err
	}
	if err := s.lock(ctx); err != nil {
		return nil, "", err
	}
	defer s.space.mu.Unlock()
	var out []string
	for n := first; n < s.Shards(); n++ {
		for _, account := range slices.Sorted(maps.Keys(s.space.shards[n].tiers[tier])) {
			if n == first && account <= after {
				continue
			}
			if out = append(out, account); len(out) == limit {
				return out, store.FormatCursor(n, account), nil
			}
		}
	}
	return out, "", nil
}

// Scan is as in store/redis; accounts come in the order in which they were first
// stored, and the cursor is the number of the last one.
func (s *Store) Scan(ctx context.Context, shard int, cursor uint64, limit int) ([]engine.Record, uint64, error) {
	if err := s.lock(ctx, shard); err != nil {
		return nil, 0, err
	}
	defer s.space.mu.Unlock()
	sh := s.space.shards[shard]
	accounts := slices.SortedFunc(maps.Keys(sh.numbers), func(a, b string) int {
		return cmp.Compare(sh.numbers[a], sh.numbers[b])
	})
	var out []engine.Record
	for _, account := range accounts {
		if sh.numbers[account] <= cursor {
			continue
		}
		if len(out) == max(limit, 1) {
			return out, sh.numbers[out[len(out)-1].Account], nil
		}
		out = append(out, clone(sh.records[account]))
	}
	return out, 0, nil
}
