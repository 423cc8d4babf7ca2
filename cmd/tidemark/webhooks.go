package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"tidemark/pkg/app"
	"tidemark/streams/codec"
)

type webhooksCmd struct {
	List   webhooksListCmd   `cmd:"" help:"List the endpoints: whether they are enabled, and what waits."`
	Replay webhooksReplayCmd `cmd:"" help:"Send events again, by id or by when they were published."`
	Enable webhooksEnableCmd `cmd:"" help:"Let an endpoint have events again that was disabled."`
}

// hookFlags say where the queues are.
type hookFlags struct{ configFlags }

func (f *hookFlags) open(s *streams) (*app.HookAdmin, func(), error) {
	cfg, log, err := f.loadLogged(s)
	if err != nil {
		return nil, nil, err
	}
	return app.Webhooks(s.ctx, cfg, faultsOnly(log))
}

type webhooksListCmd struct {
	hookFlags
	JSON bool `help:"Print JSON."`
}

// hookJSON is an endpoint as --json prints it.
type hookJSON struct {
	Endpoint      string `json:"endpoint"`
	Queued        int64  `json:"queued"`
	NextAttempt   string `json:"next_attempt,omitempty"`
	Disabled      string `json:"disabled,omitempty"`
	DisabledSince string `json:"disabled_since,omitempty"`
}

// Run prints a row for each endpoint.
func (c *webhooksListCmd) Run(s *streams) error {
	admin, done, err := c.open(s)
	if err != nil {
		return err
	}
	defer done()
	standings, err := admin.List(s.ctx)
	if err != nil {
		return err
	}
	rows := make([]hookJSON, len(standings))
	for i, e := range standings {
		rows[i] = hookJSON{Endpoint: e.Endpoint, Queued: e.Depth.Queued, Disabled: e.Status.Disabled}
		if e.Depth.Next > 0 && e.Status.Disabled == "" {
			rows[i].NextAttempt = codec.FormatTime(e.Depth.Next)
		}
		if e.Status.Since > 0 {
			rows[i].DisabledSince = codec.FormatTime(e.Status.Since)
		}
	}
	if c.JSON {
		return writeJSON(s.out, rows)
	}
	t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "endpoint\tqueued\tnext attempt\tstate")
	for _, r := range rows {
		state, next := "enabled", "-"
		if r.Disabled != "" {
			state = "disabled since " + r.DisabledSince + ": " + r.Disabled
		}
		if r.NextAttempt != "" {
			next = r.NextAttempt
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", r.Endpoint, r.Queued, next, state)
	}
	return t.Flush()
}

type webhooksReplayCmd struct {
	hookFlags
	Endpoint string   `arg:"" help:"Where to send them."`
	ID       []string `help:"Only these events, by their id such as acme.example/3, or by webhook-id; several with commas." placeholder:"ID"`
	Since    string   `help:"Only events published from here on: RFC 3339, or a duration back from now such as 2h or 7d." placeholder:"WHEN"`
	Until    string   `help:"Only events published before this: RFC 3339, or a duration back from now." placeholder:"WHEN"`
}

// Run queues events again.
func (c *webhooksReplayCmd) Run(s *streams) error {
	r := app.HookReplay{Endpoint: c.Endpoint, IDs: c.ID}
	var err error
	if r.Since, err = instant("--since", c.Since, time.Now()); err != nil {
		return err
	}
	if r.Until, err = instant("--until", c.Until, time.Now()); err != nil {
		return err
	}
	if len(c.ID) == 0 && r.Since == 0 {
		return usageError{fmt.Errorf("say which events: --id or --since")}
	}
	admin, done, err := c.open(s)
	if err != nil {
		return err
	}
	defer done()
	n, err := admin.Replay(s.ctx, r)
	if err == nil {
		fmt.Fprintf(s.out, "%s: %d events queued\n", c.Endpoint, n)
	}
	return err
}

type webhooksEnableCmd struct {
	hookFlags
	Endpoint string `arg:"" help:"The endpoint."`
	Replay   bool   `help:"Send what it missed since it was disabled, too."`
}

// Run enables an endpoint.
func (c *webhooksEnableCmd) Run(s *streams) error {
	admin, done, err := c.open(s)
	if err != nil {
		return err
	}
	defer done()
	since, err := admin.Enable(s.ctx, c.Endpoint)
	if err != nil {
		return err
	}
	if since == 0 {
		_, err = fmt.Fprintf(s.out, "%s is enabled, as it was\n", c.Endpoint)
		return err
	}
	if !c.Replay {
		_, err = fmt.Fprintf(s.out, "%s is enabled; what it missed: tidemark webhooks replay %s --since %s\n", c.Endpoint, c.Endpoint, codec.FormatTime(since))
		return err
	}
	n, err := admin.Replay(s.ctx, app.HookReplay{Endpoint: c.Endpoint, Since: since})
	if err == nil {
		fmt.Fprintf(s.out, "%s is enabled, %d events queued that it missed\n", c.Endpoint, n)
	}
	return err
}
