package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tidemark/pkg/app"
)

// Keys of the configuration whose values are topics' names.
const (
	topicIntent       = "kafka.topics.intent"
	topicEngagement   = "kafka.topics.engagement"
	topicProfiles     = "kafka.topics.profiles"
	topicOutcomes     = "kafka.topics.outcomes"
	topicTierChanges  = "kafka.topics.tier_changes"
	topicAccountTiers = "kafka.topics.account_tiers"
	topicDeadLetters  = "kafka.topics.dead_letters"
)

// deploy makes a fresh namespace with topics of its own. The keys of topics in
// share name topics that exist already, with their names.
func (b *bench) deploy(ctx context.Context, share map[string]string) (*deployment, error) {
	d := &deployment{cfg: b.opts.Config}
	settings := map[string]string{
		"namespace": b.name("ns"), "model": b.model, "http.addr": "127.0.0.1:0", "log.format": "json", "log.level": "info",
		"kafka.brokers": strings.Join(b.opts.Config.Kafka.Brokers, ","), "redis.addrs": strings.Join(b.opts.Config.Redis.Addrs, ","),
		"kafka.group": b.name("group"), "kafka.instance_id": "bench", "canary.every": "0", "kafka.create.partitions": fmt.Sprint(b.opts.Partitions),
	}
	for _, key := range []string{
		topicIntent, topicEngagement, topicProfiles, topicOutcomes, topicTierChanges, topicAccountTiers, topicDeadLetters,
	} {
		if settings[key] = share[key]; settings[key] == "" {
			settings[key] = b.name(key[len("kafka.topics."):])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if err := d.set(key, settings[key]); err != nil {
			return nil, err
		}
	}
	results, err := app.CreateTopics(ctx, d.cfg)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	return d, err
}

// remove deletes what a deployment left behind: its keys in Redis and its topics,
// but for those that are kept.
func (b *bench) remove(ctx context.Context, d *deployment, keep map[string]string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	t := d.cfg.Kafka.Topics
	var topics []string
	for _, name := range []string{t.Intent, t.Engagement, t.Profiles, t.Outcomes, t.TierChanges, t.AccountTiers, t.DeadLetters} {
		if !slices.Contains(slices.Collect(maps.Values(keep)), name) {
			topics = append(topics, name)
		}
	}
	return errors.Join(b.removeTopics(ctx, topics), b.removeKeys(ctx, d.cfg.Namespace))
}
