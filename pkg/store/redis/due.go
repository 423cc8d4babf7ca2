package redis

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
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
		out[i], passed[i] = looks[i].list(limit), looks[i].passed()
	}
	return out, s.settle(ctx, shards, passed)
}

// look is what is known of a shard's due accounts.
type look struct {
	places []dated
	found  []*goredis.ZSliceCmd // by place, the first accounts that are due
	later  []*goredis.ZSliceCmd // and the first that is not
	each   int                  // so many, and one more
	// left is an instant before which nothing is due of what was not read.
	left int64
}

// dated is a place and an instant before which nothing is due there.
type dated struct {
	place
	at int64
}

// dueSpare is how many accounts of a place are read at least: where many are due, those
// of a few places would not do, and all of them would be far too many.
const dueSpare = 8

// lookAtPlaces reads the first accounts of the places where some may be due, at most limit places of each shard.
func (s *Store) lookAtPlaces(ctx context.Context, shards []int, upTo int64, limit int) ([]look, error) {
	first, err := s.firstPlaces(ctx, shards, limit+1)
	if err != nil {
		return nil, err
	}
	out := make([]look, len(shards))
	for i, all := range first {
		n := slices.IndexFunc(all[:min(len(all), limit)], func(d dated) bool { return d.at > upTo })
		if n < 0 {
			n = min(len(all), limit)
		}
		out[i] = look{places: all[:n], left: engine.NoDue, each: max(dueSpare, 2*limit/max(n, 1))}
		if n < len(all) {
			out[i].left = all[n].at
		}
	}
	err = s.pipe(ctx, "read due accounts", func(p goredis.Pipeliner) {
		for i := range out {
			out[i].ask(ctx, p, s.keys.shards[shards[i]], strconv.FormatInt(upTo, 10))
		}
	})
	return out, err
}

// firstPlaces are the first places of each shard by what is noted of them.
func (s *Store) firstPlaces(ctx context.Context, shards []int, limit int) ([][]dated, error) {
	for _, shard := range shards {
		if _, err := s.shard(shard); err != nil {
			return nil, err
		}
	}
	replies := make([]*goredis.ZSliceCmd, len(shards))
	err := s.pipe(ctx, "read due places", func(p goredis.Pipeliner) {
		for i, shard := range shards {
			replies[i] = p.ZRangeWithScores(ctx, s.keys.shards[shard].next, 0, int64(limit-1))
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([][]dated, len(shards))
	for i, reply := range replies {
		for _, z := range reply.Val() {
			name, _ := z.Member.(string)
			p, err := parsePlace(name)
			if err != nil {
				return nil, fmt.Errorf("read due places of %s: %w", s.keys.shards[shards[i]].next, err)
			}
			out[i] = append(out[i], dated{p, dueOf(z)})
		}
	}
	return out, nil
}

func (l *look) ask(ctx context.Context, p goredis.Pipeliner, k shardKeys, upTo string) {
	l.found, l.later = make([]*goredis.ZSliceCmd, len(l.places)), make([]*goredis.ZSliceCmd, len(l.places))
	for i, d := range l.places {
		key := k.in(d.place)
		l.found[i] = p.ZRangeArgsWithScores(ctx, goredis.ZRangeArgs{Key: key, ByScore: true, Start: "-inf", Stop: upTo, Count: int64(l.each + 1)})
		l.later[i] = p.ZRangeArgsWithScores(ctx, goredis.ZRangeArgs{Key: key, ByScore: true, Start: "(" + upTo, Stop: "+inf", Count: 1})
	}
}

// first is the earliest due instant of the i-th place.
func (l *look) first(i int) int64 {
	for _, reply := range []*goredis.ZSliceCmd{l.found[i], l.later[i]} {
		if found := reply.Val(); len(found) > 0 {
			return dueOf(found[0])
		}
	}
	return engine.NoDue
}

// passed are the places where nothing is due any more by the instant that is noted.
func (l *look) passed() (out []place) {
	for i, d := range l.places {
		if l.first(i) > d.at {
			out = append(out, d.place)
		}
	}
	return out
}

// list is what is due by upTo, as far as it is sure that nothing of what was not read is earlier.
func (l *look) list(limit int) engine.DueList {
	var due []engine.Due
	left := l.left
	for i, found := range l.found {
		for n, z := range found.Val() {
			at := dueOf(z)
			if n == l.each {
				left = min(left, at)
				break
			}
			account, _ := z.Member.(string)
			due = append(due, engine.Due{Account: account, At: at, Tier: l.places[i].tier})
		}
		for _, z := range l.later[i].Val() {
			left = min(left, dueOf(z))
		}
	}
	slices.SortFunc(due, func(a, b engine.Due) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Account, b.Account)) })
	for n, d := range due {
		if n == max(limit, 0) || d.At > left {
			return engine.DueList{Accounts: due[:n], Next: min(left, d.At)}
		}
	}
	return engine.DueList{Accounts: due, Next: left}
}

// dueOf is the instant of a member, NoDue where it is infinite.
func dueOf(z goredis.Z) int64 {
	if math.IsInf(z.Score, 1) {
		return engine.NoDue
	}
	return int64(z.Score)
}

// settle notes the true earliest instants of places, by index of the shard.
func (s *Store) settle(ctx context.Context, shards []int, passed [][]place) error {
	return s.pipe(ctx, "settle due places", func(p goredis.Pipeliner) {
		for i, some := range passed {
			if len(some) == 0 {
				continue
			}
			k := s.keys.shards[shards[i]]
			keys, names := []string{k.next}, make([]any, len(some))
			for n, at := range some {
				keys, names[n] = append(keys, k.in(at)), at.member()
			}
			p.EvalSha(ctx, s.scripts.settle.sha, keys, names...)
		}
	})
}

// NextDue implements engine.Store, in two round trips, and more where instants have passed
// at which nothing is due any more.
func (s *Store) NextDue(ctx context.Context, shards []int) ([]int64, error) {
	if err := s.upToDate(ctx); err != nil {
		return nil, err
	}
	out, index := make([]int64, len(shards)), make(map[int]int, len(shards))
	for i, shard := range shards {
		out[i], index[shard] = engine.NoDue, i
	}
	for ask := 1; len(shards) > 0; ask = min(4*ask, places) {
		looks, err := s.lookAtPlaces(ctx, shards, engine.NoDue, ask)
		if err != nil {
			return nil, err
		}
		var again []int
		var passed [][]place
		for i := range looks {
			l := &looks[i]
			if len(l.places) > 0 && l.first(0) > l.places[0].at {
				again, passed = append(again, shards[i]), append(passed, l.passed())
			} else if len(l.places) > 0 {
				out[index[shards[i]]] = l.places[0].at
			}
		}
		if err := s.settle(ctx, again, passed); err != nil {
			return nil, err
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
