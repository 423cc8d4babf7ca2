package redis

import (
	"context"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
)

// Due implements engine.Store, in one round trip. Of one instant, accounts come in
// the order of their bytes.
func (s *Store) Due(ctx context.Context, shards []int, upTo int64, limit int) ([]engine.DueList, error) {
	for _, shard := range shards {
		if _, err := s.shard(shard); err != nil {
			return nil, err
		}
	}
	found, next := make([]*goredis.ZSliceCmd, len(shards)), make([]*goredis.ZSliceCmd, len(shards))
	bound := strconv.FormatInt(upTo, 10)
	err := s.pipe(ctx, "read due accounts", func(p goredis.Pipeliner) {
		for i, shard := range shards {
			key := s.keys.shards[shard].due
			found[i] = p.ZRangeArgsWithScores(ctx, goredis.ZRangeArgs{Key: key, ByScore: true, Start: "-inf", Stop: bound, Count: int64(max(limit, 1))})
			next[i] = p.ZRangeArgsWithScores(ctx, goredis.ZRangeArgs{Key: key, ByScore: true, Start: "(" + bound, Stop: "+inf", Count: 1})
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]engine.DueList, len(shards))
	for i := range out {
		out[i].Next = firstDue(next[i].Val())
		accounts := found[i].Val()
		for _, z := range accounts[:min(len(accounts), max(limit, 0))] {
			account, _ := z.Member.(string)
			out[i].Accounts = append(out[i].Accounts, engine.Due{Account: account, At: int64(z.Score)})
		}
	}
	return out, nil
}

func firstDue(found []goredis.Z) int64 {
	if len(found) == 0 {
		return engine.NoDue
	}
	return int64(found[0].Score)
}

// NextDue implements engine.Store, in one round trip.
func (s *Store) NextDue(ctx context.Context, shards []int) ([]int64, error) {
	replies := make([]*goredis.ZSliceCmd, len(shards))
	for _, shard := range shards {
		if _, err := s.shard(shard); err != nil {
			return nil, err
		}
	}
	err := s.pipe(ctx, "read next due instants", func(p goredis.Pipeliner) {
		for i, shard := range shards {
			replies[i] = p.ZRangeWithScores(ctx, s.keys.shards[shard].due, 0, 0)
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(shards))
	for i, reply := range replies {
		out[i] = firstDue(reply.Val())
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
