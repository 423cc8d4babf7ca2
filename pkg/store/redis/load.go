package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
)

// loadChunk keeps a command short, and a call of the script within what Lua can unpack.
const loadChunk = 1000

// Load implements engine.Store, in one round trip with others that load. State and
// profile of a record belong together: they are read at one moment.
func (s *Store) Load(ctx context.Context, shard int, accounts []string) ([]engine.Record, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	if _, err := s.shard(shard); err != nil {
		return nil, err
	}
	k := &s.keys.shards[shard]
	if _, single := s.client.(*goredis.Client); !single {
		return s.loadByScript(ctx, k, accounts)
	}
	out := make([]engine.Record, len(accounts))
	err := s.try(ctx, "load accounts", func() error {
		r, err := s.reads.take(ctx, func(b *bundle) { askForRecords(b, k, accounts) })
		rest := out
		for some := range slices.Chunk(accounts, loadChunk) {
			if err == nil {
				err = r.records(rest[:len(some)], some)
			}
			rest = rest[len(some):]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// askForRecords reads accounts in a transaction, at a quarter of what the script costs.
func askForRecords(b *bundle, k *shardKeys, accounts []string) {
	for some := range slices.Chunk(accounts, loadChunk) {
		for _, key := range []*string{&k.accounts, &k.profiles} {
			b.add("HMGET", key)
			for i := range some {
				b.also(&some[i])
			}
		}
	}
}

// loadByScript is Load where the nodes of a cluster are asked, each for itself.
func (s *Store) loadByScript(ctx context.Context, k *shardKeys, accounts []string) ([]engine.Record, error) {
	var replies []*goredis.Cmd
	err := s.try(ctx, "load accounts", func() error {
		return s.loads.take(ctx, func(p goredis.Pipeliner) {
			replies = replies[:0]
			for some := range slices.Chunk(accounts, loadChunk) {
				args := append(make([]any, 0, 5+len(some)), "EVALSHA", &s.scripts.accounts.sha, "2", &k.accounts, &k.profiles)
				reply := goredis.NewCmd(ctx, pointers(args, some)...)
				replies = append(replies, reply)
				_ = p.Process(ctx, reply) // it cannot fail
			}
		})
	})
	if err != nil {
		return nil, err
	}
	out := make([]engine.Record, len(accounts))
	for i, reply := range replies {
		r := answers{spoken(nil, reply.Val(), nil)}
		some := accounts[i*loadChunk : min((i+1)*loadChunk, len(accounts))]
		_, err := r.array()
		if err == nil {
			err = r.records(out[i*loadChunk:][:len(some)], some)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// recordsTogether is how many bytes of records share a piece of memory at most: it stays as
// long as any of them does.
const recordsTogether = 1 << 13

// records are those that the next two replies tell of: states, and profiles.
func (r *answers) records(out []engine.Record, accounts []string) error {
	var values []byte
	keep := func(text []byte) []byte {
		if len(text) > cap(values)-len(values) || values == nil {
			values = make([]byte, 0, max(len(text), min(len(r.rest), recordsTogether)))
		}
		from := len(values)
		values = append(values, text...)
		return values[from:len(values):len(values)]
	}
	for i, account := range accounts {
		out[i] = engine.Record{Account: account}
	}
	for _, profiles := range []bool{false, true} {
		if n, err := r.array(); err != nil || n != len(accounts) {
			return errors.Join(err, fmt.Errorf("load accounts: asked for %d, got %d", len(accounts), n))
		}
		for i := range out {
			_, text, err := r.text()
			switch {
			case errors.Is(err, goredis.Nil):
			case err != nil:
				return err
			case profiles:
				out[i].Profile = keep(text)
			case len(text) < versionSize:
				return fmt.Errorf("load account %q: the stored value has %d bytes and no version; "+
					"something else writes to this namespace", accounts[i], len(text))
			default:
				out[i].Version, out[i].State = binary.BigEndian.Uint64(text), keep(text[versionSize:])
			}
		}
	}
	return nil
}
