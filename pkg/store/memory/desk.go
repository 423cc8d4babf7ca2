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
	return desk.Snapshot{Token: d.token, Shared: d.shared, MQAs: maps.Clone(d.mqas), Positions: maps.Clone(d.read)}, ctx.Err()
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
	case d.token != c.From:
		return desk.ErrConflict
	}
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

// DeskOutbox returns at most limit events that wait to be published, in order.
func (d *Desk) DeskOutbox(ctx context.Context, limit int) ([]store.Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.outbox[:min(limit, len(d.outbox))]), ctx.Err()
}

// TrimDesk removes published events.
func (d *Desk) TrimDesk(ctx context.Context, ids []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.outbox = slices.DeleteFunc(d.outbox, func(e store.Entry) bool { return slices.Contains(ids, e.ID) })
	return ctx.Err()
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
