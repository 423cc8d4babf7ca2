package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// warmUp is the first part of a load, which is left out: connections are made,
// caches fill, accounts get their first events.
func (b *bench) warmUp() time.Duration { return min(10*time.Second, b.opts.LoadFor/3) }

// steadyLoads measures latency at each of the wanted rates, on fresh accounts.
func (b *bench) steadyLoads(ctx context.Context) error {
	for round := range b.opts.Rounds {
		for _, rate := range b.opts.Rates {
			if err := b.steadyLoad(ctx, rate, uint64(round)); err != nil {
				return err
			}
			for _, p := range b.wantedPeers() {
				if err := b.peerLoad(ctx, p, rate, uint64(round)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *bench) steadyLoad(ctx context.Context, rate int, round uint64) (err error) {
	d, err := b.deploy(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, d, nil)) }()
	s, err := b.startServe(d, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.ready(ctx); err != nil {
		return err
	}
	b.say("%d events/s for %s", rate, b.opts.LoadFor)
	x, err := b.startProbe(ctx, d.probe(rate, b.opts.Workload.Seed+1+round))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.close()) }()
	measured := window{b.warmUp(), b.opts.LoadFor}
	if err := x.wait(ctx, measured.from); err != nil {
		return err
	}
	from, err := b.clocks(s.pid())
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := x.wait(ctx, measured.to); err != nil {
		return err
	}
	to, err := b.clocks(s.pid())
	if err != nil {
		return err
	}
	took := time.Since(begun)
	if err := b.settle(ctx, x, s, d); err != nil {
		return err
	}
	name := fmt.Sprintf("at %s/s: ", number(float64(rate)))
	b.compare(SectionLatency, name, x, measured)
	b.cores(SectionLatency, name, to.since(from), took)
	return nil
}

// probe is a load on a deployment's topics.
func (d *deployment) probe(rate int, seed uint64) probeSetup {
	t := d.cfg.Kafka.Topics
	return probeSetup{input: []string{t.Intent, t.Engagement}, changes: t.TierChanges, rate: rate, seed: seed}
}

// compare notes what a window of a load showed: the input read straight back, the
// tier changes, and how many times longer these took.
func (b *bench) compare(section, name string, x *probe, w window) {
	input, changes := x.input.histogram(w), x.changes.histogram(w)
	b.report.addQuantiles(section, name+"input read back", input)
	b.report.addQuantiles(section, name+"tier change", changes)
	for _, q := range quantiles[:2] {
		b.report.add(section, name+"tier change to read back, "+q.name, "×", ratio(changes.quantile(q.q), input.quantile(q.q)))
	}
	b.report.add(section, name+"tier changes measured", "", float64(len(changes)))
	b.say("%s: input read back %.1f / %.1f ms (p50 / p99), tier change %.1f / %.1f ms, %d of them", section,
		milliseconds(input.quantile(0.5)), milliseconds(input.quantile(0.99)),
		milliseconds(changes.quantile(0.5)), milliseconds(changes.quantile(0.99)), len(changes))
}

func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// cores notes the processor time of the programs as cores in use.
func (b *bench) cores(section, name string, s spent, took time.Duration) {
	add := func(who string, d time.Duration) {
		b.report.add(section, name+"cpu "+who, "cores", d.Seconds()/took.Seconds())
	}
	add("serve", s.serve)
	if b.opts.RedisPID != 0 {
		add("redis", s.redis)
	}
	if b.opts.KafkaPID != 0 {
		add("kafka", s.kafka)
	}
}
