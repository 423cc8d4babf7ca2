package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// times measures what time costs: accounts at rest, and some of them crossing by it,
// for two numbers of accounts of which one is ten times the other.
func (b *bench) times(ctx context.Context) error {
	for range b.opts.Rounds {
		few, err := b.timeCost(ctx, max(b.opts.Quiet/10, 1))
		if err != nil {
			return err
		}
		many, err := b.timeCost(ctx, b.opts.Quiet)
		if err != nil {
			return err
		}
		b.report.add(SectionTime, tenTimes, "×", ratio(many, few))
	}
	return nil
}

const tenTimes = "the same crossings among ten times the accounts, cpu serve and redis"

// crossingAfter is how long after its event an account that crosses does so.
const crossingAfter = time.Hour

// timeCost gives the processor time of serve and Redis while some of so many accounts cross.
func (b *bench) timeCost(ctx context.Context, accounts int) (cost time.Duration, err error) {
	model, err := b.sweepModel(crossingAfter)
	if err != nil {
		return 0, err
	}
	d, err := b.deploy(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, d, nil)) }()
	if err := d.set("model", model); err != nil {
		return 0, err
	}
	if err := b.seed(ctx, d, accounts, popName, quietAccount(time.Now())); err != nil {
		return 0, err
	}
	s, err := b.startServe(d, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	return b.watchTime(ctx, d, s, accounts)
}

// watchTime watches serve with nothing to do, and then with some accounts crossing,
// evenly over as long a time.
func (b *bench) watchTime(ctx context.Context, d *deployment, s *serve, accounts int) (time.Duration, error) {
	n := b.opts.Crossing
	begin := time.Now().Add(6*time.Second + b.settling() + b.opts.IdleFor + margin).Truncate(time.Millisecond)
	err := b.lift(ctx, d, n, func(i int) time.Time {
		return begin.Add(b.opts.IdleFor*time.Duration(i)/time.Duration(n) - crossingAfter).Truncate(time.Millisecond)
	})
	if err != nil {
		return 0, err
	}
	if _, err := s.stored(ctx, n, 50*time.Millisecond); err != nil {
		return 0, err
	}
	if err := s.poll(ctx, 100*time.Millisecond, func() (bool, error) { return b.idle(ctx, d) }); err != nil {
		return 0, err
	}
	b.say("watching %s accounts at rest for %s", number(float64(accounts)), b.opts.IdleFor)
	if err := pause(ctx, b.settling()); err != nil {
		return 0, err
	}
	name := number(float64(accounts)) + " accounts at rest: "
	idle, err := b.spend(ctx, s, name, b.opts.IdleFor)
	if err != nil {
		return 0, err
	}
	left := time.Until(begin)
	if left < 0 {
		return 0, fmt.Errorf("the accounts were not in before they cross: this machine is too busy or too slow for --crossing %d", n)
	}
	if err := pause(ctx, left); err != nil {
		return 0, err
	}
	name = fmt.Sprintf("%s accounts, %s cross: ", number(float64(accounts)), number(float64(n)))
	crossed, err := b.spend(ctx, s, name, b.opts.IdleFor+margin)
	if err != nil {
		return 0, err
	}
	// All of them rose and fell.
	if err := b.publishedAll(ctx, s, d, int64(2*n)); err != nil {
		return 0, err
	}
	more := crossed - time.Duration(float64(idle)*float64(b.opts.IdleFor+margin)/float64(b.opts.IdleFor))
	b.report.add(SectionTime, name+"cpu of one crossing", "µs", max(0, perEvent(more, n)))
	return crossed, nil
}

// spend watches for a while, and gives the processor time of serve and Redis.
func (b *bench) spend(ctx context.Context, s *serve, name string, d time.Duration) (time.Duration, error) {
	from, err := b.clocks(s.pid())
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := pause(ctx, d); err != nil {
		return 0, err
	}
	to, err := b.clocks(s.pid())
	if err != nil {
		return 0, err
	}
	used := to.since(from)
	b.cores(SectionTime, name, used, time.Since(begun))
	b.report.add(SectionTime, name+"cpu serve and redis", "cores", (used.serve+used.redis).Seconds()/time.Since(begun).Seconds())
	return used.serve + used.redis, nil
}

// publishedAll waits until so many tier changes are in their topic.
func (b *bench) publishedAll(ctx context.Context, s *serve, d *deployment, want int64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleLimit, fmt.Errorf("not all of %d tier changes were published %s after they were due", want, settleLimit))
	defer cancel()
	return s.poll(ctx, 50*time.Millisecond, func() (bool, error) {
		n, err := b.records(ctx, d.cfg.Kafka.Topics.TierChanges)
		return n >= want, err
	})
}
