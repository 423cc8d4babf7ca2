package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"tidemark/pkg/backtest"
	"tidemark/pkg/offline"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

type backtestCmd struct {
	Model       string `help:"Model file. Without it, the reference model." type:"path"`
	Against     string `help:"A second model file to set beside it." type:"path"`
	Events      string `required:"" help:"Events as JSON lines, in order of arrival, outcomes among them; - for standard input."`
	Profiles    string `help:"Profiles as JSON lines, known beforehand." type:"path"`
	Until       string `required:"" help:"Instant to stop at, RFC 3339."`
	DeadLetters string `help:"Write lines that can't be used here, with the reason." type:"path"`
	JSON        bool   `help:"Print JSON."`
}

// Help says what the figures mean.
func (c *backtestCmd) Help() string {
	return strings.TrimSpace(`
It scores the history as tidemark score does, and writes nothing. An account is good if an outcome.opportunity or outcome.won of it is in the
history. Of a tier, precision is the part of the accounts that came into it that were good later; who was good before is left out.
Recall is the part of all good accounts that it had before. Base is the part of all accounts that are good, and lift is precision by base: 1
is no better than a guess. Where the history ends soon after an account came in, its outcome is not known yet.`)
}

// backtestSide is one of the models with its run.
type backtestSide struct {
	model  *scoring.Model
	runner *offline.Runner
	tape   *backtest.Tape
}

// Run scores a history under one model or two and reports.
func (c *backtestCmd) Run(s *streams) error {
	until, err := parseInstant("--until", c.Until)
	if err != nil {
		return err
	}
	defer collectAt(s.environ, batchGC)()
	j := scoreJob{streams: s, cmd: &scoreCmd{Events: c.Events, Profiles: c.Profiles, DeadLetters: c.DeadLetters}}
	defer j.close()
	files := []string{c.Model}
	if c.Against != "" {
		files = append(files, c.Against)
	}
	var sides []*backtestSide
	for _, file := range files {
		side, err := newBacktestSide(&j, file, until)
		if err != nil {
			return err
		}
		sides = append(sides, side)
	}
	j.decoder = codec.New(codec.Rules{Reads: func(typ string) (properties, fields bool) {
		for _, side := range sides {
			p, f := side.model.Reads(typ)
			properties, fields = properties || p, fields || f
		}
		return properties, fields
	}})
	if err := feed(&j, sides); err != nil {
		return err
	}
	reports := make([]*backtest.Report, len(sides))
	for i, side := range sides {
		if reports[i], err = side.report(until.UnixMilli()); err != nil {
			return err
		}
	}
	if j.dead > 0 {
		fmt.Fprintf(s.err, "%d lines could not be used\n", j.dead)
	}
	if c.JSON {
		return writeJSON(s.out, map[string]any{"until": codec.FormatTime(until.UnixMilli()), "models": reports})
	}
	return writeBacktest(s.out, reports)
}

func newBacktestSide(j *scoreJob, file string, until time.Time) (*backtestSide, error) {
	m, _, err := openModel(file)
	if err != nil {
		return nil, err
	}
	spool, err := j.temporary()
	if err != nil {
		return nil, err
	}
	side := &backtestSide{model: m, tape: backtest.NewTape()}
	side.runner = offline.New(m, until.UnixMilli(), side.tape, spool)
	side.runner.Outcomes(side.tape.Outcome)
	return side, nil
}

// feed reads the files once, for all sides.
func feed(j *scoreJob, sides []*backtestSide) error {
	profile := func(e *scoring.Event) {
		for _, side := range sides {
			side.runner.Profile(e)
		}
	}
	take := func(in offline.Input) error {
		var first error
		for _, side := range sides {
			if err := side.runner.Event(in.Event); err != nil && first == nil {
				first = err
			}
		}
		return first
	}
	flush := func() error {
		for _, side := range sides {
			if err := side.runner.Flush(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := j.openLetters(); err != nil {
		return err
	}
	return errors.Join(j.feed(profile, take, flush), j.closeLetters())
}

func (b *backtestSide) report(until int64) (*backtest.Report, error) {
	var standings []offline.Score
	_, err := b.runner.Finish(
		func([]byte) error { return nil },
		func(s offline.Score) error { standings = append(standings, s); return nil },
	)
	if err != nil {
		return nil, err
	}
	return b.tape.Report(b.model, standings, b.runner.Heir, until), nil
}

// writeBacktest prints tables, the models side by side.
func writeBacktest(w io.Writer, reports []*backtest.Report) error {
	titles := make([]string, len(reports))
	for i, r := range reports {
		titles[i] = fmt.Sprintf("%s v%d", r.Model, r.Version)
		if i > 0 && titles[i] == titles[0] {
			titles[i] += fmt.Sprintf(" (%.8s)", r.Hash)
		}
		fmt.Fprintf(w, "%s: %d accounts, %d tier changes, %d MQAs\n", titles[i], r.Accounts, r.Changes, r.MQAs)
	}
	tiers := table.NewWriter()
	tiers.AppendHeader(table.Row{"model", "tier", "accounts at the end", "ever came into it"})
	weeks := table.NewWriter()
	weeks.AppendHeader(table.Row{"model", "week of", "MQAs"})
	outcomes := table.NewWriter()
	outcomes.AppendHeader(table.Row{"model", "tier", "came into it", "good later", "precision", "recall", "lift"})
	for i, r := range reports {
		for _, t := range r.Tiers {
			tiers.AppendRow(table.Row{titles[i], t.Tier, t.Accounts, t.Entered})
		}
		for _, week := range r.Weeks {
			weeks.AppendRow(table.Row{titles[i], week.Week, week.MQAs})
		}
		if r.Outcomes == nil {
			continue
		}
		for _, f := range r.Outcomes.Tiers {
			outcomes.AppendRow(table.Row{titles[i], f.Tier, f.Entered, f.Hits, percent(f.Precision), percent(f.Recall), times(f.Lift)})
		}
	}
	fmt.Fprintf(w, "\n%s\n", tiers.Render())
	if weeks.Length() > 0 {
		fmt.Fprintf(w, "\n%s\n", weeks.Render())
	}
	if outcomes.Length() == 0 {
		_, err := fmt.Fprintln(w, "\nno outcome in the history: what a tier foretells cannot be said")
		return err
	}
	o := reports[0].Outcomes
	_, err := fmt.Fprintf(w, "\n%s\n%d accounts are good (%d outcome events); of all accounts of %s that is %s\n",
		outcomes.Render(), o.Good, o.Events, titles[0], percent(&o.Base))
	return err
}

func percent(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100**x)
}

func times(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f", *x)
}
