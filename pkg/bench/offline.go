package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// offlines measures `score` on a file of the workload's events.
func (b *bench) offlines(ctx context.Context) (err error) {
	path := filepath.Join(b.dir, "events.jsonl")
	b.say("writing %d events to a file", b.opts.Workload.Events)
	until, err := b.writeEvents(path)
	if err != nil {
		return fmt.Errorf("write the workload: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	for range b.opts.Rounds {
		if err := b.offline(ctx, path, until); err != nil {
			return err
		}
	}
	return nil
}

// writeEvents writes the workload as JSON lines and gives its latest event time.
func (b *bench) writeEvents(path string) (latest time.Time, err error) {
	file, err := os.Create(path)
	if err != nil {
		return latest, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 1<<20)
	g := newGenerator(b.opts.Workload)
	for e, ok := g.next(); ok; e, ok = g.next() {
		if at := time.UnixMilli(e.time); at.After(latest) {
			latest = at
		}
		if _, err := out.Write(append(e.value, '\n')); err != nil {
			return latest, err
		}
	}
	return latest, out.Flush()
}

func (b *bench) offline(ctx context.Context, events string, until time.Time) error {
	changes := filepath.Join(b.dir, "changes.jsonl")
	argv := append(append([]string(nil), b.opts.Program...), "score", "--model", b.model, "--events", events,
		"--until", until.UTC().Format(time.RFC3339Nano), "--changes", changes)
	begun := time.Now()
	c, err := startChild("score", argv, b.opts.Environ, "", func(string) {})
	if err != nil {
		return err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), c.stop())
	}
	if c.err != nil {
		return c.ended()
	}
	took, used := time.Since(begun), c.cmd.ProcessState.UserTime()+c.cmd.ProcessState.SystemTime()
	n := b.opts.Workload.Events
	b.report.add(SectionOffline, "score", "events/s", perSecond(n, took))
	b.report.add(SectionOffline, "cpu score", "µs/event", perEvent(used, n))
	b.report.add(SectionOffline, "cores in use", "cores", used.Seconds()/took.Seconds())
	b.say("offline: score %s events/s", number(perSecond(n, took)))
	return os.Remove(changes)
}
