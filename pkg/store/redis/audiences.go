package redis

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/audience"
	"tidemark/pkg/follow"
)

// Audiences keep who is in which audience, in one slot.
type Audiences struct{ *Ledger }

var _ audience.Store = (*Audiences)(nil)

// Audiences are those of the namespace that follow a topic.
func (s *Store) Audiences(topic string) *Audiences { return &Audiences{s.Ledger("audiences", topic)} }

// The keys: an audience's members, exits that were put off, accounts to tell an endpoint of and what
// that accepted; the feeds' events, and notes.
func (a *Audiences) members(name string) string { return a.prefix + "set:" + name + ":members" }
func (a *Audiences) leaving(name string) string { return a.prefix + "set:" + name + ":leaving" }
func (a *Audiences) untold(name string) string  { return a.prefix + "set:" + name + ":untold" }
func (a *Audiences) told(name string) string    { return a.prefix + "set:" + name + ":told" }
func (a *Audiences) out() string                { return a.prefix + "out" }
func (a *Audiences) notes() string              { return a.prefix + "notes" }

// Take implements audience.Store.
func (a *Audiences) Take(ctx context.Context, step follow.Step, given *audience.Writes) error {
	w := &ledgerStep{number: map[string]int{}}
	for _, name := range given.Forget {
		w.args = append(w.args, "DEL", w.key(a.told(name)), 0)
	}
	for name, members := range given.Members {
		if err := a.writeMembers(w, name, members); err != nil {
			return err
		}
	}
	for _, o := range given.Out {
		w.write("XADD", a.out(), 7, nil, []any{"*", "t", o.Topic, "a", o.Account, "v", o.Value})
	}
	for name, told := range given.Told {
		var args []any
		for account, t := range told {
			text := strconv.FormatUint(t.N, 10)
			if t.Unsure {
				text += unsure
			}
			args = append(args, account, text)
		}
		w.write("HSET", a.told(name), 2, nil, args)
	}
	for name, accounts := range given.Settled {
		w.write("ZREM", a.untold(name), 1, nil, asArgs(accounts))
	}
	for name, accounts := range given.Tell {
		args := make([]any, 0, 2*len(accounts))
		for _, account := range accounts {
			args = append(args, "0", account)
		}
		w.write("ZADD", a.untold(name), 2, nil, args)
	}
	var notes []any
	for field, value := range given.Notes {
		notes = append(notes, field, value)
	}
	w.write("HSET", a.notes(), 2, nil, notes)
	return a.take(ctx, step, w)
}

func (a *Audiences) writeMembers(w *ledgerStep, name string, members map[string]audience.Member) error {
	var set, leave, stay []any
	for account, m := range members {
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		set = append(set, account, text)
		if m.LeaveAt > 0 {
			leave = append(leave, strconv.FormatInt(m.LeaveAt, 10), account)
		} else {
			stay = append(stay, account)
		}
	}
	w.write("HSET", a.members(name), 2, nil, set)
	w.write("ZADD", a.leaving(name), 2, nil, leave)
	w.write("ZREM", a.leaving(name), 1, nil, stay)
	return nil
}

func asArgs(texts []string) []any {
	out := make([]any, len(texts))
	for i, text := range texts {
		out[i] = text
	}
	return out
}

// fields reads fields of a hash, nil where one is not there.
func (a *Audiences) fields(ctx context.Context, key string, names []string) (values []any, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	err = a.s.try(ctx, "read an audience", func() (err error) {
		values, err = a.s.client.HMGet(ctx, key, names...).Result()
		return err
	})
	return values, err
}

