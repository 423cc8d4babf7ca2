package redis

import (
	"context"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

// A listing asks for few places first, and for more with every round trip: few are read in
// vain where accounts are many, and few trips are made where they are rare.
const (
	firstListed = 16
	mostListed  = 2048
)

// AccountsByTier lists accounts of a tier, at most limit, by shard, place and name. It
// begins after cursor ("" at the start) and returns the cursor of the rest, "" at the
// end. An account that stays in the tier meanwhile is listed exactly once. A cursor that
// no listing gave out is store.ErrCursor.
func (s *Store) AccountsByTier(ctx context.Context, tier, cursor string, limit int) ([]string, string, error) {
	if limit <= 0 {
		return nil, "", fmt.Errorf("list tier %q: limit %d is not positive", tier, limit)
	}
	if err := s.upToDate(ctx); err != nil {
		return nil, "", err
	}
	shard, after, err := store.ParseCursor(cursor, s.Shards())
	if err != nil {
		return nil, "", err
	}
	at := shard * places // of all places of the tier, shard by shard
	if after != "" {
		at += placeOf(tier, after).bucket
	}
	var out []string
	for ask := firstListed; at < s.Shards()*places; ask = min(2*ask, mostListed) {
		last := min(at+ask, s.Shards()*places)
		found, err := s.listPlaces(ctx, tier, at, last)
		if err != nil {
			return nil, "", err
		}
		for _, accounts := range found {
			slices.Sort(accounts)
			rest, met := slices.BinarySearch(accounts, after)
			if met {
				rest++
			}
			accounts = accounts[rest:]
			if room := limit - len(out); len(accounts) >= room {
				out = append(out, accounts[:room]...)
				return out, store.FormatCursor(at/places, out[len(out)-1]), nil
			}
			out = append(out, accounts...)
			at, after = at+1, ""
		}
	}
	return out, "", nil
}

// listPlaces reads the places of a tier from first to before last, counted over all shards.
func (s *Store) listPlaces(ctx context.Context, tier string, first, last int) ([][]string, error) {
	replies := make([]*goredis.StringSliceCmd, last-first)
	err := s.pipe(ctx, "list tier", func(p goredis.Pipeliner) {
		for i := range replies {
			n := first + i
			replies[i] = p.ZRange(ctx, s.keys.shards[n/places].in(place{tier, n % places}), 0, -1)
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
	out := make([]engine.Record, len(accounts))
	r := answers{spoken(spoken(nil, states, nil), profiles, nil)}
	return out, next, r.records(out, accounts)
}
