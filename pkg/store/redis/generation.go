package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Generations are the states that a namespace holds beside each other: one that
// is live, and at most one that is being built from the log to replace it.
type Generations struct {
	Live int  // from 1
	Next int  // 0: none is being built
	Held bool // a switch is under way: nobody may serve
}

// Generation is the number of the generation that this Store reads and writes.
func (s *Store) Generation() int { return s.keys.generation }

// Generations tells what the namespace holds now.
func (s *Store) Generations(ctx context.Context) (Generations, error) {
	_, g, err := s.generations(ctx, "read", "", 0)
	return g, err
}

// BeginGeneration notes that another generation is being built, or goes on with
// the one that was begun earlier.
func (s *Store) BeginGeneration(ctx context.Context) (Generations, error) {
	_, g, err := s.generations(ctx, "begin", "", 0)
	return g, err
}

// HoldSwitch takes the right to switch for owner, or renews it; false: another has
// it. While it is held nobody serves. Without renewal it ends after ttl.
func (s *Store) HoldSwitch(ctx context.Context, owner string, ttl time.Duration) (bool, error) {
	done, _, err := s.generations(ctx, "hold", owner, int(ttl.Milliseconds()))
	return done, err
}

// ReleaseSwitch gives the right to switch back, if owner still has it.
func (s *Store) ReleaseSwitch(ctx context.Context, owner string) error {
	_, _, err := s.generations(ctx, "release", owner, 0)
	return err
}

// Switch makes the generation that was built the live one. It reports false, and
// changes nothing, if owner lost the right to, or it is no longer what is built.
func (s *Store) Switch(ctx context.Context, owner string, next int) (bool, error) {
	done, g, err := s.generations(ctx, "flip", owner, next)
	// Repeated after a lost answer it finds itself done.
	return done || err == nil && g.Live == next, err
}

func (s *Store) generations(ctx context.Context, operation, owner string, value int) (done bool, g Generations, err error) {
	var held []any
	err = s.try(ctx, operation+" generation", func() (err error) {
		held, err = s.client.EvalSha(ctx, s.scripts.generation.sha, []string{s.keys.generations(), s.keys.hold()}, operation, owner, value).Slice()
		return err
	})
	if err != nil {
		return false, g, err
	}
	if len(held) != 4 {
		return false, g, unexpected(fmt.Sprint(held))
	}
	live, _ := held[1].(string)
	next, _ := held[2].(string)
	if g.Live, err = strconv.Atoi(live); err == nil {
		g.Next, err = strconv.Atoi(next)
	}
	if err != nil {
		return false, g, fmt.Errorf("%s: live %q and next %q are not both numbers", s.keys.generations(), live, next)
	}
	g.Held = held[3] == int64(1)
	return held[0] == int64(1), g, nil
}

// DropGeneration removes a generation and all it holds. The live one is refused,
// and so is the one being built while a switch to it is under way. Done again, it
// goes on where it stopped.
func (s *Store) DropGeneration(ctx context.Context, generation int) error {
	_, g, err := s.generations(ctx, "forget", "", generation)
	switch {
	case err != nil:
		return err
	case generation == g.Live:
		return fmt.Errorf("drop generation %d: it is the live one", generation)
	case generation == g.Next:
		return fmt.Errorf("drop generation %d: a switch to it is under way", generation)
	}
	shards, err := s.shardsOf(ctx, generation)
	if err != nil {
		return err
	}
	k := newKeys(s.cfg.Namespace, generation, shards)
	for i := range k.shards {
		if err := s.dropShard(ctx, &k.shards[i]); err != nil {
			return fmt.Errorf("drop shard %d of generation %d: %w", i, generation, err)
		}
	}
	return s.try(ctx, "drop generation", func() error {
		var faults []error
		// The record last: while it is there, the rest can be found. One by one, as
		// they lie in different slots.
		for _, key := range []string{k.names(), k.models(), k.watermarks(), k.meta()} {
			faults = append(faults, s.client.Unlink(ctx, key).Err())
		}
		return errors.Join(faults...)
	})
}

// Exists reports whether the namespace holds this generation.
func (s *Store) Exists(ctx context.Context, generation int) (bool, error) {
	shards, err := s.shardsOf(ctx, generation)
	return shards > 0, err
}

// shardsOf is how many shards a generation was made with, 0 where there is none.
func (s *Store) shardsOf(ctx context.Context, generation int) (shards int, err error) {
	k := newKeys(s.cfg.Namespace, generation, 0)
	err = s.try(ctx, "read the namespace", func() (err error) {
		shards, err = s.client.HGet(ctx, k.meta(), "shards").Int()
		if errors.Is(err, goredis.Nil) {
			return nil
		}
		return err
	})
	return shards, err
}

func (s *Store) dropShard(ctx context.Context, k *shardKeys) error {
	var tiers []string
	err := s.try(ctx, "read tiers", func() (err error) {
		tiers, err = s.client.SMembers(ctx, k.tiers).Result()
		return err
	})
	if err != nil {
		return err
	}
	names := []string{k.token, k.marks, k.positions, k.accounts, k.profiles, k.next, k.outbox, k.lease, k.aliases, k.oldDue()}
	now := period(time.Now())
	names = append(names, k.users(now), k.users(now-1))
	for _, tier := range append(tiers, "") {
		names = append(names, k.oldTier(tier))
		names = append(names, k.eachPlace(tier)...)
	}
	return s.try(ctx, "drop shard", func() error { return s.client.Unlink(ctx, append(names, k.tiers)...).Err() })
}

// DropOutbox removes all that waits in the outboxes. Nothing of it may ever have
// been meant for subscribers.
func (s *Store) DropOutbox(ctx context.Context) error {
	return s.pipe(ctx, "drop outbox", func(p goredis.Pipeliner) {
		for _, k := range s.keys.shards {
			p.Unlink(ctx, k.outbox)
		}
	})
}
