package redis

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/store"
)

// userPeriod is how long a record of a user is kept at least after its last swap, and
// half of how long at most: what is swapped goes into the hash of the present period,
// and the hashes of this one and the one before are read. It is part of the stored layout.
const userPeriod = 400 * 24 * time.Hour

// userBatch is how many records one command takes, so that others need not wait long.
const userBatch = 500

// users is the hash of a shard's records of a period. A record lies in the shard of
// the remainder of its fingerprint.
func (k shardKeys) users(period int64) string {
	return k.prefix + "users:" + strconv.FormatInt(period, 10)
}

func period(at time.Time) int64 { return at.UnixMilli() / userPeriod.Milliseconds() }

// LoadUsers returns the records under fingerprints in the order asked, nil where
// there is none, in one round trip.
func (s *Store) LoadUsers(ctx context.Context, users []uint64) ([][]byte, error) {
	pieces := s.userPieces(len(users), func(i int) uint64 { return users[i] })
	now := period(time.Now())
	replies := make([][2]*goredis.SliceCmd, len(pieces))
	err := s.pipe(ctx, "load users", func(p goredis.Pipeliner) {
		for i, piece := range pieces {
			for back := range replies[i] {
				replies[i][back] = p.HMGet(ctx, s.keys.shards[piece.shard].users(now-int64(back)), piece.fields...)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(users))
	for i, piece := range pieces {
		for k, place := range piece.places {
			for _, reply := range replies[i] {
				if text, found := reply.Val()[k].(string); found {
					out[place] = []byte(text)
					break
				}
			}
		}
	}
	return out, nil
}

// SwapUsers replaces each record that is still what it was. It returns the places of
// those that were not, in order; a repeat of a swap that took effect is none of them.
func (s *Store) SwapUsers(ctx context.Context, swaps []store.UserSwap) ([]int, error) {
	pieces := s.userPieces(len(swaps), func(i int) uint64 { return swaps[i].Key })
	now := period(time.Now())
	replies := make([]*goredis.Cmd, len(pieces))
	err := s.pipe(ctx, "swap users", func(p goredis.Pipeliner) {
		for i, piece := range pieces {
			k := s.keys.shards[piece.shard]
			args := []any{2 * userPeriod.Milliseconds()}
			for n, place := range piece.places {
				args = append(args, piece.fields[n], swaps[place].Was, swaps[place].Now)
			}
			replies[i] = p.EvalSha(ctx, s.scripts.userSwap.sha, []string{k.users(now), k.users(now - 1)}, args...)
		}
	})
	if err != nil {
		return nil, err
	}
	var lost []int
	for i, piece := range pieces {
		places, err := replies[i].Int64Slice()
		if err != nil {
			return nil, fmt.Errorf("swap users: %w", err)
		}
		for _, n := range places {
			lost = append(lost, piece.places[n-1])
		}
	}
	slices.Sort(lost)
	return lost, nil
}

// userPiece are records of one shard that one command takes.
type userPiece struct {
	shard  int
	fields []string
	places []int // in what was asked for
}

// userPieces sorts records by their shards.
func (s *Store) userPieces(n int, key func(int) uint64) []*userPiece {
	var out []*userPiece
	open := map[int]*userPiece{}
	for i := range n {
		user := key(i)
		shard := int(user % uint64(s.Shards()))
		piece := open[shard]
		if piece == nil || len(piece.fields) >= userBatch {
			piece = &userPiece{shard: shard}
			open[shard] = piece
			out = append(out, piece)
		}
		piece.fields = append(piece.fields, string(binary.BigEndian.AppendUint64(nil, user)))
		piece.places = append(piece.places, i)
	}
	return out
}
