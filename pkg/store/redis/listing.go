package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

// listingShards is how many shards a listing asks in one round trip: few trips
// where accounts are rare, little in vain where they are many.
const listingShards = 16

// AccountsByTier lists accounts of a tier, at most limit, by shard and then by
// name. It begins after cursor ("" at the start) and returns the cursor of the
// rest, "" at the end. An account that stays in the tier meanwhile is listed
// exactly once. A cursor that no listing gave out is store.ErrCursor.
func (s *Store) AccountsByTier(ctx context.Context, tier, cursor string, limit int) ([]string, string, error) {
	if limit <= 0 {
		return nil, "", fmt.Errorf("list tier %q: limit %d is not positive", tier, limit)
	}
	shard, after, err := store.ParseCursor(cursor, s.Shards())
	if err != nil {
		return nil, "", err
	}
	var out []string
	for shard < s.Shards() {
		last := min(shard+listingShards, s.Shards())
		found, err := s.listTier(ctx, tier, shard, last, after, limit-len(out))
		if err != nil {
			return nil, "", err
		}
		for _, accounts := range found {
			if room := limit - len(out); len(accounts) >= room {
				out = append(out, accounts[:room]...)
				return out, store.FormatCursor(shard, out[len(out)-1]), nil
			}
			out = append(out, accounts...)
			shard, after = shard+1, ""
		}
	}
	return out, "", nil
}

// listTier asks the shards from first to before last; after counts for the first.
func (s *Store) listTier(ctx context.Context, tier string, first, last int, after string, limit int) ([][]string, error) {
	replies := make([]*goredis.StringSliceCmd, last-first)
	err := s.pipe(ctx, "list tier", func(p goredis.Pipeliner) {
		start := "-"
		if after != "" {
			start = "(" + after
		}
		for i := range replies {
			replies[i] = p.ZRangeArgs(ctx, goredis.ZRangeArgs{
				Key: s.keys.shards[first+i].tier(tier), ByLex: true, Start: start, Stop: "+", Count: int64(limit),
			})
			start = "-"
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([][]string, len(replies))
	for i, reply := range replies {
		out[i] = reply.Val()
	}
	return out, nil
}

// Scan walks the accounts of a shard, about limit at a time, in no order. Begin
// with cursor 0; the walk is over when 0 comes back. An account that is stored
// all the while comes at least once, perhaps twice.
func (s *Store) Scan(ctx context.Context, shard int, cursor uint64, limit int) ([]engine.Record, uint64, error) {
	k, err := s.shard(shard)
	if err != nil {
		return nil, 0, err
	}
	var (
		found []string
		next  uint64
	)
	err = s.try(ctx, "scan accounts", func() (err error) {
		found, next, err = s.client.HScan(ctx, k.accounts, cursor, "", int64(max(limit, 1))).Result()
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	accounts, states := make([]string, 0, len(found)/2), make([]any, 0, len(found)/2)
	for i := 0; i+1 < len(found); i += 2 {
		accounts, states = append(accounts, found[i]), append(states, found[i+1])
	}
	if len(accounts) == 0 {
		return nil, next, nil
	}
	// The profiles are read later than the states: where one changed in between,
	// the version of the state is the old one and a commit on it meets a Conflict.
	var profiles []any
	err = s.try(ctx, "scan accounts", func() (err error) {
		profiles, err = s.client.HMGet(ctx, k.profiles, accounts...).Result()
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	out, err := records(accounts, states, profiles)
	return out, next, err
}
