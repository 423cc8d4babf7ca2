package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// raced is what instances showed that took a backlog in together.
type raced struct {
	rate     float64         // events per second of all of them
	events   int             // within the time that was measured
	programs []watched       // serve, or serve 1 and serve 2, then the servers
	cpu      []time.Duration // of each program in that time

	// commits of a shard for each event from the start on, and the share of them that
	// another instance had overtaken, so that they were done again.
	commits, overtaken float64
}

// race lets so many instances take in a backlog of n events, and measures from when
// all of them take part until all is stored.
func (b *bench) race(ctx context.Context, d *deployment, n, instances int, redis []watched) (r raced, err error) {
	f := &fleet{}
	defer func() { err = errors.Join(err, f.stop()) }()
	if err := b.startFleet(ctx, d, instances, f); err != nil {
		return r, err
	}
	before, err := f.takePart(ctx, n)
	if err != nil {
		return r, err
	}
	r.programs = b.servers(append(f.programs(), redis...))
	from, err := cpuOfAll(r.programs)
	if err != nil {
		return r, err
	}
	begun := time.Now()
	var stored float64
	if err := f.poll(ctx, func(each []float64) bool { stored = sum(each); return stored >= float64(n) }); err != nil {
		return r, err
	}
	took := time.Since(begun)
	to, err := cpuOfAll(r.programs)
	if err != nil {
		return r, err
	}
	for i := range to {
		r.cpu = append(r.cpu, to[i]-from[i])
	}
	if err := f.countCommits(ctx, &r, n); err != nil {
		return r, err
	}
	r.events = n - int(before)
	r.rate = perSecond(r.events, took)
	return r, nil
}

// note puts what a race showed under a name.
func (b *bench) noteRace(section, name string, r raced) {
	b.report.add(section, name+"catch-up", "events/s", r.rate)
	for i, p := range r.programs {
		b.report.add(section, name+"cpu "+p.name, "µs/event", perEvent(r.cpu[i], r.events))
	}
	b.report.add(section, name+"shard commits", "per event", r.commits)
	b.report.add(section, name+"overtaken commits", "of all", r.overtaken)
	b.say("%s: %scatch-up %s events/s", section, name, number(r.rate))
}

// fleet is some instances of serve on one deployment.
type fleet struct{ serves []*serve }

// startFleet starts instances and waits until each takes part in the group.
func (b *bench) startFleet(ctx context.Context, d *deployment, instances int, f *fleet) error {
	for n := range instances {
		own, err := d.instance(n + 1)
		if err != nil {
			return err
		}
		s, err := b.startServe(own, nil)
		if err != nil {
			return err
		}
		f.serves = append(f.serves, s)
	}
	for _, s := range f.serves {
		if err := s.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all instances.
func (f *fleet) stop() error {
	var faults []error
	for _, s := range f.serves {
		faults = append(faults, s.stop())
	}
	return errors.Join(faults...)
}

func (f *fleet) programs() []watched {
	if len(f.serves) == 1 {
		return []watched{{"serve", f.serves[0].pid()}}
	}
	var out []watched
	for i, s := range f.serves {
		out = append(out, watched{fmt.Sprintf("serve %d", i+1), s.pid()})
	}
	return out
}

// countCommits counts what the instances sent to Redis for n events.
func (f *fleet) countCommits(ctx context.Context, r *raced, n int) error {
	var all, again float64
	for _, s := range f.serves {
		m, err := s.metrics(ctx)
		if err != nil {
			return err
		}
		all += m[metricCommits]
		again += m[metricCommits+`{result="stale"}`] + m[metricCommits+`{result="conflict"}`]
	}
	r.commits, r.overtaken = all/float64(n), again/max(all, 1)
	return nil
}

// takePart waits until each of several instances has stored something, so that the
// group's rebalance is not measured, or until nothing of n is left to measure. It
// gives what was stored until then; of one instance, at once.
func (f *fleet) takePart(ctx context.Context, n int) (stored float64, err error) {
	if len(f.serves) == 1 {
		return 0, nil
	}
	err = f.poll(ctx, func(each []float64) bool {
		stored = sum(each)
		for _, x := range each {
			if x == 0 {
				return stored >= float64(n)
			}
		}
		return true
	})
	if stored >= float64(n) { // a small run: all of it went to the first
		stored = 0
	}
	return stored, err
}

// poll asks until done says so of what each instance has stored.
func (f *fleet) poll(ctx context.Context, done func(each []float64) bool) error {
	return f.serves[0].poll(ctx, 20*time.Millisecond, func() (bool, error) {
		each := make([]float64, len(f.serves))
		for i, s := range f.serves {
			m, err := s.metrics(ctx)
			if err != nil {
				return false, err
			}
			if m[metricLetters] > 0 {
				return false, fmt.Errorf("%.0f records became dead letters", m[metricLetters])
			}
			each[i] = m[metricInputs]
		}
		return done(each), nil
	})
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}
