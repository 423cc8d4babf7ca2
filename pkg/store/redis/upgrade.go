package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"
)

// Layout 1 had all due instants of a shard in one sorted set, and each tier's accounts in another.
const layoutOfPlaces = 2

func (k shardKeys) oldDue() string             { return k.prefix + "due" }
func (k shardKeys) oldTier(name string) string { return k.prefix + "tier:" + name }

// upgradeStep is how many accounts one script moves: no longer than a commit takes.
const upgradeStep = 500

// Upgrade brings what an older version stored to this version's layout, in portions, each
// of which is whole; begun again it goes on. Nobody of the older version may write any
// more: what it writes afterwards is found by the next Upgrade only.
func (s *Store) Upgrade(ctx context.Context) error {
	moved := 0
	for shard := range s.keys.shards {
		k := &s.keys.shards[shard]
		var tiers []string
		err := s.try(ctx, "upgrade: read tiers", func() (err error) {
			tiers, err = s.client.SMembers(ctx, k.tiers).Result()
			return err
		})
		if err != nil {
			return err
		}
		// Listings first: they take the due instants along, and the rest has no tier.
		for _, tier := range append(tiers, "") {
			n, err := s.upgrade(ctx, k, tier)
			if err != nil {
				return fmt.Errorf("upgrade shard %d: %w", shard, err)
			}
			moved += n
		}
	}
	if moved > 0 {
		s.log.Info().Int("accounts", moved).Msg("due instants and listings are in the new layout")
	}
	if s.current.Load() {
		return nil
	}
	err := s.try(ctx, "upgrade the namespace", func() error {
		return s.client.HSet(ctx, s.keys.meta(), "layout", layout).Err()
	})
	if err == nil {
		s.current.Store(true)
	}
	return err
}

// upgrade moves the accounts of one tier, "" for those that are due and in none.
func (s *Store) upgrade(ctx context.Context, k *shardKeys, tier string) (moved int, err error) {
	from := k.oldDue()
	if tier != "" {
		from = k.oldTier(tier)
	}
	for {
		var accounts []string
		err := s.try(ctx, "upgrade: read accounts", func() (err error) {
			accounts, err = s.client.ZRange(ctx, from, 0, upgradeStep-1).Result()
			return err
		})
		if err != nil || len(accounts) == 0 {
			return moved, err
		}
		keys, at := []string{from, k.oldDue(), k.next}, map[place]string{}
		args := make([]any, 0, 3*len(accounts))
		for _, account := range accounts {
			p := placeOf(tier, account)
			if at[p] == "" {
				keys = append(keys, k.in(p))
				at[p] = strconv.Itoa(len(keys))
			}
			args = append(args, at[p], p.member(), account)
		}
		err = s.try(ctx, "upgrade: move accounts", func() error {
			return s.client.EvalSha(ctx, s.scripts.places.sha, keys, args...).Err()
		})
		if err != nil {
			return moved, err
		}
		moved += len(accounts)
	}
}

// upToDate refuses to work on what Upgrade was not called for yet.
func (s *Store) upToDate(ctx context.Context) error {
	if s.current.Load() {
		return nil
	}
	var found int
	err := s.try(ctx, "read the namespace", func() (err error) {
		found, err = s.client.HGet(ctx, s.keys.meta(), "layout").Int()
		if errors.Is(err, goredis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if found < layoutOfPlaces {
		return refused(fmt.Errorf("namespace %q has layout %d: `tidemark serve` of this version brings it to layout %d as it starts; "+
			"stop all instances of the older version first", s.cfg.Namespace, found, layout))
	}
	s.current.Store(true)
	return nil
}
