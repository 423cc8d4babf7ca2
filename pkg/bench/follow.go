package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"golang.org/x/sync/errgroup"

	"tidemark/pkg/engine"
)

// leaders are the brokers that lead the partitions of topics, by their IDs.
func leaders(ctx context.Context, client *kafka.Client, topics []string) (map[engine.Partition]int, error) {
	layout, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return nil, fmt.Errorf("leaders of %v: %w", topics, err)
	}
	at := map[engine.Partition]int{}
	for _, t := range layout.Topics {
		for _, p := range t.Partitions {
			at[engine.Partition{Topic: t.Name, ID: p.ID}] = p.Leader.ID
		}
	}
	return at, nil
}

// follow gives what is appended to partitions from offsets on to take, until ctx ends.
// As with Kafka's own consumers, one request asks a leader for all of them, and it is
// held until one has something. take is called by a goroutine for each leader.
func (b *bench) follow(ctx context.Context, from map[engine.Partition]int64, take func(value []byte, now time.Time) error) error {
	topics := map[string]bool{}
	for p := range from {
		topics[p.Topic] = true
	}
	at, err := leaders(ctx, b.client, slices.Collect(maps.Keys(topics)))
	if err != nil {
		return err
	}
	byLeader := map[int]map[engine.Partition]int64{}
	for p, offset := range from {
		if byLeader[at[p]] == nil {
			byLeader[at[p]] = map[engine.Partition]int64{}
		}
		byLeader[at[p]][p] = offset
	}
	var group errgroup.Group
	for _, offsets := range byLeader {
		group.Go(func() error {
			for ctx.Err() == nil {
				err := patiently(ctx, func() error { return b.fetch(ctx, offsets, take) })
				if err != nil && ctx.Err() == nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// held is how long the broker may hold a request.
const held = 500 * time.Millisecond

// fetch asks once and moves the offsets past what came.
func (b *bench) fetch(ctx context.Context, offsets map[engine.Partition]int64, take func([]byte, time.Time) error) error {
	req := &fetch.Request{ReplicaID: -1, MaxWaitTime: int32(held / time.Millisecond), MinBytes: 1, MaxBytes: 10 << 20, SessionEpoch: -1}
	byTopic := map[string]*fetch.RequestTopic{}
	for p, offset := range offsets {
		topic := byTopic[p.Topic]
		if topic == nil {
			topic = &fetch.RequestTopic{Topic: p.Topic}
			byTopic[p.Topic] = topic
		}
		topic.Partitions = append(topic.Partitions, fetch.RequestPartition{
			Partition: int32(p.ID), CurrentLeaderEpoch: -1, FetchOffset: offset, LogStartOffset: -1, PartitionMaxBytes: 1 << 20,
		})
	}
	for _, topic := range byTopic {
		req.Topics = append(req.Topics, *topic)
	}
	answer, err := b.client.Transport.RoundTrip(ctx, b.client.Addr, req)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	now := time.Now()
	for _, t := range answer.(*fetch.Response).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return fmt.Errorf("read %s/%d: %w", t.Topic, p.Partition, kafka.Error(p.ErrorCode))
			}
			part := engine.Partition{Topic: t.Topic, ID: int(p.Partition)}
			if offsets[part], err = values(p.RecordSet.Records, offsets[part], func(value []byte) error { return take(value, now) }); err != nil {
				return fmt.Errorf("read %s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// values gives the values of records from an offset on to take, and returns the offset
// after them.
func values(records protocol.RecordReader, from int64, take func([]byte) error) (int64, error) {
	for records != nil {
		r, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return from, err
		}
		if r.Offset < from {
			continue // a batch comes whole
		}
		value, err := protocol.ReadAll(r.Value)
		if err != nil {
			return from, err
		}
		if isChange(value) {
			if err := take(value); err != nil {
				return from, err
			}
		}
		from = r.Offset + 1
	}
	return from, nil
}
