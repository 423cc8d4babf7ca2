package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// rescored is the line of the log that ends a rescore.
const rescored = "all accounts are under the new model"

// rescores measures a change of the model of accounts at rest, beside a load.
func (b *bench) rescores(ctx context.Context) error {
	for round := range b.opts.Rounds {
		if err := b.rescoreSeeded(ctx, uint64(round)); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) rescoreSeeded(ctx context.Context, round uint64) (err error) {
	d, err := b.deploy(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, d, nil)) }()
	if err := b.seed(ctx, d, b.opts.Quiet, popName, quietAccount(time.Now())); err != nil {
		return err
	}
	return b.rescore(ctx, d, round)
}

// rescore puts another model in force the way an operator does, by a restart, while
// events of other accounts keep coming.
func (b *bench) rescore(ctx context.Context, d *deployment, round uint64) (err error) {
	changed, err := b.changedModel()
	if err != nil {
		return err
	}
	m, err := b.begin(ctx, d, d.probe(b.opts.Rate, b.opts.Workload.Seed+100+round))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	x := m.probe
	before := window{b.warmUp(), b.warmUp() + b.baseline()}
	if err := x.wait(ctx, before.to+margin); err != nil {
		return err
	}
	b.say("changing the model of %d accounts under %d events/s", b.opts.Quiet, b.opts.Rate)
	restart := window{from: x.elapsed()}
	if err := m.serve.stop(); err != nil {
		return err
	}
	m.serve = nil
	if err := d.set("model", changed); err != nil {
		return err
	}
	done := make(chan logLine, 1)
	m.serve, err = b.startServe(d, func(l logLine) {
		if l.Message == rescored {
			done <- l
		}
	})
	if err != nil {
		return err
	}
	if err := m.serve.ready(ctx); err != nil {
		return err
	}
	restart.to = x.elapsed()
	line, err := b.awaitRescored(ctx, m, done)
	if err != nil {
		return err
	}
	meanwhile := window{restart.to, x.elapsed()}
	if meanwhile.to-meanwhile.from > 2*restartTail {
		meanwhile.from += restartTail
	}
	if err := x.wait(ctx, meanwhile.to+b.baseline()); err != nil {
		return err
	}
	if err := b.settle(ctx, x, m.serve, d); err != nil {
		return err
	}
	b.report.add(SectionRescore, "accounts rescored", "", float64(line.Accounts))
	b.report.add(SectionRescore, "rate", "accounts/s", float64(line.Accounts)/(line.Took/1000))
	b.report.add(SectionRescore, "from stop to ready", "s", (restart.to - restart.from).Seconds())
	b.compare(SectionRescore, "restart: ", x, restart)
	b.compareWindows(SectionRescore, x, before, meanwhile)
	return nil
}

// restartTail is how long after it is ready what waited during the restart may still be
// ahead of new events: it is no part of the rescore.
const restartTail = 5 * time.Second

// awaitRescored waits until all accounts are under the new model, while the load goes on.
func (b *bench) awaitRescored(ctx context.Context, m *during, done <-chan logLine) (logLine, error) {
	limit, cancel := context.WithTimeoutCause(ctx, rescoreLimit, fmt.Errorf("serve did not log %q within %s", rescored, rescoreLimit))
	defer cancel()
	select {
	case line := <-done:
		return line, nil
	case <-m.probe.failed:
		return logLine{}, m.probe.failure()
	case <-m.serve.done:
		return logLine{}, m.serve.ended()
	case <-limit.Done():
		return logLine{}, context.Cause(limit)
	}
}

// rescoreLimit is how long a rescore may take beside the load.
const rescoreLimit = 30 * time.Minute

// changedModel is the model with other points, as a file.
func (b *bench) changedModel() (string, error) {
	text := benchModel
	for _, edit := range [][2]string{{"version: 1\n", "version: 2\n"}, {"intent: {cap: 40}", "intent: {cap: 30}"}, {"points: 25,", "points: 20,"}} {
		if !bytes.Contains(text, []byte(edit[0])) {
			return "", fmt.Errorf("the bench's model has no %q to change", edit[0])
		}
		text = bytes.Replace(text, []byte(edit[0]), []byte(edit[1]), 1)
	}
	path := filepath.Join(b.dir, "changed.yaml")
	return path, os.WriteFile(path, text, 0o600)
}
