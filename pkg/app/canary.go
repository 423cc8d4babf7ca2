package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/pkg/telemetry"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/sink"
	"tidemark/streams/source"
)

// canaryHeader marks a record as a canary, whatever the format of its topic. Its value
// is the canary's name: namespace/instance/number. Records of other namespaces are
// passed over, and so are all of them by who does not serve.
const canaryHeader = "tidemark-canary"

// CanaryType is the CloudEvents type of a canary, for those who read the topics too.
const CanaryType = "tidemark.canary"

// canary sends events of this instance's own and takes back those of any, as they come
// out of the outboxes that it relays.
//
// What comes back was acknowledged by the brokers, assigned to somebody, fetched, merged
// among the events, committed with its position by the shard's script, and read by the
// shard's relay. Topics, partitions and shards take turns.
type canary struct {
	cfg     canaryConfig
	publish interface {
		Publish(ctx context.Context, topic string, messages []sink.Message) error
	}
	now   func() int64
	log   zerolog.Logger
	lost  bool // the latest could not be sent
	sent  prometheus.Counter
	way   *telemetry.Delays
	alive prometheus.Gauge
}

type canaryConfig struct {
	name   string // namespace/instance
	topics []string
	every  time.Duration
	shards int
}

// newCanary makes this instance's canaries, or nil where the configuration wants none.
func newCanary(cfg config.Config, shards int, p *sink.Publisher, r prometheus.Registerer, now func() int64, log zerolog.Logger) (*canary, error) {
	if cfg.Canary.Every == 0 {
		return nil, nil
	}
	instance, err := cfg.Kafka.Instance()
	if err != nil {
		return nil, fmt.Errorf("kafka.instance_id: %w", err)
	}
	c := &canary{
		cfg: canaryConfig{
			name: cfg.Namespace + "/" + instance, every: cfg.Canary.Every, shards: shards,
			// Not that of the profiles: compaction would keep every one.
			topics: slices.DeleteFunc(cfg.Kafka.InputTopics(), func(t string) bool { return t == cfg.Kafka.Topics.Profiles }),
		},
		publish: p, now: now, log: log.With().Str("component", "canary").Logger(),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_canary_sent_total", Help: "Canaries of this instance that Kafka acknowledged.",
		}),
		way: telemetry.NewDelays(r, "tidemark_canary_round_trip_seconds",
			"From sending a canary, by any instance, until this instance's relay took it from the outbox.", nil),
		alive: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_canary_last_success_timestamp_seconds", Help: "When this instance last took a canary from the outbox; before the first, when it began.",
		}),
	}
	r.MustRegister(c.sent, c.alive)
	c.alive.Set(float64(now()) / 1000)
	return c, nil
}

// Run sends a canary at each interval until ctx ends. One that cannot be sent is logged
// once for the whole outage.
func (c *canary) Run(ctx context.Context) error {
	if c == nil {
		return nil
	}
	ticker := time.NewTicker(c.cfg.every)
	defer ticker.Stop()
	// Begun anywhere, so that an instance that restarts often does not try one topic only.
	for n := c.now() / 1000; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.send(ctx, n)
		}
	}
}

// sendLimit is how long a canary may wait for Kafka: then it is the next one's turn.
const sendLimit = 30 * time.Second

func (c *canary) send(ctx context.Context, n int64) {
	attempt, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	topic := c.cfg.topics[n%int64(len(c.cfg.topics))]
	err := c.publish.Publish(attempt, topic, []sink.Message{c.message(n)})
	switch {
	case err == nil:
		c.sent.Inc()
		if c.lost {
			c.log.Info().Str("topic", topic).Msg("canaries are sent again")
		}
	case ctx.Err() != nil:
		return
	case !c.lost:
		c.log.Warn().Err(err).Str("topic", topic).
			Msg("canary not sent; where the right to write to the topic is missing, grant it or set canary.every: 0")
	}
	c.lost = err != nil
}

// message is the canary as a CloudEvent that nobody else's model has a use for.
func (c *canary) message(n int64) sink.Message {
	// As many names as shards, since an instance remembers accounts that it met.
	name := fmt.Sprintf("%s/%d", c.cfg.name, n%int64(c.cfg.shards))
	value := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"tidemark/canary","type":%q,"time":%q,"subject":"tidemark-canary"}`,
		name+"/"+strconv.FormatInt(n, 10), CanaryType, codec.FormatTime(c.now()))
	return sink.Message{
		Key: fmt.Append(nil, n), Value: []byte(value), Time: time.UnixMilli(c.now()),
		Headers: []sink.Header{{Key: canaryHeader, Value: []byte(name)}, contentTypeHeader},
	}
}

var contentTypeHeader = sink.Header{Key: "content-type", Value: []byte("application/cloudevents+json")}

// canaryOf is the name of the canary that a record is; false where it is none.
func canaryOf(r *source.Record) (string, bool) {
	for i := range r.Headers {
		if r.Headers[i].Key == canaryHeader {
			return string(r.Headers[i].Value), true
		}
	}
	return "", false
}

// longestName bounds what a header of somebody else's can put into an outbox.
const longestName = 512

// withCanaries decodes canaries of the namespace by itself and passes those of others
// over; the rest is left to decode.
func withCanaries(namespace string, decode source.Decode) source.Decode {
	return func(r *source.Record) source.Decoded {
		name, ok := canaryOf(r)
		switch {
		case !ok:
			return decode(r)
		case strings.HasPrefix(name, namespace+"/") && len(name) <= longestName:
			return source.Decoded{Events: []*scoring.Event{engine.Canary(name, r.Time)}, Aside: true}
		}
		return source.Decoded{}
	}
}

// takeBack removes canaries from entries of an outbox, and from the outbox: they have
// come all the way. It reports whether it is worth reading the outbox again. While it
// takes no writes they stay there, and hold up nothing.
func (c *canary) takeBack(ctx context.Context, shard int, outbox OutboxStore, entries []store.Entry) (rest []store.Entry, again bool) {
	var ids []string
	var back []int64 // when they were sent
	for _, e := range entries {
		if engine.IsCanaryAccount(e.Account) {
			ids, back = append(ids, e.ID), append(back, e.Appended)
		} else {
			rest = append(rest, e)
		}
	}
	if len(ids) == 0 {
		return entries, false
	}
	if _, err := outbox.Trim(ctx, shard, ids); err != nil {
		return rest, false
	}
	c.succeeded(back)
	return nil, true
}

func (c *canary) succeeded(sent []int64) {
	if c == nil {
		return // another instance sends them
	}
	now := c.now()
	var way telemetry.Tally
	for _, at := range sent {
		way.Add(now - at)
	}
	c.way.Add(&way)
	c.alive.Set(float64(now) / 1000)
}
