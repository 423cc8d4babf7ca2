package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tidemark/pkg/api"
	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/scoring"
)

// mostLooked is about how many accounts a page looks at: one that hardly any account
// fits ends there, and its cursor goes on.
const mostLooked = 5000

// scanned is how many accounts a walk through all asks for at a time. It is part of
// cursors, as where a step of a walk ends depends on it.
const scanned = 128

// errPage ends the walk of a page.
var errPage = errors.New("the page is full")

// cursor is where a listing goes on. Listings of a better tier go by the store's own
// cursor; all others walk through all accounts, shard by shard.
type cursor struct {
	Tier string `json:"t,omitempty"`
	// Store is the store's cursor.
	Store string `json:"c,omitempty"`
	// Shard and Scan are a step of the walk, of whose accounts those up to After are
	// done, so many of them.
	Shard int    `json:"s,omitempty"`
	Scan  uint64 `json:"n,omitempty"`
	After string `json:"a,omitempty"`
	Done  int    `json:"d,omitempty"`
}

func (c cursor) format() string {
	text, _ := json.Marshal(c) // strings and numbers only
	return base64.RawURLEncoding.EncodeToString(text)
}

// errCursor is for what is no cursor of ours, or none of the store's.
var errCursor = &api.QueryError{Name: "cursor", Why: "is not one that a page gave out (next_cursor): leave it out to begin anew"}

// parseCursor reads a cursor of a listing of the tier.
func parseCursor(text, tier string, shards int) (c cursor, err error) {
	if text == "" {
		return cursor{Tier: tier}, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, errCursor
	}
	d := json.NewDecoder(strings.NewReader(string(plain)))
	d.DisallowUnknownFields()
	if d.Decode(&c) != nil || c.Shard < 0 || c.Shard >= shards {
		return c, errCursor
	}
	if c.Tier != tier {
		return c, &api.QueryError{Name: "cursor", Why: fmt.Sprintf("is of a listing with tier %q, and tier is %q: keep to one, or leave the cursor out", c.Tier, tier)}
	}
	return c, nil
}

// List implements api.Accounts. An account that stays as it is meanwhile is listed; one
// that moves may be listed twice or not at all. Who was merged into another is not.
func (a *Accounts) List(ctx context.Context, q api.ListQuery) (*api.AccountPage, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	r, err := a.reign(ctx)
	if err != nil {
		return nil, err
	}
	if tiers := r.model.Tiers(); q.Tier != "" && !slices.Contains(tiers, q.Tier) {
		return nil, &api.QueryError{Name: "tier", Why: fmt.Sprintf("%q is not one of %s", q.Tier, strings.Join(tiers, ", "))}
	}
	if classes := r.model.Classes(); q.Class != "" && !slices.Contains(classes, q.Class) {
		if len(classes) == 0 {
			return nil, &api.QueryError{Name: "class", Why: "the model in force has no portfolio, so no account has a class"}
		}
		return nil, &api.QueryError{Name: "class", Why: fmt.Sprintf("%q is not one of %s", q.Class, strings.Join(classes, ", "))}
	}
	if q.Limit < 1 || q.Limit > api.LargestPage {
		return nil, &api.QueryError{Name: "limit", Why: fmt.Sprintf("%d is not a number from 1 to %d", q.Limit, api.LargestPage)}
	}
	from, err := parseCursor(q.Cursor, q.Tier, a.store.Shards())
	if err != nil {
		return nil, err
	}
	p := &page{Accounts: a, reign: r, query: q, now: a.now(), out: &api.AccountPage{Accounts: []api.Listed{}}}
	if q.Tier != "" && q.Tier != r.model.LastTier() {
		err = p.ofTier(ctx, from)
	} else {
		err = p.ofAll(ctx, from) // the store has no listing of the last tier
	}
	if errors.Is(err, errPage) {
		err = nil
	}
	return p.out, err
}

