package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tidemark/pkg/app"
	"tidemark/pkg/config/yamltree"
	"tidemark/pkg/deadletters"
	"tidemark/streams/codec"
)

type deadLettersCmd struct {
	List   deadLettersListCmd   `cmd:"" help:"List what could not be used, and why: a summary by reason and topic, and the latest letters."`
	Show   deadLettersShowCmd   `cmd:"" help:"Show a dead letter whole. Its value may hold personal data, as the producer sent it."`
	Replay deadLettersReplayCmd `cmd:"" help:"Write dead letters to their topics again, once the cause is gone. However often, each counts once."`
}

// letterFlags say where the letters are.
type letterFlags struct{ configFlags }

func (f *letterFlags) open(s *streams) (*deadletters.Letters, func(), error) {
	cfg, log, err := f.loadLogged(s)
	if err != nil {
		return nil, nil, err
	}
	return app.DeadLetters(s.ctx, cfg, faultsOnly(log))
}

// letterFilter says which letters are meant.
type letterFilter struct {
	Reason []string `help:"Only letters of these reasons, such as future_time; several with commas." placeholder:"REASON"`
	Topic  []string `help:"Only letters whose originals came from these topics; several with commas." placeholder:"TOPIC"`
	Since  string   `help:"Only originals with a Kafka timestamp from here on: RFC 3339, or a duration back from now such as 2h or 7d." placeholder:"WHEN"`
	Until  string   `help:"Only originals with a Kafka timestamp before this: RFC 3339, or a duration back from now." placeholder:"WHEN"`
}

func (f *letterFilter) filter(now time.Time) (out deadletters.Filter, err error) {
	for _, reason := range f.Reason {
		if !slices.Contains(codec.Reasons(), codec.Reason(reason)) {
			return out, usageError{fmt.Errorf("--reason: %q is not one of %v", reason, codec.Reasons())}
		}
	}
	out.Reasons, out.Topics = f.Reason, f.Topic
	if out.Since, err = instant("--since", f.Since, now); err != nil {
		return out, err
	}
	out.Until, err = instant("--until", f.Until, now)
	return out, err
}

// instant reads an instant or a duration back from now; 0 for no text.
func instant(flag, text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t.UnixMilli(), nil
	}
	back, err := yamltree.ParseDuration(text)
	if err != nil {
		return 0, usageError{fmt.Errorf("%s: %q is neither an RFC 3339 instant such as 2026-12-31T00:00:00Z nor a duration such as 2h or 7d", flag, text)}
	}
	return now.UnixMilli() - back, nil
}

type deadLettersListCmd struct {
	letterFlags
	letterFilter
	Limit int  `help:"The most letters to list, the latest by timestamp." default:"20"`
	JSON  bool `help:"Print JSON."`
}

// Run prints a summary and the latest letters.
func (c *deadLettersListCmd) Run(s *streams) error {
	f, err := c.filter(time.Now())
	if err == nil && c.Limit < 0 {
		err = usageError{fmt.Errorf("--limit: %d is negative", c.Limit)}
	}
	if err != nil {
		return err
	}
	letters, done, err := c.open(s)
	if err != nil {
		return err
	}
	defer done()
	list, err := letters.List(s.ctx, f, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(s.out, listJSON(list))
	}
	return writeList(s.out, list)
}

type deadLettersShowCmd struct {
	letterFlags
	Place string `arg:"" help:"TOPIC/PARTITION/OFFSET: of the original as the list has it, or of the letter in the dead-letter topic." placeholder:"TOPIC/PARTITION/OFFSET"`
	JSON  bool   `help:"Print JSON."`
}

// Run prints the letters at a place.
func (c *deadLettersShowCmd) Run(s *streams) error {
	at, err := deadletters.ParsePlace(c.Place)
	if err != nil {
		return usageError{err}
	}
	letters, done, err := c.open(s)
	if err != nil {
		return err
	}
	defer done()
	found, err := letters.Find(s.ctx, at)
	if err != nil {
		return err
	}
	if c.JSON {
		out := make([]letterJSON, len(found))
		for i, l := range found {
			out[i] = wholeJSON(l)
		}
		return writeJSON(s.out, out)
	}
	for _, l := range found {
		if err := writeLetter(s.out, l); err != nil {
			return err
		}
	}
	return nil
}

type deadLettersReplayCmd struct {
	letterFlags
	letterFilter
	Place       string `arg:"" optional:"" help:"TOPIC/PARTITION/OFFSET of one original or letter. Without it and without filters, --all is needed." placeholder:"TOPIC/PARTITION/OFFSET"`
	All         bool   `help:"Replay every letter that can be."`
	DryRun      bool   `help:"Say what would be done, and write nothing."`
	Again       bool   `help:"Replay letters too that were replayed before."`
	MaxAttempts int    `help:"Refuse letters of records that were dead letters this often; 0: no bound." default:"5"`
}

// Help says what a replay does and what it is safe from.
func (c *deadLettersReplayCmd) Help() string {
	return strings.TrimSpace(`
Each letter's original is written to the topic that it came from: its bytes, key, headers and Kafka timestamp, with two
headers more (tidemark.replay.count and tidemark.replay.letter).

What was written is noted in the dead-letter topic, so a replay that was interrupted is run again and writes only what is
missing. Run one at a time. An event that was counted meanwhile under the same id is a duplicate for the UTC day of its
Kafka timestamp and the day after; later it may count again, and a warning says so. A letter that is bad again becomes a
dead letter again, and how often is counted.`)
}

// Run replays and tells of it.
func (c *deadLettersReplayCmd) Run(s *streams) error {
	f, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	if c.Place != "" {
		at, err := deadletters.ParsePlace(c.Place)
		if err != nil {
			return usageError{err}
		}
		f.At = &at
	}
	narrowed := c.Place != "" || len(f.Reasons) > 0 || len(f.Topics) > 0 || f.Since != 0 || f.Until != 0
	if narrowed == c.All {
		return usageError{fmt.Errorf("say which letters: a place, --reason, --topic, --since or --until, or else --all")}
	}
	letters, done, err := c.open(s)
	if err != nil {
		return err
	}
	defer done()
	report, err := letters.Replay(s.ctx, deadletters.Options{
		Filter: f, MaxAttempts: c.MaxAttempts, Again: c.Again, DryRun: c.DryRun, Progress: paced(s.err),
	})
	if report == nil {
		return err
	}
	if told := writeReport(s.out, report, c.DryRun); err == nil {
		err = told
	}
	return err
}

// paced tells of progress every two seconds.
func paced(w io.Writer) func(done, all int) {
	last := time.Now()
	return func(done, all int) {
		if time.Since(last) >= 2*time.Second {
			last = time.Now()
			fmt.Fprintf(w, "%d of %d letters replayed\n", done, all)
		}
	}
}
