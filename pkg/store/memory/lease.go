package memory

import (
	"context"
	"strconv"
	"time"
)

// Acquire is as in store/redis.
func (s *Store) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	if err := s.lock(ctx); err != nil {
		return false, err
	}
	defer s.space.mu.Unlock()
	return s.space.acquire("name/"+name, owner, ttl), nil
}

// Release is as in store/redis.
func (s *Store) Release(ctx context.Context, name, owner string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.space.mu.Unlock()
	s.space.release("name/"+name, owner)
	return nil
}

// AcquireShards is as in store/redis.
func (s *Store) AcquireShards(ctx context.Context, shards []int, owner string, ttl time.Duration) ([]bool, error) {
	if err := s.lock(ctx, shards...); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	got := make([]bool, len(shards))
	for i, n := range shards {
		got[i] = s.space.acquire("shard/"+strconv.Itoa(n), owner, ttl)
	}
	return got, nil
}

// ReleaseShards is as in store/redis.
func (s *Store) ReleaseShards(ctx context.Context, shards []int, owner string) error {
	if err := s.lock(ctx, shards...); err != nil {
		return err
	}
	defer s.space.mu.Unlock()
	for _, n := range shards {
		s.space.release("shard/"+strconv.Itoa(n), owner)
	}
	return nil
}

func (s *space) acquire(name, owner string, ttl time.Duration) bool {
	now := time.Now()
	if held, found := s.leases[name]; found && held.owner != owner && now.Before(held.until) {
		return false
	}
	s.leases[name] = lease{owner, now.Add(ttl)}
	return true
}

func (s *space) release(name, owner string) {
	if s.leases[name].owner == owner {
		delete(s.leases, name)
	}
}
