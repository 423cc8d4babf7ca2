package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/streams/conn"
)

// TopicSpec is a topic as it is wanted.
type TopicSpec struct {
	Name string
	// Partitions and Replication at 0 leave the choice to the broker.
	Partitions, Replication int
	// Config are topic settings such as cleanup.policy.
	Config map[string]string
}

// Result says what became of a topic.
type Result struct {
	Name    string
	Created bool
	// Partitions is how many there are now; for a topic that was there before it
	// may differ from what was wanted. Nothing is changed then.
	Partitions int
	Err        error
}

// Topics makes topics and looks for them.
type Topics struct{ client *kafka.Client }

// NewTopics makes a Topics. The transport must follow the topics asked for, or
// all. The timeout bounds each request; 0 stands for DefaultTimeout.
func NewTopics(transport *conn.Transport, timeout time.Duration) *Topics {
	return &Topics{client: transport.Client(or(timeout, DefaultTimeout))}
}

// Check returns the names of topics that do not exist, in the order given.
func (t *Topics) Check(ctx context.Context, names []string) (missing []string, err error) {
	found, err := t.find(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if errors.Is(found[name].Error, kafka.UnknownTopicOrPartition) {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// Ensure makes the topics that are missing, and waits until each has a leader for
// every partition. It returns a result for each, in the order given. The error
// tells what went wrong with the cluster; what went wrong with one topic is in
// its result.
func (t *Topics) Ensure(ctx context.Context, specs []TopicSpec) ([]Result, error) {
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = spec.Name
	}
	found, err := t.find(ctx, names)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(specs))
	var wanted []kafka.TopicConfig
	for i, spec := range specs {
		topic := found[spec.Name]
		results[i] = Result{Name: spec.Name, Partitions: len(topic.Partitions)}
		if errors.Is(topic.Error, kafka.UnknownTopicOrPartition) {
			wanted = append(wanted, spec.config())
		} else if topic.Error != nil {
			results[i].Err = fmt.Errorf("topic %s: %w", spec.Name, topic.Error)
		}
	}
	if len(wanted) == 0 {
		return results, nil
	}
	response, err := t.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: wanted})
	if err != nil {
		return nil, fmt.Errorf("create topics: %w", err)
	}
	var made []string
	for i := range results {
		fault, asked := response.Errors[results[i].Name]
		switch {
		case !asked:
		case fault == nil:
			results[i].Created = true
			made = append(made, results[i].Name)
		case errors.Is(fault, kafka.TopicAlreadyExists):
			made = append(made, results[i].Name)
		default:
			results[i].Err = fmt.Errorf("create topic %s: %w", results[i].Name, fault)
		}
	}
	return results, t.await(ctx, made, results)
}

func (s TopicSpec) config() kafka.TopicConfig {
	c := kafka.TopicConfig{Topic: s.Name, NumPartitions: or(s.Partitions, -1), ReplicationFactor: or(s.Replication, -1)}
	for name, value := range s.Config {
		c.ConfigEntries = append(c.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	return c
}

// find looks topics up. A topic that the answer lacks counts as unknown.
func (t *Topics) find(ctx context.Context, names []string) (map[string]kafka.Topic, error) {
	response, err := t.client.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	found := map[string]kafka.Topic{}
	for _, topic := range response.Topics {
		found[topic.Name] = topic
	}
	return found, nil
}

// awaitPause is how often await looks: a little less than the transport does.
const awaitPause = 100 * time.Millisecond

// await waits until topics just made can be used, and fills in their partitions.
func (t *Topics) await(ctx context.Context, made []string, results []Result) error {
	if len(made) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.client.Timeout)
	defer cancel()
	ticker := time.NewTicker(awaitPause)
	defer ticker.Stop()
	for {
		found, err := t.find(ctx, made)
		if err == nil && !slices.ContainsFunc(made, func(name string) bool { return !led(found[name]) }) {
			for i := range results {
				if topic, ok := found[results[i].Name]; ok {
					results[i].Partitions = len(topic.Partitions)
				}
			}
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the leaders of topics %v: %w", made, ctx.Err())
		}
	}
}

// led tells whether every partition of a topic has a leader.
func led(topic kafka.Topic) bool {
	return topic.Error == nil && len(topic.Partitions) > 0 &&
		!slices.ContainsFunc(topic.Partitions, func(p kafka.Partition) bool { return p.Error != nil || p.Leader.Host == "" })
}
