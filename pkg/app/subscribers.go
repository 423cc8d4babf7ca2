package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"tidemark/pkg/config"
	"tidemark/pkg/follow"
	"tidemark/pkg/store/redis"
	"tidemark/pkg/webhook"
	"tidemark/streams/conn"
	"tidemark/streams/feed"
)

// subscribers are what follows the published tier changes within serve: webhooks and
// audiences. They have connections of their own to Kafka and Redis and no part in the
// pump's rounds, so nothing of theirs is waited for when scoring; what fails here is logged
// and tried again, and never ends serve.
type subscribers struct {
	store     *redis.Store
	transport *conn.Transport
	owner     string
	log       zerolog.Logger
	works     []subscriber
}

// subscriber is one kind of work, done by the instance that holds the lease of its name.
type subscriber struct {
	name string
	work func(ctx context.Context) error
}

// openSubscribers wires what is configured, if anything is.
func (s *service) openSubscribers(ctx context.Context) error {
	if s.cfg.Webhooks.File == "" && s.cfg.Audiences.File == "" {
		return nil
	}
	b := &subscribers{owner: s.owner(), log: s.log}
	s.subscribers = b
	figures := newSubscriberFigures(s.registry)
	var err error
	if b.store, err = OpenStore(ctx, s.cfg, s.opts.Embedded, s.log); err != nil {
		return err
	}
	list, err := readAudiences(s.cfg)
	if err != nil {
		return err
	}
	if b.transport, err = subscribersTransport(s.cfg, audienceTopics(list)...); err != nil {
		return err
	}
	if err := b.openHooks(s.cfg, s.registry, figures); err != nil {
		return err
	}
	return b.openAudiences(s.cfg, list, s.registry, figures)
}

// CheckSubscribers reports every fault of the files of endpoints and audiences.
func CheckSubscribers(c config.Config) error {
	var hooks error
	if c.Webhooks.File != "" {
		_, hooks = webhook.Load(c.Webhooks.File)
	}
	_, audiences := readAudiences(c)
	return errors.Join(hooks, audiences)
}

// subscribersTransport reaches the topics that subscribers read and write.
func subscribersTransport(c config.Config, more ...string) (*conn.Transport, error) {
	topics := append(append(webhookTopics(c), more...), c.Kafka.Topics.TierChanges, c.Kafka.Topics.AccountTiers)
	kafka, err := KafkaConfig(c, topics)
	if err != nil {
		return nil, err
	}
	return conn.NewTransport(kafka)
}

// close releases the connections.
func (b *subscribers) close() error {
	if b == nil {
		return nil
	}
	if b.transport != nil {
		b.transport.Close()
	}
	if b.store == nil {
		return nil
	}
	return b.store.Close()
}

// Run does each work while its lease is held, until ctx ends.
func (b *subscribers) Run(ctx context.Context) error {
	if b == nil {
		return nil
	}
	var group errgroup.Group
	for _, w := range b.works {
		group.Go(func() error { b.keep(ctx, w); return nil })
	}
	return group.Wait()
}

// keep takes the lease whenever it is free and works while it has it.
func (b *subscribers) keep(ctx context.Context, w subscriber) {
	ticker := time.NewTicker(leaseTTL / 5)
	defer ticker.Stop()
	for {
		if held, err := b.store.Acquire(ctx, w.name, b.owner, leaseTTL); err == nil && held {
			b.hold(ctx, w)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// hold works until the lease is lost or ctx ends, then gives it back. The lease saves double
// work; a step of who lost it unnoticed is refused by the ledger.
func (b *subscribers) hold(ctx context.Context, w subscriber) {
	log := b.log.With().Str("subscriber", w.name).Logger()
	log.Info().Msg("subscriber begins")
	work, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.work(work) }()
	ticker := time.NewTicker(leaseTTL / 5)
	defer ticker.Stop()
	until := time.Now().Add(leaseTTL)
	for ctx.Err() == nil && time.Now().Before(until) {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			now := time.Now()
			held, err := b.store.Acquire(ctx, w.name, b.owner, leaseTTL)
			switch {
			case err == nil && held:
				until = now.Add(leaseTTL)
			case err == nil:
				until = now
			}
		}
	}
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		log.Warn().Err(err).Msg("subscriber ended")
	}
	log.Info().Msg("subscriber stops")
	giving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := b.store.Release(giving, w.name, b.owner); err != nil {
		log.Debug().Err(err).Msg("lease not released")
	}
}

// persist repeats a part of a work until ctx ends: what can't heal for now may after an
// operator's hand.
func persist(ctx context.Context, log zerolog.Logger, part func(context.Context) error) error {
	for attempt := 0; ; attempt++ {
		begun := time.Now()
		err := part(ctx)
		if ctx.Err() == nil {
			log.Warn().Err(err).Msg("subscriber interrupted, beginning anew")
		}
		if time.Since(begun) > time.Minute {
			attempt = 0
		}
		if !wait(ctx, attempt) {
			return nil
		}
	}
}

// feedOf reads a topic; what is compacted beside it is known of tier changes only.
func feedOf(c config.Config, transport *conn.Transport, topic string, log zerolog.Logger) (*feed.Feed, error) {
	settings := feed.Config{Transport: transport, Topic: topic}
	if topic == c.Kafka.Topics.TierChanges {
		settings.Compacted = c.Kafka.Topics.AccountTiers
	}
	return feed.New(settings, log)
}

// subscriberFigures count what subscribers met.
type subscriberFigures struct {
	gaps, unreadable *prometheus.CounterVec
}

func newSubscriberFigures(r prometheus.Registerer) *subscriberFigures {
	f := &subscriberFigures{
		gaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_subscriber_gaps_total", Help: "Times that a subscriber found events missing and caught up from the compacted topic.",
		}, []string{"subscriber"}),
		unreadable: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_subscriber_unreadable_total", Help: "Records that a subscriber passed over, as they are no numbered events.",
		}, []string{"subscriber"}),
	}
	r.MustRegister(f.gaps, f.unreadable)
	for _, name := range []string{"webhooks", "audiences"} {
		f.gaps.WithLabelValues(name)
		f.unreadable.WithLabelValues(name)
	}
	return f
}

// config is how a subscriber follows.
func (f *subscriberFigures) config(name string, state follow.State, from *feed.Feed, log zerolog.Logger) follow.Config {
	gaps, unreadable := f.gaps.WithLabelValues(name), f.unreadable.WithLabelValues(name)
	return follow.Config{
		State: state, Log: from,
		Lost: func(g *follow.GapError) error {
			gaps.Inc()
			log.Warn().Err(g).Msg("events are missing, catching up from the compacted topic")
			return nil
		},
		Unreadable: func(r follow.Record, err error) {
			unreadable.Inc()
			log.Debug().Err(err).Int("partition", r.Partition).Int64("offset", r.Offset).Msg("record is no numbered event, passed over")
		},
	}
}
