package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"tidemark/pkg/config"
	"tidemark/pkg/desk"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/route"
	"tidemark/pkg/store/redis"
	"tidemark/scoring"
	"tidemark/streams/conn"
	"tidemark/streams/relay"
	"tidemark/streams/tail"
)

// ReadRouting reads the configured routing file; nil where routing is off.
func ReadRouting(c config.Config) (*route.Plan, error) {
	if c.Routing == "" {
		return nil, nil //nolint:nilnil // routing is off, and nothing went wrong
	}
	return route.ReadFile(c.Routing, modelfile.Conditions())
}

// routingLease is the name of the lease of the instance that routes.
const routingLease = "routing"

// lookAtDesk is the longest time between two looks at what commands did to the desk.
const lookAtDesk = time.Second

// routing routes MQAs on the instance that holds the lease: it takes tier changes in,
// does what is due, and publishes. The desk's own commits are the fence; the lease
// saves the work of being refused, and keeps two relays from publishing at once.
type routing struct {
	desk      *desk.Desk
	store     *redis.Store
	transport *conn.Transport
	topic     string
	stays     func(tier string) bool
	relay     *relay.Relay
	gate      *desk.Gate
	steps     *tail.Follower // of mqa-routing
	metrics   *routingMetrics
	now       func() int64
	log       zerolog.Logger

	start  time.Time    // instants of the lease are counted from here, by the monotonic clock
	held   atomic.Int64 // until when; 0: not held
	forgot time.Time    // when old accounts were forgotten last; of Run's goroutine
}

// newDesk wires a desk to a store.
func newDesk(c config.Config, plan *route.Plan, store *redis.Store, now func() int64) (*desk.Desk, error) {
	return desk.New(desk.Config{Plan: plan, Store: store, Namespace: c.Namespace, Topic: c.Kafka.Topics.TierChanges, Now: now})
}

func newRouting(c config.Config, plan *route.Plan, store *redis.Store, transport *conn.Transport, publisher relay.Publisher,
	model *scoring.Model, now func() int64, registry prometheus.Registerer, log zerolog.Logger,
) (*routing, error) {
	r := &routing{
		store: store, transport: transport, topic: c.Kafka.Topics.TierChanges, metrics: newRoutingMetrics(registry), now: now,
		log: log.With().Str("component", "routing").Logger(), start: time.Now(),
	}
	tiers := map[string]bool{}
	for _, t := range model.Spec().Tiers {
		tiers[t.Name] = t.MQA
	}
	r.stays = func(tier string) bool { return tiers[tier] }
	var err error
	if r.desk, err = newDesk(c, plan, store, now); err != nil {
		return nil, err
	}
	r.steps, err = tail.New(tail.Config{Transport: transport, Topic: c.Kafka.Topics.MQARouting}, r.log)
	if err != nil {
		return nil, err
	}
	r.gate = desk.NewGate(store, r.steps.Ends)
	r.relay, err = relay.New(relay.Config{
		Topics: relay.Topics{Changes: c.Kafka.Topics.MQARouting}, Shards: 1, Owns: func(int) bool { return r.owns() }, PublishTimeout: relayMargin,
	}, &deskOutbox{gate: r.gate, metrics: r.metrics, read: map[string]relay.Entry{}}, publisher, r.log)
	return r, err
}

// owns reports whether the lease is held for long enough to publish.
func (r *routing) owns() bool { return r.held.Load() > int64(time.Since(r.start)+relayMargin) }

// Run routes whenever the lease is held, until ctx ends. What goes wrong here is told
// and tried again: scoring goes on without it.
func (r *routing) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.relay.Run(ctx) })
	group.Go(func() error {
		for attempt := 0; ctx.Err() == nil; attempt++ {
			if !r.acquire(ctx) {
				wait(ctx, 4)
				continue
			}
			if err := r.tenure(ctx); err != nil && ctx.Err() == nil {
				r.log.Warn().Err(err).Msg("routing was interrupted, beginning anew")
				wait(ctx, min(attempt, 4))
			}
		}
		r.release(ctx)
		return nil
	})
	return group.Wait()
}

func (r *routing) acquire(ctx context.Context) bool {
	until := int64(time.Since(r.start) + leaseTTL)
	got, err := r.store.Acquire(ctx, routingLease, r.store.Process(), leaseTTL)
	switch {
	case err != nil:
		r.log.Debug().Err(err).Msg("routing lease not renewed")
	case got:
		r.held.Store(until)
		return true
	default:
		r.held.Store(0)
	}
	return false
}

func (r *routing) release(ctx context.Context) {
	if r.held.Swap(0) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := r.store.Release(ctx, routingLease, r.store.Process()); err != nil {
		r.log.Debug().Err(err).Msg("routing lease not released")
	}
}

