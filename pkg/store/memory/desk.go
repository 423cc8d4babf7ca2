package memory

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"

	"tidemark/pkg/desk"
	"tidemark/pkg/store"
)

// Desk is a desk.Store in memory, with its outbox. Its methods may be called by
// several goroutines; they fail only when ctx has ended. Answers are kept for ever.
type Desk struct {
	mu      sync.Mutex // guards what follows; nothing is called while it is held
	token   string
	shared  []byte
	mqas    map[string][]byte
	past    map[string][]byte
	at      map[string]int64
	read    map[string]int64
	answers map[string][]byte
	outbox  []store.Entry
	mark    string
	entries int
}

var _ desk.Store = (*Desk)(nil)

// NewDesk makes an empty one.
func NewDesk() *Desk {
	return &Desk{
		mqas: map[string][]byte{}, past: map[string][]byte{}, at: map[string]int64{}, read: map[string]int64{}, answers: map[string][]byte{},
	}
}

// LoadDesk implements desk.Store.
func (d *Desk) LoadDesk(ctx context.Context) (desk.Snapshot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return desk.Snapshot{Token: d.token, Shared: d.shared, MQAs: maps.Clone(d.mqas), Positions: maps.Clone(d.read), Mark: d.mark}, ctx.Err()
}

// DeskToken implements desk.Store.
func (d *Desk) DeskToken(ctx context.Context) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.token, ctx.Err()
}

// DeskPast implements desk.Store.
func (d *Desk) DeskPast(ctx context.Context, account string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.past[account], ctx.Err()
}

// DeskAnswer implements desk.Store.
func (d *Desk) DeskAnswer(ctx context.Context, key string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.answers[key], ctx.Err()
}

// CommitDesk implements desk.Store.
func (d *Desk) CommitDesk(ctx context.Context, c desk.Commit) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case d.token == c.To:
		return nil
	case d.token != c.From, c.Mark != nil && c.Mark.From != d.mark:
		return desk.ErrConflict
	}
	if c.Mark != nil {
		d.mark = c.Mark.To
	}
	d.outbox = slices.DeleteFunc(d.outbox, func(e store.Entry) bool { return slices.Contains(c.Trim, e.ID) })
	d.token, d.shared = c.To, c.Shared
	maps.Copy(d.mqas, c.Put)
	for _, account := range c.Drop {
		delete(d.mqas, account)
	}
	for account, p := range c.Past {
		d.past[account], d.at[account] = p.Value, p.At
	}
	maps.Copy(d.read, c.Positions)
	for _, m := range c.Outbox {
		d.entries++
		d.outbox = append(d.outbox, store.Entry{ID: strconv.Itoa(d.entries), Account: m.Account, Value: m.Value})
	}
	if c.Answer != nil {
		d.answers[c.Answer.Key] = c.Answer.Value
	}
	return nil
}

// DeskOutbox implements desk.Store.
func (d *Desk) DeskOutbox(ctx context.Context, after string, limit int) ([]store.Entry, string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	from := slices.IndexFunc(d.outbox, func(e store.Entry) bool { return e.ID == after }) + 1
	return slices.Clone(d.outbox[from:min(from+limit, len(d.outbox))]), d.mark, ctx.Err()
}

// TrimDesk implements desk.Store.
func (d *Desk) TrimDesk(ctx context.Context, ids []string, from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mark == to {
		return ctx.Err()
	}
	left := slices.DeleteFunc(slices.Clone(d.outbox), func(e store.Entry) bool { return slices.Contains(ids, e.ID) })
	if d.mark != from || len(d.outbox)-len(left) != len(ids) {
		return desk.ErrConflict
	}
	d.mark, d.outbox = to, left
	return ctx.Err()
}

// SetBack makes the desk what a copy of it holds, as a failover to a replica that is
// behind would. IDs of the outbox are not given twice.
func (d *Desk) SetBack(to *Desk) {
	was := to.Copy()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.token, d.shared, d.mqas, d.past, d.at, d.read = was.token, was.shared, was.mqas, was.past, was.at, was.read
	d.answers, d.outbox, d.mark = was.answers, was.outbox, was.mark
}

// Copy is another desk that holds the same.
func (d *Desk) Copy() *Desk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Desk{
		token: d.token, shared: d.shared, mqas: maps.Clone(d.mqas), past: maps.Clone(d.past), at: maps.Clone(d.at), read: maps.Clone(d.read),
		answers: maps.Clone(d.answers), outbox: slices.Clone(d.outbox), entries: d.entries, mark: d.mark,
	}
}

// ForgetDesk forgets accounts that left the desk before an instant.
func (d *Desk) ForgetDesk(ctx context.Context, before int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.past)
	for account, at := range d.at {
		if at < before {
			delete(d.past, account)
			delete(d.at, account)
		}
	}
	return n - len(d.past), ctx.Err()
}
