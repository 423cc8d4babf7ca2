package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// rescored is the line of the log that ends a rescore.
const rescored = "all accounts are under the new model"

// rescores measures a change of the model of accounts at rest.
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
	meanwhile := window{from: x.elapsed()}
	if err := m.serve.stop(); err != nil {
		return err
	}
	m.serve = nil
	if err := d.set("model", changed); err != nil {
		return err
	}
	var done atomic.Pointer[logLine]
	m.serve, err = b.startServe(d, func(l logLine) {
		if l.Message == rescored {
			done.Store(&l)
		}
	})
	if err != nil {
		return err
	}
	if err := m.serve.ready(ctx); err != nil {
		return err
	}
	meanwhile.to = x.elapsed()
	line := done.Load()
	if line == nil {
		return fmt.Errorf("serve is ready under the new model and did not log %q", rescored)
	}
	if err := x.wait(ctx, meanwhile.to+b.baseline()); err != nil {
		return err
	}
	if err := b.settle(ctx, x, m.serve, d); err != nil {
		return err
	}
	b.report.add(SectionRescore, "accounts rescored", "", float64(line.Accounts))
	b.report.add(SectionRescore, "rate", "accounts/s", float64(line.Accounts)/(line.Took/1000))
	b.report.add(SectionRescore, "from stop to ready", "s", (meanwhile.to - meanwhile.from).Seconds())
	b.compareWindows(SectionRescore, x, before, meanwhile)
	return nil
}

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