// errLease ends a tenure whose lease went to another instance, or may have.
var errLease = errors.New("the routing lease is not ours any more")

// tenure routes for as long as the lease is held.
func (r *routing) tenure(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.renew(ctx) }) // to begin may take longer than a lease
	group.Go(func() error { return r.work(ctx) })
	return group.Wait()
}

// work holds the desk against what was published, then routes until ctx ends or the
// store is found set back.
func (r *routing) work(ctx context.Context) error {
	all, err := tail.New(tail.Config{Transport: r.transport, Topic: r.topic}, r.log)
	if err != nil {
		return err
	}
	stand, err := r.desk.Begin(ctx, desk.Beginning{
		First: func(ctx context.Context) (map[int]int64, error) {
			ends, err := all.Ends(ctx)
			r.log.Info().Msg("routing begins with the tier changes from now on")
			return ends, err
		},
		Published: r.published,
		Lent:      r.gate.Lent(),
	})
	if err != nil {
		return fmt.Errorf("take the desk over: %w", err)
	}
	r.told(stand.Upheld)
	back := r.gate.Open(stand.Mark)
	defer r.gate.Shut()
	from := stand.Positions
	follower, err := tail.New(tail.Config{Transport: r.transport, Topic: r.topic, Offsets: from}, r.log)
	if err != nil {
		return err
	}
	r.log.Info().Int("partitions", len(from)).Msg("routing")
	r.relay.Wake(0)
	defer r.metrics.idle()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return follower.Run(ctx, func(rec tail.Record) error { return r.take(ctx, rec) }) })
	group.Go(func() error { return r.ticks(ctx) })
	group.Go(func() error {
		select {
		case <-back:
			return desk.ErrSetBack
		case <-ctx.Done():
			return nil
		}
	})
	return group.Wait()
}

// published reads mqa-routing from these offsets on.
func (r *routing) published(ctx context.Context, from map[int]int64, use func([]byte) error) error {
	return r.steps.All(ctx, from, func(rec tail.Record) error {
		if rec.Value == nil {
			return nil
		}
		return use(rec.Value)
	})
}

// mostNamed bounds how many accounts a set-back names in the log.
const mostNamed = 20

// told tells of MQAs that were brought back to what was published of them.
func (r *routing) told(upheld []string) {
	r.metrics.upheld.Add(float64(len(upheld)))
	for i, account := range upheld {
		if i == mostNamed {
			r.log.Warn().Int("mqas", len(upheld)).Msg("and more MQAs")
			return
		}
		r.log.Warn().Str("account", account).Msg("redis was set back and with it this MQA: what was published stands, it goes on behind it")
	}
}

// renew keeps the lease. It ends the tenure when that was not renewed in time.
func (r *routing) renew(ctx context.Context) error {
	ticker := time.NewTicker(leaseTTL / 5)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if !r.acquire(ctx) && !r.owns() {
			return errLease
		}
	}
}

// take takes one record of tier-changes in.
func (r *routing) take(ctx context.Context, rec tail.Record) error {
	c, err := route.ParseChange(rec.Value)
	if err != nil {
		r.log.Warn().Err(err).Int("partition", rec.Partition).Int64("offset", rec.Offset).Msg("a record is no tier change, passed over")
		r.desk.Skip(rec.Partition, rec.Offset)
		return nil
	}
	c.Stays = r.stays(c.To)
	if err := r.desk.Take(ctx, rec.Partition, rec.Offset, c); err != nil {
		return fmt.Errorf("take %s/%d in: %w", c.Account, c.Seq, err)
	}
	r.relay.Wake(0)
	return nil
}

// ticks does what is due when it is, and looks for what commands did.
func (r *routing) ticks(ctx context.Context) error {
	for {
		next, waits, err := r.desk.Tick(ctx)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("do what is due: %w", err)
		}
		r.relay.Wake(0)
		r.observe(ctx)
		r.forget(ctx)
		pause := lookAtDesk
		if waits {
			pause = min(pause, max(time.Duration(next-r.now())*time.Millisecond, time.Millisecond))
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (r *routing) observe(ctx context.Context) {
	if err := r.desk.Look(ctx, r.metrics.observe); err != nil {
		r.log.Debug().Err(err).Msg("desk not looked at")
	}
}

// rememberAccounts is for how long an account that left the desk is remembered: longer
// than any snooze should be, and than a tier change may come again.
const rememberAccounts = 400 * 24 * time.Hour

// forget forgets accounts that left the desk long ago, now and then.
func (r *routing) forget(ctx context.Context) {
	if time.Since(r.forgot) < time.Hour {
		return
	}
	r.forgot = time.Now()
	if _, err := r.store.ForgetDesk(ctx, r.now()-rememberAccounts.Milliseconds()); err != nil {
		r.log.Debug().Err(err).Msg("old accounts not forgotten")
	}
}
