package app

import (
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"tidemark/pkg/config"
	"tidemark/pkg/follow"
	"tidemark/pkg/webhook"
	"tidemark/streams/feed"
)

// webhookTopics are the topics whose events are sent.
func webhookTopics(c config.Config) []string {
	if len(c.Webhooks.Topics) == 0 {
		return []string{c.Kafka.Topics.TierChanges}
	}
	return slices.Clone(c.Webhooks.Topics)
}

// hooks deliver webhooks while the instance holds their lease.
type hooks struct {
	*subscribers
	dispatcher *webhook.Dispatcher
	feeds      map[string]*feed.Feed
	figures    *subscriberFigures
	log        zerolog.Logger
}

func (b *subscribers) openHooks(c config.Config, r prometheus.Registerer, figures *subscriberFigures) error {
	if c.Webhooks.File == "" {
		return nil
	}
	endpoints, err := webhook.Load(c.Webhooks.File)
	if err != nil {
		return err
	}
	h := &hooks{subscribers: b, feeds: map[string]*feed.Feed{}, figures: figures, log: b.log.With().Str("subscriber", "webhooks").Logger()}
	h.dispatcher = webhook.New(b.store.Hooks(), endpoints, webhook.NewMetrics(r, endpoints), b.log)
	for _, topic := range webhookTopics(c) {
		if h.feeds[topic], err = feedOf(c, b.transport, topic, b.log); err != nil {
			return err
		}
	}
	b.works = append(b.works, subscriber{"webhooks", h.work})
	return nil
}

// work queues what comes and delivers what is queued.
func (h *hooks) work(ctx context.Context) error {
	defer h.dispatcher.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.dispatcher.Run(ctx) })
	for topic, from := range h.feeds {
		group.Go(func() error {
			return persist(ctx, h.log, func(ctx context.Context) error { return h.follow(ctx, topic, from) })
		})
	}
	return group.Wait()
}

func (h *hooks) follow(ctx context.Context, topic string, from *feed.Feed) error {
	inbox := &webhook.Inbox{Topic: topic, Memory: h.store.HookLedger(topic), Dispatcher: h.dispatcher}
	follower, err := follow.New(h.figures.config("webhooks", inbox, from, h.log))
	if err != nil {
		return err
	}
	return from.Run(ctx, follower)
}