// Members implements audience.Store.
func (a *Audiences) Members(ctx context.Context, name string, accounts []string) (map[string]audience.Member, error) {
	values, err := a.fields(ctx, a.members(name), accounts)
	if err != nil {
		return nil, err
	}
	out := map[string]audience.Member{}
	for i, v := range values {
		if text, ok := v.(string); ok {
			if out[accounts[i]], err = parseAudienceMember(text); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func parseAudienceMember(text string) (m audience.Member, err error) {
	if json.Unmarshal([]byte(text), &m) != nil {
		return m, unexpected(text)
	}
	return m, nil
}

// unsure ends what an endpoint was told without an answer.
const unsure = "?"

// Told implements audience.Store.
func (a *Audiences) Told(ctx context.Context, name string, accounts []string) ([]audience.Told, error) {
	values, err := a.fields(ctx, a.told(name), accounts)
	if err != nil {
		return nil, err
	}
	out := make([]audience.Told, len(accounts))
	for i, v := range values {
		if text, ok := v.(string); ok {
			text, out[i].Unsure = strings.CutSuffix(text, unsure)
			if out[i].N, err = strconv.ParseUint(text, 10, 64); err != nil {
				return nil, unexpected(text)
			}
		}
	}
	return out, nil
}

// Leaving implements audience.Store.
func (a *Audiences) Leaving(ctx context.Context, name string, now int64, limit int) ([]string, error) {
	return a.first(ctx, a.leaving(name), strconv.FormatInt(now, 10), limit)
}

// Untold implements audience.Store: they come in the order of their names.
func (a *Audiences) Untold(ctx context.Context, name string, limit int) ([]string, error) {
	return a.first(ctx, a.untold(name), "+inf", limit)
}

func (a *Audiences) first(ctx context.Context, key, upTo string, limit int) (accounts []string, err error) {
	err = a.s.try(ctx, "read an audience", func() (err error) {
		accounts, err = a.s.client.ZRangeArgs(ctx, goredis.ZRangeArgs{Key: key, ByScore: true, Start: "-inf", Stop: upTo, Count: int64(limit)}).Result()
		return err
	})
	return accounts, err
}

// eachPage is about how many records come together.
const eachPage = 500

// Each implements audience.Store. A record that is written meanwhile may come twice.
func (a *Audiences) Each(ctx context.Context, name string, use func(map[string]audience.Member) error) error {
	for cursor := uint64(0); ; {
		var found []string
		err := a.s.try(ctx, "read an audience", func() (err error) {
			var next uint64
			if found, next, err = a.s.client.HScan(ctx, a.members(name), cursor, "", eachPage).Result(); err == nil {
				cursor = next
			}
			return err
		})
		if err != nil {
			return err
		}
		page := map[string]audience.Member{}
		for i := 0; i+1 < len(found); i += 2 {
			if page[found[i]], err = parseAudienceMember(found[i+1]); err != nil {
				return err
			}
		}
		if len(page) > 0 {
			if err := use(page); err != nil {
				return err
			}
		}
		if cursor == 0 {
			return nil
		}
	}
}

// Waiting implements audience.Store.
func (a *Audiences) Waiting(ctx context.Context, limit int) ([]audience.Out, error) {
	var found []goredis.XMessage
	err := a.s.try(ctx, "read feeds' events", func() (err error) {
		found, err = a.s.client.XRangeN(ctx, a.out(), "-", "+", int64(limit)).Result()
		return err
	})
	out := make([]audience.Out, len(found))
	for i, m := range found {
		out[i].ID = m.ID
		out[i].Topic, _ = m.Values["t"].(string)
		out[i].Account, _ = m.Values["a"].(string)
		value, _ := m.Values["v"].(string)
		out[i].Value = []byte(value)
	}
	return out, err
}

// Published implements audience.Store.
func (a *Audiences) Published(ctx context.Context, ids []string) error {
	return a.s.try(ctx, "remove feeds' events", func() error { return a.s.client.XDel(ctx, a.out(), ids...).Err() })
}

// Notes implements audience.Store.
func (a *Audiences) Notes(ctx context.Context) (notes map[string]string, err error) {
	err = a.s.try(ctx, "read notes of audiences", func() (err error) {
		notes, err = a.s.client.HGetAll(ctx, a.notes()).Result()
		return err
	})
	return notes, err
}

// Counts implements audience.Store: records, of members now or once, and accounts to be told of.
func (a *Audiences) Counts(ctx context.Context, name string) (records, untold int64, err error) {
	var r, u *goredis.IntCmd
	err = a.s.pipe(ctx, "measure an audience", func(p goredis.Pipeliner) {
		r, u = p.HLen(ctx, a.members(name)), p.ZCard(ctx, a.untold(name))
	})
	if err != nil {
		return 0, 0, err
	}
	return r.Val(), u.Val(), nil
}
