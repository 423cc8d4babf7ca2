package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// states measures, on a population, memory in Redis and in serve.
func (b *bench) states(ctx context.Context) error {
	for range b.opts.Rounds {
		if err := b.state(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) state(ctx context.Context) (err error) {
	accounts := b.opts.Workload.Accounts
	d, err := b.deploy(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, d, nil)) }()
	if err := b.populate(ctx, d, accounts); err != nil {
		return err
	}
	empty, err := b.usedMemory(ctx)
	if err != nil {
		return err
	}
	if err := b.quiet(ctx, d); err != nil {
		return err
	}
	full, err := b.usedMemory(ctx)
	if err != nil {
		return err
	}
	b.report.add(SectionState, "redis memory", "bytes/account", (full-empty)/float64(accounts))
	b.say("redis: %s bytes per account", number((full-empty)/float64(accounts)))
	return nil
}

// settling is how long serve is left alone before its idling is watched: its latest
// checkpoint and the runtime's last collections are over by then.
func (b *bench) settling() time.Duration { return min(5*time.Second, b.opts.IdleFor) }

// quiet takes the population in, and tells what memory serve then has.
func (b *bench) quiet(ctx context.Context, d *deployment) (err error) {
	accounts := b.opts.Workload.Accounts
	s, err := b.startServe(d, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.ready(ctx); err != nil {
		return err
	}
	if _, err := s.stored(ctx, accounts*perAccount, 50*time.Millisecond); err != nil {
		return err
	}
	if err := s.poll(ctx, 100*time.Millisecond, func() (bool, error) { return b.idle(ctx, d) }); err != nil {
		return err
	}
	now, peak, err := memoryOf(s.pid())
	b.report.add(SectionState, "accounts", "", float64(accounts))
	b.report.add(SectionState, "rss of serve after", "MiB", now/(1<<20))
	b.report.add(SectionState, "rss of serve, peak", "MiB", peak/(1<<20))
	return err
}

// during runs a serve under a load, and what is done meanwhile.
type during struct {
	serve *serve
	probe *probe
}

func (m *during) close() error {
	var faults []error
	if m.probe != nil {
		faults = append(faults, m.probe.close())
	}
	if m.serve != nil {
		faults = append(faults, m.serve.stop())
	}
	return errors.Join(faults...)
}

// begin starts serve and a load, and waits until the load is warm.
func (b *bench) begin(ctx context.Context, d *deployment, setup probeSetup) (m *during, err error) {
	m = &during{}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if m.serve, err = b.startServe(d, nil); err != nil {
		return m, err
	}
	if err := m.serve.ready(ctx); err != nil {
		return m, err
	}
	if m.probe, err = b.startProbe(ctx, setup); err != nil {
		return m, err
	}
	return m, m.probe.wait(ctx, b.warmUp())
}

// compareWindows notes a load's latency before something and while it went on.
func (b *bench) compareWindows(section string, x *probe, before, meanwhile window) {
	b.compare(section, "before: ", x, before)
	b.compare(section, "meanwhile: ", x, meanwhile)
	b.report.add(section, "tier change p99, meanwhile to before", "×",
		ratio(x.changes.histogram(meanwhile).quantile(0.99), x.changes.histogram(before).quantile(0.99)))
}

// margin keeps what happens out of the latency before it.
const margin = time.Second

// baseline is how long the load alone is watched before something happens.
func (b *bench) baseline() time.Duration { return max(b.opts.LoadFor/3, time.Second) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
