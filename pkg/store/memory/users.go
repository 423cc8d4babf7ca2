package memory

import (
	"bytes"
	"context"

	"tidemark/pkg/store"
)

// LoadUsers is as in store/redis, but that nothing goes by time.
func (s *Store) LoadUsers(ctx context.Context, users []uint64) ([][]byte, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	out := make([][]byte, len(users))
	for i, key := range users {
		out[i] = bytes.Clone(s.space.users[key])
	}
	return out, nil
}

// SwapUsers is as in store/redis.
func (s *Store) SwapUsers(ctx context.Context, swaps []store.UserSwap) (lost []int, err error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	for i, x := range swaps {
		switch held := s.space.users[x.Key]; {
		case bytes.Equal(held, x.Now):
		case !bytes.Equal(held, x.Was):
			lost = append(lost, i)
		case len(x.Now) == 0:
			delete(s.space.users, x.Key)
		default:
			s.space.users[x.Key] = bytes.Clone(x.Now)
		}
	}
	return lost, nil
}
