package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// catchUps loads the workload once and lets a fresh serve catch up on it, with the
// floor before and after each.
func (b *bench) catchUps(ctx context.Context) (err error) {
	d, err := b.deploy(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, d, nil)) }()
	input := map[string]string{topicIntent: d.cfg.Kafka.Topics.Intent, topicEngagement: d.cfg.Kafka.Topics.Engagement}
	if err := b.load(ctx, d, b.opts.Workload); err != nil {
		return err
	}
	// Not measured: the broker's code is compiled and its pages are in memory by then.
	if _, err := b.floor(ctx, []string{input[topicIntent], input[topicEngagement]}, b.opts.Workload.Events); err != nil {
		return err
	}
	for round := range b.opts.Rounds {
		if err := b.catchUpRound(ctx, d, input, round); err != nil {
			return err
		}
	}
	return nil
}

// load writes a workload into a deployment's input topics. A record's timestamp is
// when it would have arrived: the latest event time before it.
func (b *bench) load(ctx context.Context, d *deployment, w Workload) error {
	b.say("loading %d events of %d accounts", w.Events, w.Accounts)
	t := d.cfg.Kafka.Topics
	begun := time.Now()
	p := newProducer(ctx, b.client, []string{t.Intent, t.Engagement}, b.opts.Partitions)
	g := newGenerator(w)
	latest := w.Start.UnixMilli()
	defer func() { b.last = latest }()
	var err error
	for e, ok := g.next(); ok && err == nil; e, ok = g.next() {
		latest = max(latest, e.time)
		err = p.add(message{topic: e.topic, key: e.key, value: e.value, time: time.UnixMilli(latest)})
	}
	if closed := p.close(); closed != nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("load the workload: %w", err)
	}
	b.say("loaded in %.1f s, %s events/s", time.Since(begun).Seconds(), number(perSecond(w.Events, time.Since(begun))))
	return nil
}

// catchUpRound measures floor, catch-up and floor again.
func (b *bench) catchUpRound(ctx context.Context, d *deployment, input map[string]string, round int) error {
	n := b.opts.Workload.Events
	topics := []string{d.cfg.Kafka.Topics.Intent, d.cfg.Kafka.Topics.Engagement}
	before, err := b.floor(ctx, topics, n)
	if err != nil {
		return err
	}
	b.say("round %d of %d: floor %s events/s", round+1, b.opts.Rounds, number(before))
	decoded, err := b.decodeOnly(ctx, d, n)
	if err != nil {
		return err
	}
	b.say("round %d: decode only %s events/s", round+1, number(decoded))
	c, err := b.catchUp(ctx, input)
	if err != nil {
		return err
	}
	b.say("round %d: catch-up %s events/s, all published after %s", round+1, number(c.rate), seconds(c.published))
	after, err := b.floor(ctx, topics, n)
	if err != nil {
		return err
	}
	b.say("round %d: floor again %s events/s", round+1, number(after))
	b.addCatchUp(before, decoded, after, c)
	for _, p := range b.wantedPeers() {
		if err := b.peerCatchUp(ctx, p, input); err != nil {
			return err
		}
		b.report.add(SectionPeers, "serve to "+p.name, "×", c.rate/b.report.latest(SectionPeers, p.name+": catch-up"))
	}
	return nil
}

