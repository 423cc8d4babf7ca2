package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// sweeps measures demotions that all fall into one second, under load.
func (b *bench) sweeps(ctx context.Context) error {
	for round := range b.opts.Rounds {
		if err := b.sweep(ctx, uint64(round)); err != nil {
			return err
		}
	}
	return nil
}

// The signal that lifts an account of the sweep above the second tier, and lets it
// fall below again by decay alone.
const (
	sweepPoints    = 62.0
	sweepThreshold = 55.0 // min − hysteresis of tier B
	sweepType      = "bench.sweep"
)

// sweepDelay is how long after their events the accounts fall: enough to take them
// all in and to see the load alone for a while.
func (b *bench) sweepDelay() time.Duration {
	return (6*time.Second + b.warmUp() + b.baseline() + margin + time.Duration(b.opts.Due)*300*time.Microsecond).Truncate(time.Millisecond)
}

// sweepModel is the bench's model with the sweep's signal, as a file.
func (b *bench) sweepModel(fallsAfter time.Duration) (string, error) {
	halfLife := time.Duration(float64(fallsAfter) / math.Log2(sweepPoints/sweepThreshold))
	signal := fmt.Sprintf("  - {name: sweep, group: sweep, match: {type: %s}, points: %v, half_life: %dms}\n", sweepType, sweepPoints, halfLife.Milliseconds())
	text, err := insertAfter(string(benchModel), "groups:\n", "  sweep: {}\n")
	if err == nil {
		text, err = insertAfter(text, "signals:\n", signal)
	}
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, "sweep.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func (b *bench) sweep(ctx context.Context, round uint64) (err error) {
	delay := b.sweepDelay()
	model, err := b.sweepModel(delay)
	if err != nil {
		return err
	}
	d, err := b.deploy(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, d, nil)) }()
	if err := d.set("model", model); err != nil {
		return err
	}
	s, err := b.startServe(d, nil)
	if err != nil {
		return err
	}
	m := &during{serve: s}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := s.ready(ctx); err != nil {
		return err
	}
	b.say("lifting %d accounts that fall within one second", b.opts.Due)
	due := time.Now().Truncate(time.Millisecond).Add(delay)
	lifted := due.Add(-delay)
	if err := b.lift(ctx, d, b.opts.Due, func(n int) time.Time { return lifted.Add(time.Duration(n%1000) * time.Millisecond) }); err != nil {
		return err
	}
	if _, err := s.stored(ctx, b.opts.Due, 50*time.Millisecond); err != nil {
		return err
	}
	if err := s.poll(ctx, 100*time.Millisecond, func() (bool, error) { return b.idle(ctx, d) }); err != nil {
		return err
	}
	if left := time.Until(due); left < b.warmUp()+b.baseline()+margin {
		return fmt.Errorf("the accounts were in only %s before they fall: this machine is too busy or too slow for --due %d", seconds(left), b.opts.Due)
	}
	falls := newFalls(b.opts.Due)
	setup := d.probe(b.opts.Rate, b.opts.Workload.Seed+200+round)
	setup.seen = falls.take
	if m.probe, err = b.startProbe(ctx, setup); err != nil {
		return err
	}
	return b.watchSweep(ctx, d, m, falls, due)
}

// lift writes the sweep's events: one for each of so many accounts, at its time.
func (b *bench) lift(ctx context.Context, d *deployment, accounts int, at func(n int) time.Time) error {
	t := d.cfg.Kafka.Topics
	p := newProducer(ctx, b.client, []string{t.Intent, t.Engagement}, b.opts.Partitions)
	var err error
	var buf []byte
	for n := 0; n < accounts && err == nil; n++ {
		account := fmt.Sprintf("due-%07d", n)
		buf = appendEvent(buf[:0], content{
			prefix: "d-", number: n, source: "/bench", typ: sweepType, at: at(n), account: account, contact: 9,
			path: paths[0], campaign: campaigns[0],
		})
		err = p.add(message{topic: engagementTopic, key: account, value: buf, time: at(n)})
	}
	if closed := p.close(); closed != nil {
		err = closed
	}
	return err
}

// watchSweep lets the load run over the sweep and notes what it cost.
func (b *bench) watchSweep(ctx context.Context, d *deployment, m *during, falls *falls, due time.Time) error {
	x := m.probe
	sweep := due.Sub(x.load.begun)
	before := window{b.warmUp(), sweep - margin}
	if err := x.wait(ctx, sweep); err != nil {
		return err
	}
	from, err := b.clocks(m.serve.pid())
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeoutCause(ctx, settleLimit, fmt.Errorf("not all of %d demotions came within %s", b.opts.Due, settleLimit))
	defer cancel()
	select {
	case <-falls.all:
	case <-x.failed:
		return x.failure()
	case <-m.serve.done:
		return m.serve.ended()
	case <-limit.Done():
		return context.Cause(limit)
	}
	to, err := b.clocks(m.serve.pid())
	if err != nil {
		return err
	}
	took := falls.last.Sub(due)
	meanwhile := window{sweep, falls.last.Sub(x.load.begun)}
	if err := x.wait(ctx, x.elapsed()+time.Second); err != nil {
		return err
	}
	if err := b.settle(ctx, x, m.serve, d); err != nil {
		return err
	}
	b.say("%d demotions read within %s", b.opts.Due, seconds(took))
	b.report.add(SectionSweep, "demotions", "", float64(b.opts.Due))
	b.report.add(SectionSweep, "from due to the last one read", "s", took.Seconds())
	b.report.addQuantiles(SectionSweep, "demotion", falls.histogram())
	b.cores(SectionSweep, "", to.since(from), took)
	b.compareWindows(SectionSweep, x, before, meanwhile)
	return nil
}

// falls are the demotions of the sweep's accounts as they are read.
type falls struct {
	mu   sync.Mutex // guards seen and late
	seen map[string]bool
	late samples
	want int
	last time.Time     // read after all
	all  chan struct{} // closed once every account fell
}

func newFalls(want int) *falls {
	return &falls{seen: make(map[string]bool, want), want: want, all: make(chan struct{})}
}

func (f *falls) take(c change, now time.Time) {
	if c.Data.Cause.Kind != causeDecay || len(c.Data.Account) < 4 || c.Data.Account[:4] != "due-" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[c.Data.Account] {
		return
	}
	f.seen[c.Data.Account] = true
	f.late.add(0, now.Sub(c.Time))
	if len(f.seen) == f.want {
		f.last = now
		close(f.all)
	}
}

func (f *falls) histogram() histogram { return f.late.histogram(window{0, 1}) }

// insertAfter puts a text behind the first place where another stands.
func insertAfter(text, after, what string) (string, error) {
	head, tail, found := strings.Cut(text, after)
	if !found {
		return "", fmt.Errorf("the bench's model has no %q to add to", after)
	}
	return head + after + what + tail, nil
}
