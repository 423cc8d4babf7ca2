package redis

import (
	"context"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
)

// Due implements engine.Store, in two round trips: which places have accounts that are
// due, and which accounts. Places where nothing is due any more take a third. Of one
// instant, accounts come in the order of their bytes.
func (s *Store) Due(ctx context.Context, shards []int, upTo int64, limit int) ([]engine.DueList, error) {
	if err := s.upToDate(ctx); err != nil {
		return nil, err
	}
	looks, err := s.lookAtPlaces(ctx, shards, upTo, max(limit, 1))
	if err != nil {
		return nil, err
	}
	out, passed := make([]engine.DueList, len(shards)), make([][]place, len(shards))
	for i := range looks {
		out[i] = looks[i].list(limit)
		// Where somebody is listed, what is noted will be wrong again in a moment.
		passed[i] = looks[i].passed(out[i].Next)
	}
	return out, s.settle(ctx, shards, passed)
}

// dueSpare is how many accounts of a place are read at least: where many are due, those
// of a few places would not do, and all of them would be far too many.
const dueSpare = 8

// dueTogether is after how many commands the server may do something else.
const dueTogether = 1024

// lookAtPlaces reads the first accounts of the places where some may be due, at most limit places of each shard.
func (s *Store) lookAtPlaces(ctx context.Context, shards []int, upTo int64, limit int) ([]look, error) {
	out, err := s.firstPlaces(ctx, shards, upTo, limit)
	if err != nil {
		return nil, err
	}
	until := strconv.FormatInt(upTo, 10)
	behind := "(" + until
	return out, s.inTurns(ctx, out, func(b *bundle, i int) { out[i].ask(b, &s.keys.shards[shards[i]], &until, &behind) }, (*look).read)
}

// inTurns asks about each look and has it read the answers. Questions go together, so many
// that they do not hold up others.
func (s *Store) inTurns(ctx context.Context, looks []look, ask func(b *bundle, i int), read func(*look, *answers) error) error {
	b := s.lend()
	defer s.giveBack(b)
	for next := 0; next < len(looks); {
		b.free()
		from := next
		for ; next < len(looks) && len(b.cmds) < dueTogether; next++ {
			ask(b, next)
		}
		r, err := s.ask(ctx, "read due accounts", b)
		for i := from; i < next && err == nil; i++ {
			err = read(&looks[i], &r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// firstPlaces are the places of each shard where some may be due, the first by what is noted of them.
func (s *Store) firstPlaces(ctx context.Context, shards []int, upTo int64, limit int) ([]look, error) {
	b := s.lend()
	defer s.giveBack(b)
	last := strconv.Itoa(limit)
	for _, shard := range shards {
		if _, err := s.shard(shard); err != nil {
			return nil, err
		}
		b.add("ZRANGE", &s.keys.shards[shard].next, "0", &last, "WITHSCORES")
	}
	r, err := s.ask(ctx, "read due places", b)
	if err != nil {
		return nil, err
	}
	out := make([]look, len(shards))
	var all []dated
	var tiers tierNames
	for i := range out {
		from := len(all)
		if all, err = r.dated(all, &tiers); err != nil {
			return nil, fmt.Errorf("read due places of %s: %w", s.keys.shards[shards[i]].next, err)
		}
		out[i].choose(all[from:], upTo, limit)
	}
	return out, nil
}

// settle notes the true earliest instants of places, by index of the shard.
func (s *Store) settle(ctx context.Context, shards []int, passed [][]place) error {
	return s.pipe(ctx, "settle due places", func(p goredis.Pipeliner) {
		for i, some := range passed {
			if len(some) == 0 {
				continue
			}
			k := &s.keys.shards[shards[i]]
			keys, names := make([]string, len(some)), make([]string, len(some))
			args := make([]any, 0, 4+2*len(some))
			args = append(args, "EVALSHA", &s.scripts.settle.sha, 1+len(some), &k.next)
			for n, at := range some {
				keys[n], names[n] = k.named(at)
				args = append(args, &keys[n])
			}
			for n := range names {
				args = append(args, &names[n])
			}
			_ = p.Process(ctx, goredis.NewCmd(ctx, args...)) // it cannot fail
		}
	})
}

// NextDue implements engine.Store, in two round trips, and more where instants have passed
// at which nothing is due any more. It notes nothing.
func (s *Store) NextDue(ctx context.Context, shards []int) ([]int64, error) {
	if err := s.upToDate(ctx); err != nil {
		return nil, err
	}
	out, index := make([]int64, len(shards)), make(map[int]int, len(shards))
	for i, shard := range shards {
		index[shard] = i
	}
	for ask := 1; len(shards) > 0; ask *= 4 {
		looks, err := s.firstPlaces(ctx, shards, engine.NoDue, ask)
		if err == nil {
			err = s.inTurns(ctx, looks, func(b *bundle, i int) { looks[i].askFirst(b, &s.keys.shards[shards[i]]) }, (*look).readFirst)
		}
		if err != nil {
			return nil, err
		}
		var again []int
		for i := range looks {
			first := looks[i].first()
			if out[index[shards[i]]] = first; first > looks[i].left {
				again = append(again, shards[i])
			}
		}
		shards = again
	}
	return out, nil
}

func parsePositions(fields map[string]string) (map[engine.Partition]int64, error) {
	out := make(map[engine.Partition]int64, len(fields))
	for field, value := range fields {
		partition, err := parsePartition(field)
		if err != nil {
			return nil, err
		}
		if out[partition], err = strconv.ParseInt(value, 10, 64); err != nil {
			return nil, fmt.Errorf("position of %s: %q is not an offset", field, value)
		}
	}
	return out, nil
}
