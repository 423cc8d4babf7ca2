package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"

	"tidemark/pkg/api"
	"tidemark/pkg/app"
)

type accountsListCmd struct {
	configFlags
	Tier   string `help:"Only those of this tier." placeholder:"TIER"`
	Class  string `help:"Only those of this class of the model's portfolio." placeholder:"CLASS"`
	Limit  int    `help:"The most accounts to list; 0: all there are." default:"50" placeholder:"N"`
	Cursor string `help:"Go on where a list ended that says so." placeholder:"CURSOR"`
	JSON   bool   `help:"Print JSON, an account after the other."`
}

// Run prints accounts, page by page, as GET /api/v1/accounts gives them.
func (c *accountsListCmd) Run(s *streams) error {
	cfg, log, err := c.loadLogged(s)
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return usageError{fmt.Errorf("--limit: %d is negative; 0 lists all", c.Limit)}
	}
	accounts, done, err := app.OpenAccounts(s.ctx, cfg, false, faultsOnly(log))
	if err != nil {
		return err
	}
	defer done()
	out := c.printer(s.out)
	q := api.ListQuery{Tier: c.Tier, Class: c.Class, Cursor: c.Cursor}
	for listed := 0; ; {
		q.Limit = api.LargestPage
		if c.Limit > 0 {
			q.Limit = min(c.Limit-listed, api.LargestPage)
		}
		page, err := accounts.List(s.ctx, q)
		if err != nil {
			return queryFault(err)
		}
		if err := out.page(page.Accounts); err != nil {
			return err
		}
		listed += len(page.Accounts)
		if q.Cursor = page.Next; q.Cursor == "" || c.Limit > 0 && listed >= c.Limit {
			return out.end(listed, q.Cursor)
		}
	}
}

// queryFault is a usageError where the query is at fault, in the words of flags.
func queryFault(err error) error {
	var q *api.QueryError
	if errors.As(err, &q) {
		return usageError{fmt.Errorf("--%s: %s", q.Name, q.Why)}
	}
	return err
}

// listing prints what is listed.
type listing interface {
	page(accounts []api.Listed) error
	end(listed int, cursor string) error
}

func (c *accountsListCmd) printer(w io.Writer) listing {
	if c.JSON {
		return jsonListing{w}
	}
	t := table.NewWriter()
	t.AppendHeader(table.Row{"account", "tier", "score", "class", "demotes at", "seq"})
	return &tableListing{w, t}
}

type jsonListing struct{ io.Writer }

func (l jsonListing) page(accounts []api.Listed) error {
	for i := range accounts {
		if err := writeJSON(l, &accounts[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l jsonListing) end(_ int, cursor string) error {
	if cursor == "" {
		return nil
	}
	return writeJSON(l, map[string]string{"next_cursor": cursor})
}

type tableListing struct {
	io.Writer
	table table.Writer
}

func (l *tableListing) page(accounts []api.Listed) error {
	for _, a := range accounts {
		demotes := "-"
		if a.DemotesAt != nil {
			demotes = *a.DemotesAt
		}
		l.table.AppendRow(table.Row{a.Account, a.Tier, fmt.Sprintf("%.1f", a.Score), cmp.Or(a.Class, "-"), demotes, a.Seq})
	}
	return nil
}

func (l *tableListing) end(listed int, cursor string) error {
	more := ""
	if cursor != "" {
		more = "; there may be more: --cursor " + cursor
	}
	_, err := fmt.Fprintf(l, "%s\n%d accounts%s\n", l.table.Render(), listed, more)
	return err
}
