package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"tidemark/pkg/app"
	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/streams/codec"
)

type rebuildCmd struct {
	configFlags
	Switch bool `help:"Make the rebuilt state the live one. Instances pause for it and go on by themselves." xor:"what"`
	Drop   bool `help:"Remove what is kept beside the live state: former states, and a rebuilt one that was not switched to." xor:"what"`
}

// Run builds a second state from the log, and compares or switches.
func (c *rebuildCmd) Run(s *streams) error {
	cfg, log, err := c.open(s)
	if err != nil {
		return err
	}
	log = faultsOnly(log)
	if c.Drop {
		dropped, err := app.DropGenerations(s.ctx, cfg, log)
		if err == nil {
			fmt.Fprintf(s.out, "generations removed: %s\n", numbers(dropped))
		}
		return err
	}
	var mu sync.Mutex // guards s.err: progress comes from another goroutine
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(s.err, line)
	}
	done, err := app.Rebuild(s.ctx, cfg, log, app.RebuildOptions{
		Switch: c.Switch, Stage: say, Progress: func(p app.Progress) { say(progressLine(p)) },
	})
	if err != nil {
		return err
	}
	return writeRebuilt(s.out, cfg, done)
}

func progressLine(p app.Progress) string {
	line := fmt.Sprintf("%d of %d records, %.0f a second", p.Read, p.All, p.Rate)
	if p.Left > 0 {
		line += ", about " + p.Left.Round(time.Second).String() + " left"
	}
	return line
}

// writeRebuilt says what a rebuild found.
func writeRebuilt(w io.Writer, cfg config.Config, r *app.Rebuilt) error {
	p := &printer{w: w}
	p.line("generation %d of namespace %s is built from %d records, of which %d cannot be used (they are dead letters)", r.Generation, cfg.Namespace, r.Records, r.Dead)
	for _, m := range slices.SortedFunc(slices.Values(r.Missing), func(a, b app.Missing) int {
		return cmp.Or(strings.Compare(a.Partition.Topic, b.Partition.Topic), a.Partition.ID-b.Partition.ID)
	}) {
		p.line("%s/%d begins at offset %d only: what was before it is gone and earns nothing", m.Partition.Topic, m.Partition.ID, m.First)
	}
	p.compared(&r.Compared)
	switch {
	case !r.Switched:
		p.line("nothing has changed yet. `tidemark rebuild --switch` makes the new state the live one; `tidemark rebuild --drop` gives it up")
	case len(r.Corrected) == 0:
		p.line("switched: generation %d is the live one. No tier differs from what was published, so nothing is published", r.Generation)
	default:
		p.line("switched: generation %d is the live one. Tiers that differ from what was published are published now:", r.Generation)
		p.corrections(r.Corrected)
	}
	if len(r.Former) > 0 {
		p.line("generations that hold a former state: %s. `tidemark rebuild --drop` removes them", numbers(r.Former))
	}
	return p.err
}

// printer writes until something fails.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) compared(c *app.Comparison) {
	p.line("compared at %s: %d accounts from the log, %d live", codec.FormatTime(c.At), c.Log, c.Live)
	if c.Unreadable > 0 {
		p.line("%d live accounts cannot be read by this program", c.Unreadable)
	}
	if c.Scores > 0 {
		p.line("%d accounts stand in the same tier with another score", c.Scores)
	}
	if c.Differ == 0 {
		p.line("no account stands in another tier")
		return
	}
	p.line("%d accounts stand in another tier:", c.Differ)
	p.corrections(c.Moves)
	if p.err != nil {
		return
	}
	table := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  account\tlive\tscore\tfrom the log\tscore")
	for _, d := range c.Examples {
		fmt.Fprintf(table, "  %s\t%s\t%.2f\t%s\t%.2f\n", d.Account, d.LiveTier, d.LiveScore, d.LogTier, d.LogScore)
	}
	p.err = table.Flush()
}

func (p *printer) corrections(n map[engine.Correction]int) {
	keys := slices.SortedFunc(maps.Keys(n), func(a, b engine.Correction) int {
		return cmp.Or(strings.Compare(a.Told, b.Told), strings.Compare(a.Is, b.Is))
	})
	for _, k := range keys {
		p.line("  %s -> %s: %d", k.Told, k.Is, n[k])
	}
}

func numbers(list []int) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Trim(fmt.Sprint(list), "[]")
}
