package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
)

// loadChunk keeps a command short, and a call of the script within what Lua can unpack.
const loadChunk = 1000

// Load implements engine.Store, in one round trip. State and profile of a record belong
// together: they are read at one moment.
func (s *Store) Load(ctx context.Context, wanted ...engine.Wanted) ([]engine.Record, error) {
	n := 0
	for _, w := range wanted {
		if _, err := s.shard(w.Shard); err != nil {
			return nil, err
		}
		n += len(w.Accounts)
	}
	if n == 0 {
		return nil, nil
	}
	read := s.readScripted
	if _, single := s.client.(*goredis.Client); single {
		read = s.readPlainly
	}
	out := make([]engine.Record, n)
	if err := s.try(ctx, "load accounts", func() error { return read(ctx, wanted, out) }); err != nil {
		return nil, err
	}
	return out, nil
}

// portions are the accounts of one question each, with the keys of their shard.
func (s *Store) portions(wanted []engine.Wanted) iter.Seq2[*shardKeys, []string] {
	return func(yield func(*shardKeys, []string) bool) {
		for _, w := range wanted {
			for some := range slices.Chunk(w.Accounts, loadChunk) {
				if !yield(&s.keys.shards[w.Shard], some) {
					return
				}
			}
		}
	}
}

// readPlainly reads records in one transaction, at a quarter of what the script costs.
func (s *Store) readPlainly(ctx context.Context, wanted []engine.Wanted, out []engine.Record) error {
	b := s.lend()
	defer s.giveBack(b)
	for k, some := range s.portions(wanted) {
		for _, key := range []*string{&k.accounts, &k.profiles} {
			b.add("HMGET", key)
			b.also(some)
		}
	}
	r, err := b.transact(ctx, s.client.Pipeline())
	for _, some := range s.portions(wanted) {
		if err != nil {
			return err
		}
		err = r.records(out[:len(some)], some)
		out = out[len(some):]
	}
	return err
}

// readScripted reads records from a cluster, each of whose nodes is asked for its own.
func (s *Store) readScripted(ctx context.Context, wanted []engine.Wanted, out []engine.Record) error {
	p := s.client.Pipeline()
	var replies []*goredis.Cmd
	for k, some := range s.portions(wanted) {
		args := append(make([]any, 0, 5+len(some)), "EVALSHA", &s.scripts.accounts.sha, "2", &k.accounts, &k.profiles)
		reply := goredis.NewCmd(ctx, pointers(args, some)...)
		replies = append(replies, reply)
		_ = p.Process(ctx, reply) // it cannot fail
	}
	cmds, _ := p.Exec(ctx) // each command has its own error
	err := failure(cmds)
	for _, some := range s.portions(wanted) {
		if err != nil {
			return err
		}
		r := answers{spoken(nil, replies[0].Val(), nil)}
		if _, err = r.array(); err == nil {
			err = r.records(out[:len(some)], some)
		}
		out, replies = out[len(some):], replies[1:]
	}
	return err
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
