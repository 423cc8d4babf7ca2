package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tidemark/pkg/app"
	"tidemark/pkg/explain"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

type accountsCmd struct {
	Get     accountsGetCmd     `cmd:"" help:"Print an account as JSON: tier, score, receipt, forecast."`
	Explain accountsExplainCmd `cmd:"" help:"Say in a table where an account's score comes from, and when it would be demoted."`
}

// accountFlags name the account and the instant.
type accountFlags struct {
	configFlags
	Account string `arg:"" help:"The account id, such as acme.example."`
	At      string `help:"The instant to look at, RFC 3339; not before the account's clock. Default: now."`
}

func (f *accountFlags) lookup(s *streams) (*app.Standing, error) {
	cfg, err := f.load(s)
	if err != nil {
		return nil, err
	}
	at := time.Now()
	if f.At != "" {
		if at, err = time.Parse(time.RFC3339Nano, f.At); err != nil {
			return nil, usageError{fmt.Errorf("--at: %q is not an RFC 3339 instant such as 2026-12-31T00:00:00Z", f.At)}
		}
	}
	return app.Lookup(s.ctx, cfg, strings.ToLower(strings.TrimSpace(f.Account)), at.UnixMilli())
}

type accountsGetCmd struct{ accountFlags }

type accountJSON struct {
	Account   string          `json:"account"`
	At        string          `json:"at"`
	Score     float64         `json:"score"`
	Tier      string          `json:"tier"`
	Seq       uint64          `json:"seq"`
	Clock     string          `json:"clock"`
	DemotesAt *string         `json:"demotes_at"`
	NextTier  *nextTierJSON   `json:"next_tier"`
	Receipt   scoring.Receipt `json:"receipt"`
	Profile   map[string]any  `json:"profile"`
	Model     modelJSON       `json:"model"`
	// MergedInto is the account that this one went into.
	MergedInto string `json:"merged_into,omitempty"`
}

type nextTierJSON struct {
	Tier string  `json:"tier"`
	Min  float64 `json:"min"`
	Gap  float64 `json:"gap"`
}

type modelJSON struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
}

// Run prints the account as JSON.
func (c *accountsGetCmd) Run(s *streams) error {
	a, err := c.lookup(s)
	if err != nil {
		return err
	}
	out := accountJSON{
		Account: a.Account, At: codec.FormatTime(a.At), Score: a.Receipt.Score, Tier: a.Tier, Seq: a.Seq,
		Clock: codec.FormatTime(a.Clock), Receipt: a.Receipt,
		Model: modelJSON{a.Model.Name(), a.Model.Version(), a.Model.Hash()}, MergedInto: a.Into,
	}
	if a.Demotion != nil {
		at := codec.FormatTime(*a.Demotion)
		out.DemotesAt = &at
	}
	if a.NextTier != "" {
		out.NextTier = &nextTierJSON{a.NextTier, a.NextMin, max(a.NextMin-a.Receipt.Score, 0)}
	}
	if a.Profile != nil {
		out.Profile = a.Profile.Attributes
	}
	encoder := json.NewEncoder(s.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

type accountsExplainCmd struct{ accountFlags }

// Run prints the account's receipt for people.
func (c *accountsExplainCmd) Run(s *streams) error {
	a, err := c.lookup(s)
	if err != nil {
		return err
	}
	return explain.Write(s.out, a.Account, explain.Facts{
		At: a.At, Tier: a.Tier, Demotion: a.Demotion, NextTier: a.NextTier, NextMin: a.NextMin, Receipt: a.Receipt,
		Into: a.Into,
	})
}
