package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/desk"
	"tidemark/pkg/store"
)

var _ desk.Store = (*Store)(nil)

// deskKeys are the keys of MQA routing. They belong to the namespace, not to one of
// its generations: a rebuild changes no promise. One hash tag, as one script writes all.
type deskKeys struct {
	token     string // string: of the latest commit
	shared    string // string: JSON
	mqas      string // hash: account → JSON
	past      string // hash: account → JSON, of accounts that left
	left      string // sorted set: account by when it left
	positions string // hash: topic/partition → next offset
	outbox    string // stream: a = account, v = value
	mark      string // string: up to where the published log comes from this desk
	answers   string // begins the name of a string for each idempotency key; expires
}

func (k keys) desk() deskKeys {
	p := k.base + ":{desk}:"
	return deskKeys{
		token: p + "token", shared: p + "shared", mqas: p + "mqas", past: p + "past", left: p + "left",
		positions: p + "positions", outbox: p + "outbox", mark: p + "mark", answers: p + "answer:",
	}
}

// LoadDesk implements desk.Store, in one transaction.
func (s *Store) LoadDesk(ctx context.Context) (desk.Snapshot, error) {
	k := s.keys.desk()
	var token, shared, mark *goredis.StringCmd
	var mqas, positions *goredis.MapStringStringCmd
	err := s.try(ctx, "load the desk", func() error {
		_, err := s.client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
			token, shared, mark = p.Get(ctx, k.token), p.Get(ctx, k.shared), p.Get(ctx, k.mark)
			mqas, positions = p.HGetAll(ctx, k.mqas), p.HGetAll(ctx, k.positions)
			return nil
		})
		return unlessNil(err)
	})
	if err != nil {
		return desk.Snapshot{}, err
	}
	out := desk.Snapshot{Token: token.Val(), MQAs: map[string][]byte{}, Positions: map[string]int64{}, Mark: mark.Val()}
	if shared.Err() == nil {
		out.Shared = []byte(shared.Val())
	}
	for account, value := range mqas.Val() {
		out.MQAs[account] = []byte(value)
	}
	for place, offset := range positions.Val() {
		if out.Positions[place], err = strconv.ParseInt(offset, 10, 64); err != nil {
			return desk.Snapshot{}, fmt.Errorf("load the desk: position of %s: %w", place, err)
		}
	}
	return out, nil
}

// unlessNil is the error of a call for which nothing stored is an answer.
func unlessNil(err error) error {
	if errors.Is(err, goredis.Nil) {
		return nil
	}
	return err
}

// DeskToken implements desk.Store.
func (s *Store) DeskToken(ctx context.Context) (string, error) {
	value, err := s.deskValue(ctx, "read the desk's token", func() *goredis.StringCmd {
		return s.client.Get(ctx, s.keys.desk().token)
	})
	return string(value), err
}

// DeskPast implements desk.Store.
func (s *Store) DeskPast(ctx context.Context, account string) ([]byte, error) {
	return s.deskValue(ctx, "read what is remembered of an account", func() *goredis.StringCmd {
		return s.client.HGet(ctx, s.keys.desk().past, account)
	})
}

// DeskAnswer implements desk.Store.
func (s *Store) DeskAnswer(ctx context.Context, key string) ([]byte, error) {
	return s.deskValue(ctx, "read an answer", func() *goredis.StringCmd {
		return s.client.Get(ctx, s.keys.desk().answers+key)
	})
}

// deskValue is one stored value; nil where there is none.
func (s *Store) deskValue(ctx context.Context, op string, get func() *goredis.StringCmd) (value []byte, err error) {
	err = s.try(ctx, op, func() error {
		var err error
		value, err = get().Bytes()
		return unlessNil(err)
	})
	return value, err
}

// CommitDesk implements desk.Store, by one script.
func (s *Store) CommitDesk(ctx context.Context, c desk.Commit) error {
	k := s.keys.desk()
	answer := k.answers
	if c.Answer != nil {
		answer += c.Answer.Key
	}
	names := []string{k.token, k.shared, k.mqas, k.past, k.left, k.positions, k.outbox, answer, k.mark}
	args := deskWrites(c)
	return s.deskScript(ctx, "commit the desk", s.scripts.desk, names, args)
}

