package lag

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"tidemark/pkg/engine"
	"tidemark/scoring"
)

// Risk is what waiting costs: accounts that the waiting events would take into an mqa
// tier, of which nobody knows yet.
type Risk struct {
	// Accounts is how many there are, and Events how many of the events that were read
	// are theirs.
	Accounts int `json:"accounts"`
	Events   int `json:"events"`
	// Read of Waiting says how many of the records that wait were looked at, the oldest
	// of each partition. Where it is fewer than all, there may be more accounts.
	Read    int64 `json:"records_read"`
	Waiting int64 `json:"records_waiting"`
	// Names are some of the accounts, those with the highest score first.
	Names []string `json:"some"`
}

// someAccounts is how many accounts are named.
const someAccounts = 20

// loadAtOnce is how many accounts are asked for together.
const loadAtOnce = 500

// assess applies the events that were read to copies of their accounts, as the service
// would, and keeps those that enter an mqa tier by it.
func (w *Watcher) assess(ctx context.Context, b *backlog, shards int) (*Risk, error) {
	risk := &Risk{Read: b.read, Waiting: b.all, Names: []string{}}
	if len(b.events) == 0 {
		return risk, nil
	}
	m, past, err := w.State.Model(ctx)
	if err != nil || m == nil {
		return nil, err
	}
	events := map[string][]*scoring.Event{} // by account
	for _, e := range b.events {
		events[e.Account] = append(events[e.Account], e)
	}
	var found []candidate
	for names := range slices.Chunk(slices.Sorted(maps.Keys(events)), loadAtOnce) {
		records, err := w.State.Load(ctx, engine.WantedOf(names, shards)...)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			c, err := rehearse(m, past, r, events[r.Account])
			if err != nil {
				return nil, err
			}
			if c.enters {
				found = append(found, c)
			}
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.account, b.account))
	})
	for i, c := range found {
		risk.Accounts++
		risk.Events += c.events
		if i < someAccounts {
			risk.Names = append(risk.Names, c.account)
		}
	}
	return risk, nil
}

// candidate is what becomes of an account.
type candidate struct {
	account string
	enters  bool // an mqa tier
	score   float64
	events  int
}

// rehearse applies events to a copy of an account in the order of their times.
func rehearse(m *scoring.Model, past engine.Past, r engine.Record, events []*scoring.Event) (candidate, error) {
	c := candidate{account: r.Account, events: len(events)}
	a, err := past.Read(m, r)
	if err != nil {
		return c, fmt.Errorf("read account: %w", err)
	}
	if a == nil {
		a = &scoring.Account{}
		m.Open(a)
	}
	slices.SortStableFunc(events, func(x, y *scoring.Event) int { return cmp.Compare(x.Time, y.Time) })
	for _, e := range events {
		out := m.Apply(a, e, engine.UnknownWatermark)
		for _, x := range out.Crossings {
			if x.MQA {
				c.enters, c.score = true, max(c.score, x.Score)
			}
		}
	}
	return c, nil
}
