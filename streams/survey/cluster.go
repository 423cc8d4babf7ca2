package survey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/pkg/engine"
	"tidemark/streams/conn"
)

// Cluster is a Kafka cluster to ask.
type Cluster struct {
	transport *conn.Transport
	client    *kafka.Client
}

// DefaultTimeout bounds a request where New is given none.
const DefaultTimeout = 10 * time.Second

// New makes a Cluster. Whoever made the transport closes it; it must follow the topics
// that are asked for, or all. The timeout bounds each request; 0 takes the default.
func New(transport *conn.Transport, timeout time.Duration) *Cluster {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return &Cluster{transport: transport, client: transport.Client(timeout)}
}

// Partitions are the partitions of topics, in the order of the topics and by number,
// and the topics that do not exist.
func (c *Cluster) Partitions(ctx context.Context, topics []string) (parts []engine.Partition, missing []string, err error) {
	res, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return nil, nil, fmt.Errorf("ask for the topics: %w", err)
	}
	for _, name := range topics {
		i := slices.IndexFunc(res.Topics, func(t kafka.Topic) bool { return t.Name == name })
		if i < 0 || errors.Is(res.Topics[i].Error, kafka.UnknownTopicOrPartition) {
			missing = append(missing, name)
			continue
		}
		if err := res.Topics[i].Error; err != nil {
			return nil, nil, fmt.Errorf("ask for topic %s: %w", name, err)
		}
		for _, p := range res.Topics[i].Partitions {
			parts = append(parts, engine.Partition{Topic: name, ID: p.ID})
		}
	}
	slices.SortStableFunc(parts, func(a, b engine.Partition) int {
		if a.Topic != b.Topic {
			return 0 // the order of the topics stays
		}
		return a.ID - b.ID
	})
	return parts, missing, nil
}

// atOnce bounds the partitions asked for together: kafka-go sends two requests for
// each, all at once and each on its own connection.
const atOnce = 8

// Bounds are the offsets that each partition holds. An open transaction is a log's end.
func (c *Cluster) Bounds(ctx context.Context, parts []engine.Partition) (map[engine.Partition]engine.Bounds, error) {
	return Bounds(ctx, c.client, parts, kafka.ReadCommitted)
}

// Bounds are the offsets that each partition holds, as of a client's own. What is the
// end of a log depends on the isolation level: the first open transaction, or not.
func Bounds(ctx context.Context, client *kafka.Client, parts []engine.Partition, level kafka.IsolationLevel) (map[engine.Partition]engine.Bounds, error) {
	all := make(map[engine.Partition]engine.Bounds, len(parts))
	for some := range slices.Chunk(parts, atOnce) {
		topics := make(map[string][]kafka.OffsetRequest)
		for _, p := range some {
			topics[p.Topic] = append(topics[p.Topic], kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
		}
		res, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: topics, IsolationLevel: level})
		if err != nil {
			return nil, fmt.Errorf("list offsets: %w", err)
		}
		for topic, found := range res.Topics {
			for _, b := range found {
				if b.Error != nil {
					return nil, fmt.Errorf("list offsets of %s/%d: %w", topic, b.Partition, b.Error)
				}
				all[engine.Partition{Topic: topic, ID: b.Partition}] = engine.Bounds{First: b.FirstOffset, End: b.LastOffset}
			}
		}
	}
	if len(all) != len(parts) {
		return nil, fmt.Errorf("list offsets: %d answers for %d partitions", len(all), len(parts))
	}
	return all, nil
}

// Commit is what a group said last about a partition.
type Commit struct {
	Offset int64 // the next to read, -1 where it never said anything
	At     int64 // when, Unix milliseconds, by the clock of who said it; 0: not known
}

// Committed are the offsets of a group.
func (c *Cluster) Committed(ctx context.Context, group string, parts []engine.Partition) (map[engine.Partition]Commit, error) {
	return Committed(ctx, c.client, group, parts)
}

// Committed are the offsets of a group, as of a client's own.
func Committed(ctx context.Context, client *kafka.Client, group string, parts []engine.Partition) (map[engine.Partition]Commit, error) {
	all := make(map[engine.Partition]Commit, len(parts))
	if len(parts) == 0 {
		return all, nil
	}
	topics := make(map[string][]int)
	for _, p := range parts {
		topics[p.Topic] = append(topics[p.Topic], p.ID)
	}
	res, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: topics})
	if err == nil {
		err = res.Error
	}
	if errors.Is(err, kafka.GroupIdNotFound) { // newer brokers say so of a group that never was
		for _, p := range parts {
			all[p] = Commit{Offset: -1}
		}
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", group, err)
	}
	for topic, found := range res.Topics {
		for _, o := range found {
			if o.Error != nil {
				return nil, fmt.Errorf("read the offset of group %s in %s/%d: %w", group, topic, o.Partition, o.Error)
			}
			all[engine.Partition{Topic: topic, ID: o.Partition}] = Commit{Offset: o.CommittedOffset, At: stamped(o.Metadata)}
		}
	}
	if len(all) != len(parts) {
		return nil, fmt.Errorf("read the offsets of group %s: %d answers for %d partitions", group, len(all), len(parts))
	}
	return all, nil
}

// stampPrefix begins the note that goes with a committed offset.
const stampPrefix = "tidemark "

// Stamp is the note to commit offsets with. Kafka tells nobody when an offset was
// committed; the note does, also of an instance that is dead by now.
func Stamp(at time.Time) string { return stampPrefix + at.UTC().Format(time.RFC3339Nano) }

func stamped(note string) int64 {
	text, ours := strings.CutPrefix(note, stampPrefix)
	at, err := time.Parse(time.RFC3339Nano, text)
	if !ours || err != nil {
		return 0
	}
	return at.UnixMilli()
}
