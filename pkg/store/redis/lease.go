package redis

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Acquire takes the named lease for owner, or renews it; false: another has it.
// Without renewal it ends after ttl. A lease saves double work and is no fence:
// what must not happen twice is guarded by versions and positions.
func (s *Store) Acquire(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	got, err := s.acquire(ctx, []string{s.keys.lease(name)}, owner, ttl)
	if err != nil {
		return false, err
	}
	return got[0], nil
}

// Release gives the named lease back. It is no error if another has it by now.
func (s *Store) Release(ctx context.Context, name, owner string) error {
	return s.release(ctx, []string{s.keys.lease(name)}, owner)
}

// AcquireShards is Acquire for the leases of shards, in one round trip. The answers
// are in the order of shards.
func (s *Store) AcquireShards(ctx context.Context, shards []int, owner string, ttl time.Duration) ([]bool, error) {
	leases, err := s.shardLeases(shards)
	if err != nil {
		return nil, err
	}
	return s.acquire(ctx, leases, owner, ttl)
}

// ReleaseShards is Release for the leases of shards, in one round trip.
func (s *Store) ReleaseShards(ctx context.Context, shards []int, owner string) error {
	leases, err := s.shardLeases(shards)
	if err != nil {
		return err
	}
	return s.release(ctx, leases, owner)
}

func (s *Store) shardLeases(shards []int) ([]string, error) {
	leases := make([]string, len(shards))
	for i, shard := range shards {
		k, err := s.shard(shard)
		if err != nil {
			return nil, err
		}
		leases[i] = k.lease
	}
	return leases, nil
}

func (s *Store) acquire(ctx context.Context, leases []string, owner string, ttl time.Duration) ([]bool, error) {
	if ttl < time.Millisecond {
		return nil, fmt.Errorf("acquire leases: %s is less than a millisecond", ttl)
	}
	replies := make([]*goredis.Cmd, len(leases))
	err := s.pipe(ctx, "acquire leases", func(p goredis.Pipeliner) {
		for i, lease := range leases {
			replies[i] = p.EvalSha(ctx, s.scripts.acquire.sha, []string{lease}, owner, ttl.Milliseconds())
		}
	})
	if err != nil {
		return nil, err
	}
	got := make([]bool, len(leases))
	for i, reply := range replies {
		n, err := reply.Int()
		if err != nil {
			return nil, fmt.Errorf("acquire leases: %w", err)
		}
		got[i] = n == 1
	}
	return got, nil
}

func (s *Store) release(ctx context.Context, leases []string, owner string) error {
	return s.pipe(ctx, "release leases", func(p goredis.Pipeliner) {
		for _, lease := range leases {
			p.EvalSha(ctx, s.scripts.release.sha, []string{lease}, owner)
		}
	})
}
