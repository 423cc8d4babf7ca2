package redis

import (
	"context"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
)

// Due implements engine.Store. Of one instant, accounts come in the order of their bytes.
func (s *Store) Due(ctx context.Context, shard int, upTo int64, limit int) ([]engine.Due, error) {
	k, err := s.shard(shard)
	if err != nil || limit <= 0 {
		return nil, err
	}
	var found []goredis.Z
	err = s.try(ctx, "read due accounts", func() (err error) {
		found, err = s.client.ZRangeArgsWithScores(ctx, goredis.ZRangeArgs{
			Key: k.due, ByScore: true, Start: "-inf", Stop: strconv.FormatInt(upTo, 10), Count: int64(limit),
		}).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]engine.Due, len(found))
	for i, z := range found {
		account, _ := z.Member.(string)
		out[i] = engine.Due{Account: account, At: int64(z.Score)}
	}
	return out, nil
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
		out[i] = engine.NoDue
		if first := reply.Val(); len(first) > 0 {
			out[i] = int64(first[0].Score)
		}
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
