package memory

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"tidemark/pkg/store"
)

// Outbox is as in store/redis.
func (s *Store) Outbox(ctx context.Context, shard int, after string, limit int) ([]store.Entry, error) {
	if err := s.lock(ctx, shard); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	var last uint64
	if after != "" {
		var err error
		if last, err = strconv.ParseUint(after, 10, 64); err != nil {
			return nil, store.ErrCursor
		}
	}
	var out []store.Entry
	for _, e := range s.space.shards[shard].outbox {
		if number, _ := strconv.ParseUint(e.ID, 10, 64); number > last && len(out) < limit {
			e.Value = slices.Clone(e.Value)
			out = append(out, e)
		}
	}
	return out, nil
}

// Trim is as in store/redis.
func (s *Store) Trim(ctx context.Context, shard int, ids []string) (removed int, err error) {
	if err := s.lock(ctx, shard); err != nil {
		return 0, err
	}
	defer s.space.mu.Unlock()
	sh := s.space.shards[shard]
	before := len(sh.outbox)
	sh.outbox = slices.DeleteFunc(sh.outbox, func(e store.Entry) bool { return slices.Contains(ids, e.ID) })
	return before - len(sh.outbox), nil
}

// OutboxDepth is as in store/redis.
func (s *Store) OutboxDepth(ctx context.Context) (int64, error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.space.mu.Unlock()
	var sum int64
	for _, sh := range s.space.shards {
		sum += int64(len(sh.outbox))
	}
	return sum, nil
}

// PendingShards is as in store/redis.
func (s *Store) PendingShards(ctx context.Context, shards []int) ([]int, error) {
	if err := s.lock(ctx, shards...); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	var out []int
	for _, n := range shards {
		if len(s.space.shards[n].outbox) > 0 {
			out = append(out, n)
		}
	}
	return out, nil
}

// Wake is as in store/redis.
func (s *Store) Wake(ctx context.Context, shard int) error {
	if err := s.lock(ctx, shard); err != nil {
		return err
	}
	defer s.space.mu.Unlock()
	for listener := range s.space.listeners {
		select {
		case listener <- shard:
		default:
		}
	}
	return nil
}

// Wakes is as in store/redis.
func (s *Store) Wakes(ctx context.Context) (<-chan int, func()) {
	out := make(chan int, s.Shards())
	s.space.mu.Lock()
	s.space.listeners[out] = struct{}{}
	s.space.mu.Unlock()
	end := sync.OnceFunc(func() {
		s.space.mu.Lock()
		defer s.space.mu.Unlock()
		delete(s.space.listeners, out)
		close(out) // under the lock: Wake sends under it
	})
	cancel := context.AfterFunc(ctx, end)
	return out, func() {
		cancel()
		end()
	}
}