// deskScript runs a script that changes the desk or says why not.
func (s *Store) deskScript(ctx context.Context, op string, sc script, names []string, args []any) error {
	var reply string
	err := s.try(ctx, op, func() (err error) {
		reply, err = s.client.EvalSha(ctx, sc.sha, names, args...).Text()
		return err
	})
	switch {
	case err != nil:
		return err
	case reply == "conflict":
		return desk.ErrConflict
	case reply != "ok" && reply != "done":
		return unexpected(reply)
	}
	return nil
}

// deskWrites are the script's arguments.
func deskWrites(c desk.Commit) []any {
	args := []any{c.From, c.To, 0, "", "SET", 2, 1, c.Shared}
	if c.Mark != nil {
		args[2], args[3] = 1, c.Mark.From
		args = append(args, "SET", 9, 1, c.Mark.To)
	}
	for _, id := range c.Trim {
		args = append(args, "XDEL", 7, 1, id)
	}
	for account, value := range c.Put {
		args = append(args, "HSET", 3, 2, account, value)
	}
	for _, account := range c.Drop {
		args = append(args, "HDEL", 3, 1, account)
	}
	for account, past := range c.Past {
		args = append(args, "HSET", 4, 2, account, past.Value, "ZADD", 5, 2, past.At, account)
	}
	for _, m := range c.Outbox {
		args = append(args, "XADD", 7, 5, "*", "a", m.Account, "v", m.Value)
	}
	if c.Answer != nil {
		args = append(args, "SET", 8, 3, c.Answer.Value, "PX", c.Answer.TTL.Milliseconds())
	}
	for place, offset := range c.Positions {
		args = append(args, "HSET", 6, 2, place, offset)
	}
	return args
}

// DeskOutbox implements desk.Store, in one transaction.
func (s *Store) DeskOutbox(ctx context.Context, after string, limit int) ([]store.Entry, string, error) {
	k := s.keys.desk()
	var found *goredis.XMessageSliceCmd
	var mark *goredis.StringCmd
	err := s.try(ctx, "read the desk's outbox", func() error {
		_, err := s.client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
			found, mark = p.XRangeN(ctx, k.outbox, behind(after), "+", int64(limit)), p.Get(ctx, k.mark)
			return nil
		})
		return unlessNil(err)
	})
	if err != nil {
		return nil, "", err
	}
	return entriesOf(found.Val()), mark.Val(), nil
}

// TrimDesk implements desk.Store, by one script.
func (s *Store) TrimDesk(ctx context.Context, ids []string, from, to string) error {
	k := s.keys.desk()
	args := []any{from, to}
	for _, id := range ids {
		args = append(args, id)
	}
	return s.deskScript(ctx, "trim the desk's outbox", s.scripts.deskTrim, []string{k.mark, k.outbox}, args)
}

// forgetAtOnce keeps one call short.
const forgetAtOnce = 500

// ForgetDesk forgets accounts that left the desk before an instant, in Unix
// milliseconds, some at a time, and returns how many.
func (s *Store) ForgetDesk(ctx context.Context, before int64) (int, error) {
	k := s.keys.desk()
	var old []string
	err := s.try(ctx, "forget accounts of the desk", func() (err error) {
		old, err = s.client.ZRangeArgs(ctx, goredis.ZRangeArgs{
			Key: k.left, Start: "-inf", Stop: "(" + strconv.FormatInt(before, 10), ByScore: true, Count: forgetAtOnce,
		}).Result()
		return err
	})
	if err != nil || len(old) == 0 {
		return 0, err
	}
	members := make([]any, len(old))
	for i, account := range old {
		members[i] = account
	}
	return len(old), s.try(ctx, "forget accounts of the desk", func() error {
		_, err := s.client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
			p.HDel(ctx, k.past, old...)
			p.ZRem(ctx, k.left, members...)
			return nil
		})
		return err
	})
}