// page is a page under way.
type page struct {
	*Accounts
	reign  reign
	query  api.ListQuery
	now    int64
	looked int
	out    *api.AccountPage
}

// add takes a stored account in if the query does. It returns errPage once the page
// should end behind it.
func (p *page) add(record engine.Record) error {
	p.looked++
	m := p.reign.model
	found, err := p.reign.read(record)
	if err != nil {
		return fmt.Errorf("read account %q: %w", record.Account, err)
	}
	if found != nil && found.Into() == "" && found.Known() && (p.query.Tier == "" || m.Tier(found) == p.query.Tier) && p.ofClass(m, found) {
		p.out.Accounts = append(p.out.Accounts, listed(m, record.Account, found, p.now))
	}
	if len(p.out.Accounts) == p.query.Limit || p.looked >= mostLooked {
		return errPage
	}
	return nil
}

func (p *page) ofClass(m *scoring.Model, a *scoring.Account) bool {
	if p.query.Class == "" {
		return true
	}
	profile, _ := a.Profile()
	return m.Class(profile) == p.query.Class
}

// ofTier goes through the store's listing of the tier.
func (p *page) ofTier(ctx context.Context, c cursor) error {
	shards := p.store.Shards()
	for {
		names, next, err := p.store.AccountsByTier(ctx, c.Tier, c.Store, p.query.Limit)
		if errors.Is(err, store.ErrCursor) {
			return errCursor
		}
		if err != nil {
			return err
		}
		records, err := p.store.Load(ctx, engine.WantedOf(names, shards)...) // they are listed shard by shard
		if err != nil {
			return err
		}
		for i, record := range records {
			if err := p.add(record); err != nil {
				if i < len(records)-1 || next != "" {
					shard := engine.ShardOf(record.Account, shards)
					p.out.Next = cursor{Tier: c.Tier, Store: store.FormatCursor(shard, record.Account)}.format()
				}
				return err
			}
		}
		if next == "" {
			return nil
		}
		c.Store = next
	}
}

// ofAll walks through all accounts.
func (p *page) ofAll(ctx context.Context, c cursor) error {
	for ; c.Shard < p.store.Shards(); c = (cursor{Tier: c.Tier, Shard: c.Shard + 1}) {
		for first := true; first || c.Scan != 0; first = false {
			records, next, err := p.store.Scan(ctx, c.Shard, c.Scan, scanned)
			if err != nil {
				return err
			}
			if err := p.step(c, records, next); err != nil {
				return err
			}
			c.Scan, c.After, c.Done = next, "", 0
		}
	}
	return nil
}

// step takes what a step of the walk gave, in order of name.
func (p *page) step(c cursor, records []engine.Record, next uint64) error {
	slices.SortFunc(records, func(a, b engine.Record) int { return strings.Compare(a.Account, b.Account) })
	records = slices.CompactFunc(records, func(a, b engine.Record) bool { return a.Account == b.Account })
	done, met := slices.BinarySearchFunc(records, c.After, func(r engine.Record, name string) int { return strings.Compare(r.Account, name) })
	if met {
		done++
	}
	if done > c.Done {
		done = 0 // Redis walks in other steps than before: rather some twice than some not at all
	}
	for i := done; i < len(records); i++ {
		err := p.add(records[i])
		if err == nil {
			continue
		}
		switch {
		case !errors.Is(err, errPage):
		case i+1 < len(records):
			p.out.Next = cursor{Tier: c.Tier, Shard: c.Shard, Scan: c.Scan, After: records[i].Account, Done: i + 1}.format()
		case next != 0:
			p.out.Next = cursor{Tier: c.Tier, Shard: c.Shard, Scan: next}.format()
		case c.Shard+1 < p.store.Shards():
			p.out.Next = cursor{Tier: c.Tier, Shard: c.Shard + 1}.format()
		}
		return err
	}
	return nil
}
