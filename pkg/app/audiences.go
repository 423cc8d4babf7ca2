package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"tidemark/pkg/audience"
	"tidemark/pkg/config"
	"tidemark/pkg/follow"
	"tidemark/pkg/outbound"
	"tidemark/streams/feed"
	"tidemark/streams/sink"
)

// audienceTopics are the topics of feeds.
func audienceTopics(audiences []*audience.Audience) []string {
	var out []string
	for _, a := range audiences {
		if a.Topic != "" {
			out = append(out, a.Topic)
		}
	}
	return out
}

// readAudiences are the configured audiences, none where no file is.
func readAudiences(c config.Config) ([]*audience.Audience, error) {
	if c.Audiences.File == "" {
		return nil, nil
	}
	return audience.Load(c.Audiences.File)
}

// audiences are kept while the instance holds their lease.
type audiences struct {
	*subscribers
	list      []*audience.Audience
	topic     string
	namespace string
	feed      *feed.Feed
	publisher *sink.Publisher
	figures   *subscriberFigures
	calls     *prometheus.CounterVec
	untold    *prometheus.GaugeVec
	log       zerolog.Logger
}

func (b *subscribers) openAudiences(c config.Config, list []*audience.Audience, r prometheus.Registerer, figures *subscriberFigures) error {
	if len(list) == 0 {
		return nil
	}
	a := &audiences{
		subscribers: b, list: list, topic: c.Kafka.Topics.TierChanges, namespace: c.Namespace, figures: figures,
		log: b.log.With().Str("subscriber", "audiences").Logger(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_audience_calls_total", Help: "Calls that told an audience's endpoint who entered and left, by what came of them.",
		}, []string{"audience", "result"}),
		untold: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tidemark_audience_untold", Help: "Accounts that an audience's endpoint is still to be told of.",
		}, []string{"audience"}),
	}
	r.MustRegister(a.calls, a.untold)
	for _, one := range list {
		a.untold.WithLabelValues(one.Name).Set(0)
		for _, result := range outbound.Results {
			a.calls.WithLabelValues(one.Name, string(result))
		}
	}
	var err error
	if a.feed, err = feedOf(c, b.transport, a.topic, b.log); err != nil {
		return err
	}
	if a.publisher, err = sink.New(sink.Config{Transport: b.transport}, b.log); err != nil {
		return err
	}
	b.works = append(b.works, subscriber{"audiences", func(ctx context.Context) error { return persist(ctx, a.log, a.work) }})
	return nil
}

// work does all parts together. They write by one ledger: where one of them is refused, all
// begin anew from what is stored.
func (a *audiences) work(ctx context.Context) error {
	store := a.store.Audiences(a.topic)
	keeper := audience.NewKeeper(store, a.list, a.namespace)
	if _, err := keeper.Positions(ctx); err != nil {
		return err
	}
	follower, err := follow.New(a.figures.config("audiences", keeper, a.feed, a.log))
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.feed.Run(ctx, follower) })
	group.Go(func() error { return every(ctx, sweepEvery, func() error { return a.sweep(ctx, keeper) }) })
	group.Go(func() error { return every(ctx, publishEvery, func() error { return a.publish(ctx, store) }) })
	group.Go(func() error { return every(ctx, time.Minute, func() error { return a.diff(ctx, keeper) }) })
	for _, one := range a.list {
		if one.Endpoint == nil {
			continue
		}
		observed := func(r outbound.Result) { a.calls.WithLabelValues(one.Name, string(r)).Inc() }
		group.Go(func() error { return audience.NewSync(keeper, one, observed, a.log).Run(ctx) })
	}
	return group.Wait()
}

// How often is looked for exits that are due, and for events to publish.
const sweepEvery, publishEvery = time.Second, 200 * time.Millisecond

// every calls f at once and then regularly, until ctx ends or f fails.
func every(ctx context.Context, period time.Duration, f func() error) error {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		if err := f(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (a *audiences) sweep(ctx context.Context, k *audience.Keeper) error {
	for {
		more, err := k.Sweep(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// publish brings out what waits, in order. A repeat has the same id.
func (a *audiences) publish(ctx context.Context, store audience.Store) error {
	for {
		waiting, err := store.Waiting(ctx, 500)
		if err != nil || len(waiting) == 0 {
			return err
		}
		messages := map[string][]sink.Message{}
		ids := make([]string, len(waiting))
		for i, o := range waiting {
			ids[i] = o.ID
			messages[o.Topic] = append(messages[o.Topic], sink.Message{Key: []byte(o.Account), Value: o.Value})
		}
		for topic, m := range messages {
			if err := a.publisher.Publish(ctx, topic, m); err != nil {
				return err
			}
		}
		if err := store.Published(ctx, ids); err != nil {
			return err
		}
	}
}

// diff compares everything when that is due, and notes how much is to be told.
func (a *audiences) diff(ctx context.Context, k *audience.Keeper) error {
	for _, one := range a.list {
		if _, untold, err := a.store.Audiences(a.topic).Counts(ctx, one.Name); err == nil {
			a.untold.WithLabelValues(one.Name).Set(float64(untold))
		}
	}
	due, err := k.DiffDue(ctx)
	if err != nil || !due {
		return err
	}
	a.log.Info().Msg("comparing all audiences with account-tiers")
	return k.Diff(ctx, a.feed)
}