// addCatchUp notes what a round showed.
func (b *bench) addCatchUp(before, decoded, after float64, c caughtUp) {
	n := b.opts.Workload.Events
	add := func(name, unit string, v float64) { b.report.add(SectionCatchUp, name, unit, v) }
	add("floor before", "events/s", before)
	add("floor after", "events/s", after)
	add("decode only", "events/s", decoded)
	add("catch-up", "events/s", c.rate)
	add("ratio to the floor", "", c.rate/((before+after)/2))
	add("published after", "s", c.published.Seconds())
	add("tier changes", "", c.changes)
	add("cpu serve", "µs/event", perEvent(c.cpu.serve, n))
	if b.opts.RedisPID != 0 {
		add("cpu redis", "µs/event", perEvent(c.cpu.redis, n))
	}
	if b.opts.KafkaPID != 0 {
		add("cpu kafka", "µs/event", perEvent(c.cpu.kafka, n))
	}
	add("others' cores", "cores", c.cpu.others.Seconds()/c.took.Seconds())
	add("allocations", "per event", c.mallocs/float64(n))
	add("rss peak", "MiB", c.peak/(1<<20))
	add("rss after", "MiB", c.rss/(1<<20))
	if v := c.verified; v != nil {
		add("offline score of the same log", "events/s", v.rate)
		add("tier changes until the last event, offline", "", float64(v.changes))
		add("differences from the offline history", "", float64(v.differences))
		add("differences from the first round's history", "", float64(v.fromFirst))
	}
	if cores := c.cpu.others.Seconds() / c.took.Seconds(); cores > foreignCores {
		b.report.note(fmt.Sprintf("other programs used %.1f cores during a catch-up: take the figures as too low", cores))
	}
}

// foreignCores is what other programs may use before figures are in doubt.
const foreignCores = 0.2

// perEvent is processor time in µs.
func perEvent(d time.Duration, events int) float64 {
	return float64(d.Nanoseconds()) / 1000 / float64(events)
}

// caughtUp is what one catch-up showed.
type caughtUp struct {
	took      time.Duration // until all was stored
	published time.Duration // until all tier changes were in their topic, from the same start
	rate      float64
	changes   float64
	mallocs   float64
	rss, peak float64
	cpu       spent
	verified  *verified // nil: not asked for
}

// catchUp runs a fresh serve over the loaded topics, from the moment at which it
// takes part in the group until every record is stored.
func (b *bench) catchUp(ctx context.Context, input map[string]string) (c caughtUp, err error) {
	d, err := b.deploy(ctx, input)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, d, input)) }()
	s, err := b.startServe(d, nil)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.ready(ctx); err != nil {
		return c, err
	}
	begun := time.Now()
	from, err := b.clocks(s.pid())
	if err != nil {
		return c, err
	}
	first, err := s.metrics(ctx)
	if err != nil {
		return c, err
	}
	last, err := s.stored(ctx, b.opts.Workload.Events, 100*time.Millisecond)
	if err != nil {
		return c, err
	}
	c.took = time.Since(begun)
	if letters := last[metricLetters]; letters > 0 {
		return c, fmt.Errorf("%.0f records of the workload became dead letters", letters)
	}
	to, err := b.clocks(s.pid())
	if err != nil {
		return c, err
	}
	c.cpu = to.since(from)
	c.rate = perSecond(b.opts.Workload.Events, c.took)
	c.mallocs = last[metricMallocs] - first[metricMallocs]
	if c.changes, err = b.published(ctx, s, d); err != nil {
		return c, err
	}
	c.published = time.Since(begun)
	if c.rss, c.peak, err = memoryOf(s.pid()); err != nil || !b.opts.Verify {
		return c, err
	}
	// What time alone did since the last event belongs to the history too.
	if err := s.poll(ctx, 100*time.Millisecond, func() (bool, error) { return b.idle(ctx, d) }); err != nil {
		return c, err
	}
	c.verified, err = b.verify(ctx, d)
	return c, err
}

// stored waits until serve has stored so many inputs, dead letters among them, and
// gives the metrics as of then.
func (s *serve) stored(ctx context.Context, n int, every time.Duration) (m map[string]float64, err error) {
	err = s.poll(ctx, every, func() (bool, error) {
		m, err = s.metrics(ctx)
		return err == nil && m[metricInputs]+m[metricLetters] >= float64(n), err
	})
	return m, err
}

// published waits until as many tier changes are in their topic as serve stored, and
// gives their number.
func (b *bench) published(ctx context.Context, s *serve, d *deployment) (changes float64, err error) {
	err = s.poll(ctx, 20*time.Millisecond, func() (bool, error) {
		m, err := s.metrics(ctx)
		if err != nil {
			return false, err
		}
		n, err := b.records(ctx, d.cfg.Kafka.Topics.TierChanges)
		changes = m[metricCrossings]
		return err == nil && float64(n) >= changes, err
	})
	return changes, err
}
