package redis

import (
	"context"
	"slices"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/store"
)

// Outbox returns at most limit entries of the shard's outbox in order, those after
// the entry with the given ID; "" begins at the oldest.
func (s *Store) Outbox(ctx context.Context, shard int, after string, limit int) ([]store.Entry, error) {
	k, err := s.shard(shard)
	if err != nil || limit <= 0 {
		return nil, err
	}
	var found *goredis.XMessageSliceCmd
	err = s.try(ctx, "read outbox", func() error {
		return s.relayed.take(ctx, func(p goredis.Pipeliner) { found = p.XRangeN(ctx, k.outbox, behind(after), "+", int64(limit)) })
	})
	if err != nil {
		return nil, err
	}
	return entriesOf(found.Val()), nil
}

// behind is where a stream is read from behind an entry; "" is its oldest.
func behind(after string) string {
	if after == "" {
		return "-"
	}
	return "(" + after
}

func entriesOf(found []goredis.XMessage) []store.Entry {
	out := make([]store.Entry, len(found))
	for i, m := range found {
		account, _ := m.Values["a"].(string)
		value, _ := m.Values["v"].(string)
		text, _ := m.Values["t"].(string)
		appended, _ := strconv.ParseInt(text, 10, 64) // 0 where there is none
		trace, _ := m.Values["w"].(string)
		out[i] = store.Entry{ID: m.ID, Account: account, Value: []byte(value), Appended: appended, Trace: trace}
	}
	return out
}

// trimChunk keeps one command short.
const trimChunk = 1000

// Trim removes published entries and returns how many there were. IDs that are gone
// already are no error: by an earlier call whose answer was lost, or because the
// server was set back.
func (s *Store) Trim(ctx context.Context, shard int, ids []string) (removed int, err error) {
	if _, err := s.shard(shard); err != nil {
		return 0, err
	}
	outbox := &s.keys.shards[shard].outbox
	var replies []*goredis.IntCmd
	err = s.try(ctx, "trim outbox", func() error {
		return s.relayed.take(ctx, func(p goredis.Pipeliner) {
			replies = replies[:0]
			for some := range slices.Chunk(ids, trimChunk) {
				args := append(make([]any, 0, 2+len(some)), "XDEL", outbox)
				reply := goredis.NewIntCmd(ctx, pointers(args, some)...)
				replies = append(replies, reply)
				_ = p.Process(ctx, reply) // it cannot fail
			}
		})
	})
	for _, reply := range replies {
		removed += int(reply.Val())
	}
	return removed, err
}

// OutboxDepth is the number of entries in all outboxes, in one round trip.
func (s *Store) OutboxDepth(ctx context.Context) (int64, error) {
	shards := make([]int, s.Shards())
	for i := range shards {
		shards[i] = i
	}
	lengths, err := s.outboxLengths(ctx, shards)
	var sum int64
	for _, n := range lengths {
		sum += n
	}
	return sum, err
}

// PendingShards returns those of the shards whose outbox is not empty, in one round trip.
func (s *Store) PendingShards(ctx context.Context, shards []int) ([]int, error) {
	lengths, err := s.outboxLengths(ctx, shards)
	if err != nil {
		return nil, err
	}
	var out []int
	for i, n := range lengths {
		if n > 0 {
			out = append(out, shards[i])
		}
	}
	return out, nil
}

func (s *Store) outboxLengths(ctx context.Context, shards []int) ([]int64, error) {
	for _, shard := range shards {
		if _, err := s.shard(shard); err != nil {
			return nil, err
		}
	}
	replies := make([]*goredis.IntCmd, len(shards))
	err := s.pipe(ctx, "measure outboxes", func(p goredis.Pipeliner) {
		for i, shard := range shards {
			replies[i] = p.XLen(ctx, s.keys.shards[shard].outbox)
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(shards))
	for i, reply := range replies {
		out[i] = reply.Val()
	}
	return out, nil
}
