package main

import (
	"encoding/json"
	"fmt"
	"time"

	"tidemark/pkg/api"
	"tidemark/pkg/app"
	"tidemark/pkg/explain"
)

type accountsCmd struct {
	List    accountsListCmd    `cmd:"" help:"List accounts: tier, score, when they would be demoted."`
	Get     accountsGetCmd     `cmd:"" help:"Print an account as JSON: tier, score, receipt, forecast."`
	Explain accountsExplainCmd `cmd:"" help:"Say in a table where an account's score comes from, and when it would be demoted."`
}

// accountFlags name the account and the instant.
type accountFlags struct {
	configFlags
	Account string `arg:"" help:"The account id, such as acme.example."`
	At      string `help:"The instant to look at, RFC 3339; not before the account's clock. Default: now."`
}

// instant is --at, or nil.
func (f *accountFlags) instant() (*time.Time, error) {
	if f.At == "" {
		return nil, nil //nolint:nilnil // not given, and nothing went wrong
	}
	at, err := parseInstant("--at", f.At)
	if err != nil {
		return nil, err
	}
	return &at, nil
}

// parseInstant reads an instant that a flag gives.
func parseInstant(flag, text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		err = usageError{fmt.Errorf("%s: %q is not an RFC 3339 instant such as 2026-12-31T00:00:00Z", flag, text)}
	}
	return at, err
}

type accountsGetCmd struct {
	accountFlags
	Changes int `help:"Its so many latest tier changes too, at most 100; they are read from Kafka." placeholder:"N"`
}

// Run prints the account as JSON, as GET /api/v1/accounts/{id} does.
func (c *accountsGetCmd) Run(s *streams) error {
	cfg, log, err := c.loadLogged(s)
	if err != nil {
		return err
	}
	at, err := c.instant()
	if err != nil {
		return err
	}
	if c.Changes < 0 || c.Changes > api.MostChanges {
		return usageError{fmt.Errorf("--changes: %d is not a number from 0 to %d", c.Changes, api.MostChanges)}
	}
	accounts, done, err := app.OpenAccounts(s.ctx, cfg, c.Changes > 0, faultsOnly(log))
	if err != nil {
		return err
	}
	defer done()
	a, err := accounts.Get(s.ctx, api.AccountQuery{Account: c.Account, At: at, Changes: c.Changes})
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(s.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(a)
}

type accountsExplainCmd struct{ accountFlags }

// Run prints the account's receipt for people.
func (c *accountsExplainCmd) Run(s *streams) error {
	cfg, err := c.load(s)
	if err != nil {
		return err
	}
	at, err := c.instant()
	if err != nil {
		return err
	}
	if at == nil {
		now := time.Now()
		at = &now
	}
	a, err := app.Lookup(s.ctx, cfg, app.CleanAccount(c.Account), at.UnixMilli())
	if err != nil {
		return err
	}
	return explain.Write(s.out, a.Account, explain.Facts{
		At: a.At, Tier: a.Tier, Demotion: a.Demotion, NextTier: a.NextTier, NextMin: a.NextMin, Receipt: a.Receipt,
		Into: a.Into,
	})
}
