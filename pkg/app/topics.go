package app

import (
	"context"
	"fmt"
	"time"

	"tidemark/pkg/config"
	"tidemark/streams/conn"
	"tidemark/streams/sink"
)

// CreateTopics makes the configured topics that are missing.
func CreateTopics(ctx context.Context, c config.Config) ([]sink.Result, error) {
	kafka, err := KafkaConfig(c, nil)
	if err != nil {
		return nil, err
	}
	specs := topicSpecs(c)
	list, err := readAudiences(c)
	if err != nil {
		return nil, err
	}
	for _, topic := range audienceTopics(list) {
		specs = append(specs, topicSpec(c, topic, compact))
	}
	transport, err := conn.NewTransport(kafka)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer transport.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	results, err := sink.NewTopics(transport, 10*time.Second).Ensure(ctx, specs)
	if err != nil {
		return results, fmt.Errorf("kafka.brokers %v: %w", c.Kafka.Brokers, err)
	}
	return results, nil
}

// topicSpecs are the topics as they should be. The input is the source of truth:
// it is kept for as long as events may count, so that state can be rebuilt.
func topicSpecs(c config.Config) []sink.TopicSpec {
	t := c.Kafka.Topics
	keep := map[string]string{"cleanup.policy": "delete", "retention.ms": fmt.Sprint(c.Events.MaxAge.Milliseconds())}
	spec := func(name string, settings map[string]string) sink.TopicSpec { return topicSpec(c, name, settings) }
	specs := []sink.TopicSpec{
		spec(t.Intent, keep), spec(t.Engagement, keep), spec(t.Profiles, compact), spec(t.Outcomes, keep),
		spec(t.TierChanges, keep), spec(t.AccountTiers, compact), spec(t.DeadLetters, keep),
	}
	if c.Routing != "" {
		specs = append(specs, spec(t.MQARouting, keep))
	}
	for _, topic := range c.Kafka.MoreTopics() {
		specs = append(specs, spec(topic, keep))
	}
	return specs
}

// compact is for topics of which the latest record of each key counts.
var compact = map[string]string{"cleanup.policy": "compact"}

func topicSpec(c config.Config, name string, settings map[string]string) sink.TopicSpec {
	return sink.TopicSpec{Name: name, Partitions: c.Kafka.Create.Partitions, Replication: c.Kafka.Create.Replication, Config: settings}
}
