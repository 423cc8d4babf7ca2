package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"tidemark/pkg/app"
	"tidemark/pkg/desk"
	"tidemark/pkg/route"
)

type mqasCmd struct {
	List     mqasListCmd     `cmd:"" help:"List MQAs, the best first: who has each, until when, and where it waits."`
	Ack      mqasAckCmd      `cmd:"" help:"Acknowledge an MQA: somebody has seen it, which keeps the promise."`
	Accept   mqasAcceptCmd   `cmd:"" help:"Accept an MQA."`
	Reject   mqasRejectCmd   `cmd:"" help:"Reject an MQA for a reason; the account is snoozed as the routing file says."`
	Reassign mqasReassignCmd `cmd:"" help:"Give an MQA to another rep, or to whoever is next."`
}

// deskFlags say where the desk is.
type deskFlags struct{ configFlags }

func (f *deskFlags) open(s *streams) (*desk.Desk, func(), error) {
	cfg, log, err := f.loadLogged(s)
	if err != nil {
		return nil, nil, err
	}
	if err := checkRouting(cfg); err != nil {
		return nil, nil, err
	}
	d, _, done, err := app.OpenDesk(s.ctx, cfg, faultsOnly(log))
	if errors.Is(err, app.ErrRoutingOff) {
		err = usageError{err}
	}
	return d, done, err
}

type mqasListCmd struct {
	deskFlags
	State    string `help:"Only those in this state: opened, acknowledged, accepted, rejected or held (snoozed)." placeholder:"STATE"`
	Owner    string `help:"Only this owner's." placeholder:"ID"`
	Team     string `help:"Only this team's." placeholder:"ID"`
	Account  string `help:"Only this account's."`
	Queued   bool   `help:"Only those that wait in a queue."`
	Breached bool   `help:"Only those whose deadline passed unkept."`
	JSON     bool   `help:"Print JSON lines."`
}

// Run prints the MQAs on the desk.
func (c *mqasListCmd) Run(s *streams) error {
	d, done, err := c.open(s)
	if err != nil {
		return err
	}
	defer done()
	found, err := d.List(s.ctx, desk.Filter{
		State: route.State(c.State), Owner: c.Owner, Team: c.Team, Account: strings.ToLower(c.Account), Queued: c.Queued, Breached: c.Breached,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		for _, v := range found {
			if err := writeJSON(s.out, v); err != nil {
				return err
			}
		}
		return nil
	}
	return writeMQAs(s.out, found)
}

func writeMQAs(w io.Writer, found []*desk.View) error {
	t := table.NewWriter()
	t.AppendHeader(table.Row{"MQA", "tier", "score", "state", "owner", "team", "deadline", "why"})
	for _, v := range found {
		state := string(v.State)
		if v.Position > 0 {
			state = fmt.Sprintf("queued, place %d", v.Position)
		}
		deadline := v.Deadline
		if v.Breached {
			deadline += " (breached)"
		}
		if v.State == route.Held {
			deadline = "snoozed until " + v.Snoozed
		}
		t.AppendRow(table.Row{
			fmt.Sprintf("%s/%d", v.Account, v.Seq), v.Tier, fmt.Sprintf("%.1f", v.Score), state, v.Owner, v.Team, deadline, cmp.Or(v.Signal, "-"),
		})
	}
	_, err := fmt.Fprintf(w, "%s\n%d MQAs\n", t.Render(), len(found))
	return err
}

// mqaFlags name an MQA and who acts on it.
type mqaFlags struct {
	deskFlags
	Account string `arg:"" help:"The account id, such as acme.example."`
	Seq     uint64 `arg:"" optional:"" help:"The seq of the tier change that opened it. Without it, the account's MQA."`
	By      string `help:"Who does this: an id, no e-mail address." placeholder:"ID"`
}

// do carries a command out and prints what it came to.
func (f *mqaFlags) do(s *streams, c route.Command) error {
	d, done, err := f.open(s)
	if err != nil {
		return err
	}
	defer done()
	c.Account, c.Seq, c.By = strings.ToLower(strings.TrimSpace(f.Account)), f.Seq, f.By
	v, err := d.Do(s.ctx, c, "")
	switch {
	case errors.Is(err, route.ErrCommand):
		return usageError{err}
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s/%d: %s, owner %s\n", v.Account, v.Seq, v.State, v.Owner)
	return err
}

type mqasAckCmd struct{ mqaFlags }

// Run acknowledges.
func (c *mqasAckCmd) Run(s *streams) error { return c.do(s, route.Command{Verb: route.Ack}) }

type mqasAcceptCmd struct{ mqaFlags }

// Run accepts.
func (c *mqasAcceptCmd) Run(s *streams) error { return c.do(s, route.Command{Verb: route.Accept}) }

type mqasRejectCmd struct {
	mqaFlags
	Reason string `required:"" help:"One of the routing file's reasons, such as not-now."`
}

// Run rejects.
func (c *mqasRejectCmd) Run(s *streams) error {
	return c.do(s, route.Command{Verb: route.Reject, Reason: c.Reason})
}

type mqasReassignCmd struct {
	mqaFlags
	To    string `help:"The rep to give it to. Without it, whoever is next by the rules." placeholder:"ID"`
	Force bool   `help:"Over the rep's cap, out of hours or during an absence, too."`
}

// Run reassigns.
func (c *mqasReassignCmd) Run(s *streams) error {
	return c.do(s, route.Command{Verb: route.ReassignVerb, To: c.To, Force: c.Force})
}

type modelPrecisionCmd struct {
	deskFlags
	JSON bool `help:"Print JSON lines."`
}

// Run prints what became of MQAs, by model version and leading signal.
func (c *modelPrecisionCmd) Run(s *streams) error {
	d, done, err := c.open(s)
	if err != nil {
		return err
	}
	defer done()
	found, err := d.Precisions(s.ctx)
	if err != nil {
		return err
	}
	for _, p := range found {
		if err := c.write(s.out, p); err != nil {
			return err
		}
	}
	if len(found) == 0 && !c.JSON {
		fmt.Fprintln(s.out, "no MQA was opened yet")
	}
	return nil
}

func (c *modelPrecisionCmd) write(w io.Writer, p route.Precision) error {
	if c.JSON {
		return writeJSON(w, map[string]any{
			"model": p.Model, "signal": p.Signal, "opened": p.Opened, "accepted": p.Accepted, "rejected": p.Rejected, "reasons": p.Reasons,
			"rejected_share": p.RejectedShare(),
		})
	}
	if p.Accepted+p.Rejected == 0 {
		_, err := fmt.Fprintf(w, "%s: %d MQAs led by %s, none decided yet\n", p.Model, p.Opened, p.Signal)
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %.0f %% of the MQAs led by %s were rejected (%d of %d decided, %d opened)%s\n",
		p.Model, 100*p.RejectedShare(), p.Signal, p.Rejected, p.Accepted+p.Rejected, p.Opened, reasonsOf(p))
	return err
}

// reasonsOf lists why, in the order of their names.
func reasonsOf(p route.Precision) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(p.Reasons)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, p.Reasons[name]))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
