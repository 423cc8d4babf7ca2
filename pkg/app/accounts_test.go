package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/api"
	"tidemark/streams/codec"
	"tidemark/streams/sink"
)

// classed is a model with three tiers and a portfolio.
const classed = `
name: classed
version: 1
groups: {web: {}}
signals: [{name: demo, group: web, match: {type: engagement.demo_request}, points: 10, half_life: 10d}]
tiers: [{name: A, min: 50, mqa: true}, {name: B, min: 20}, {name: C}]
portfolio:
  attractiveness: [{when: employees > 100, points: 3}]
  potential: []
  classes: [{name: large, attractiveness: 3}, {name: small}]
`

// asked serves the classed model, and answers questions.
func asked(t *testing.T) (*deployment, *Accounts) {
	t.Helper()
	d := deploy(t)
	d.cfg.Model = filepath.Join(t.TempDir(), "model.yaml")
	if err := os.WriteFile(d.cfg.Model, []byte(classed), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := d.serve(d.cfg)
	t.Cleanup(func() { ends(t, stop) })
	a, err := newAccounts(d.cfg, d.store, d.transport(), d.now.Load, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return d, a
}

// about publishes an event about an account.
func (d *deployment) about(account, kind, data string) {
	d.t.Helper()
	value := fmt.Sprintf(`{"specversion":"1.0","id":"%s-%s","source":"/crm","type":%q,"time":%q,"subject":%q,"data":%s}`,
		account, kind, kind, codec.FormatTime(d.now.Load()), account, data)
	if err := d.sink.Publish(d.t.Context(), d.cfg.Kafka.Topics.Profiles, []sink.Message{{Key: []byte(account), Value: []byte(value), Time: time.UnixMilli(d.now.Load())}}); err != nil {
		d.t.Fatal(err)
	}
}

// pages are the accounts of all pages of a listing.
func pages(t *testing.T, a *Accounts, q api.ListQuery) (out []string) {
	t.Helper()
	for {
		page, err := a.List(t.Context(), q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		if len(page.Accounts) > q.Limit {
			t.Fatalf("%+v: a page has %d accounts", q, len(page.Accounts))
		}
		for _, l := range page.Accounts {
			out = append(out, l.Account)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			slices.Sort(out)
			return out
		}
	}
}

func TestListingsHaveEachAccountOnce(t *testing.T) {
	t.Parallel()
	d, a := asked(t)
	want := map[api.ListQuery][]string{}
	add := func(q api.ListQuery, account string) { want[q] = append(want[q], account) }
	for i := range 60 {
		account := fmt.Sprintf("firm%02d.example", i)
		tier, class := "C", "small"
		if i%3 == 0 {
			class = "large"
			d.about(account, "account.profile", `{"attributes":{"employees":500}}`)
		}
		switch {
		case i%10 == 0:
			tier = "A"
			d.visits(account, 6)
		case i%2 == 0:
			tier = "B"
			d.visits(account, 3)
		default:
			d.visits(account, 1)
		}
		for _, q := range []api.ListQuery{{}, {Tier: tier}, {Class: class}, {Tier: tier, Class: class}} {
			add(q, account)
		}
	}
	d.about("firm01.example", "account.merged", `{"into":"firm00.example"}`) // it is no account any more
	for q, accounts := range want {
		want[q] = slices.DeleteFunc(accounts, func(name string) bool { return name == "firm01.example" })
	}
	d.eventually(func() error {
		for q, accounts := range want {
			q.Limit = 7
			if got := pages(t, a, q); !slices.Equal(got, accounts) {
				return fmt.Errorf("%+v: got %q, want %q", q, got, accounts)
			}
		}
		return nil
	})
	for _, limit := range []int{1, 500} {
		if got, want := pages(t, a, api.ListQuery{Limit: limit}), want[api.ListQuery{}]; !slices.Equal(got, want) {
			t.Errorf("limit %d: got %q, want %q", limit, got, want)
		}
	}
}

func TestFaultyListings(t *testing.T) {
	t.Parallel()
	d, a := asked(t)
	d.visits("acme.example", 6)
	d.visits("beta.example", 6)
	d.reaches("acme.example", 1)
	d.reaches("beta.example", 1)
	page, err := a.List(t.Context(), api.ListQuery{Tier: "A", Limit: 1})
	if err != nil || page.Next == "" {
		t.Fatalf("got %+v, %v, want a page that goes on", page, err)
	}
	for want, q := range map[string]api.ListQuery{
		`tier: "Z" is not one of A, B, C`:                           {Tier: "Z", Limit: 1},
		`class: "huge" is not one of large, small`:                  {Class: "huge", Limit: 1},
		`limit: 501 is not a number from 1 to 500`:                  {Limit: 501},
		`cursor: is not one that a page gave out`:                   {Cursor: "3:acme.example", Limit: 1},
		`cursor: is of a listing with tier "A", and tier is "B"`:    {Tier: "B", Cursor: page.Next, Limit: 1},
		`cursor: is not one that a page gave out (next_cursor): le`: {Tier: "A", Cursor: cursor{Tier: "A", Store: "999:x"}.format(), Limit: 1},
	} {
		_, err := a.List(t.Context(), q)
		var fault *api.QueryError
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want …%s…", q, err, want)
		}
	}
}

// An account is told with its forecast, its class and its latest tier changes.
func TestAnAccountIsToldWithItsChanges(t *testing.T) {
	t.Parallel()
	d, a := asked(t)
	for i := range 6 {
		d.visits("acme.example", i+1) // each visit once, whatever comes again
	}
	d.reaches("acme.example", 2)
	d.visits("other.example", 1)
	get := func(q api.AccountQuery) *api.Account {
		t.Helper()
		got, err := a.Get(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	d.eventually(func() error {
		got := get(api.AccountQuery{Account: " ACME.example", Changes: 10})
		if got.Changes == nil || len(*got.Changes) != 2 || got.Tier != "A" || got.Class != "small" || got.NextTier != nil || got.DemotesAt == nil {
			return fmt.Errorf("got %+v, want two changes", got)
		}
		last, first := (*got.Changes)[0], (*got.Changes)[1]
		if last.Seq != 2 || last.From != "B" || last.To != "A" || !last.MQA || last.Cause != "event" || first.Seq != 1 || first.Direction != "up" {
			t.Errorf("got %+v", *got.Changes)
		}
		return nil
	})
	if got := get(api.AccountQuery{Account: "acme.example", Changes: 1}); len(*got.Changes) != 1 || (*got.Changes)[0].Seq != 2 {
		t.Errorf("got %+v, want the latest change", got.Changes)
	}
	if got := get(api.AccountQuery{Account: "acme.example"}); got.Changes != nil {
		t.Errorf("got %+v, want none where nobody asks", got.Changes)
	}
	far := time.UnixMilli(d.now.Load()).Add(100 * 24 * time.Hour)
	if got := get(api.AccountQuery{Account: "acme.example", At: &far}); got.Tier != "C" || got.NextTier == nil || got.NextTier.Gap < 19 {
		t.Errorf("in 100 days: got %+v", got)
	}
	d.eventually(func() error {
		if _, account := d.account("other.example"); account == nil {
			return errors.New("not stored yet")
		}
		return nil
	})
	if got := get(api.AccountQuery{Account: "other.example", Changes: 10}); got.Changes == nil || len(*got.Changes) != 0 || got.NextTier.Tier != "B" || got.NextTier.Gap != 10 {
		t.Errorf("other: got %+v", got)
	}
	if _, err := a.Get(t.Context(), api.AccountQuery{Account: "nobody.example"}); !errors.Is(err, api.ErrNoAccount) {
		t.Errorf("nobody: got %v", err)
	}
}

func TestTheModelInForceIsTold(t *testing.T) {
	t.Parallel()
	_, a := asked(t)
	m, err := a.Model(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "classed" || m.Version != 1 || m.Stage != "adopted" || len(m.Tiers) != 3 || m.Tiers[2].Min != nil || !m.Tiers[0].MQA || m.Source != classed {
		t.Errorf("got %+v", m)
	}
}
