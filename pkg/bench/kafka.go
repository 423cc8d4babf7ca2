package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
)

// logEnds is how many records the partitions of a topic hold, by partition.
func (b *bench) logEnds(ctx context.Context, topic string) (map[int]int64, error) {
	requests := make([]kafka.OffsetRequest, b.opts.Partitions)
	for i := range requests {
		requests[i] = kafka.LastOffsetOf(i)
	}
	out := map[int]int64{}
	err := patiently(ctx, func() error {
		answer, err := b.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: requests}})
		if err != nil {
			return err
		}
		for _, p := range answer.Topics[topic] {
			if p.Error != nil {
				return fmt.Errorf("partition %d: %w", p.Partition, p.Error)
			}
			out[p.Partition] = p.LastOffset
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", topic, err)
	}
	return out, nil
}

// records is how many records a topic holds.
func (b *bench) records(ctx context.Context, topic string) (n int64, err error) {
	ends, err := b.logEnds(ctx, topic)
	for _, end := range ends {
		n += end
	}
	return n, err
}

// stillness is how long a topic must not grow to count as done.
const stillness = 3 * time.Second

// still waits until a topic has not grown for a while.
func (b *bench) still(ctx context.Context, topic string) error {
	last, since := int64(-1), time.Now()
	for {
		n, err := b.records(ctx, topic)
		if err != nil {
			return err
		}
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) >= stillness {
			return nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// removeTopics deletes topics. One that is not there is no error.
func (b *bench) removeTopics(ctx context.Context, topics []string) error {
	answer, err := b.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: topics})
	if err != nil {
		return fmt.Errorf("remove the bench's topics: %w", err)
	}
	var faults []error
	for topic, err := range answer.Errors {
		if err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) {
			faults = append(faults, fmt.Errorf("remove topic %s: %w", topic, err))
		}
	}
	return errors.Join(faults...)
}

// lag is how many records the group of a deployment has not committed.
func (b *bench) lag(ctx context.Context, d *deployment) (lag int64, err error) {
	t := d.cfg.Kafka.Topics
	topics := map[string][]int{}
	for _, topic := range []string{t.Intent, t.Engagement} {
		for i := range b.opts.Partitions {
			topics[topic] = append(topics[topic], i)
		}
	}
	committed, err := b.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: d.cfg.Kafka.Group, Topics: topics})
	if err != nil {
		return 0, fmt.Errorf("committed offsets of %s: %w", d.cfg.Kafka.Group, err)
	}
	for topic := range topics {
		ends, err := b.logEnds(ctx, topic)
		if err != nil {
			return 0, err
		}
		for _, p := range committed.Topics[topic] {
			lag += ends[p.Partition] - max(p.CommittedOffset, 0)
			delete(ends, p.Partition)
		}
		for _, end := range ends {
			lag += end
		}
	}
	return lag, nil
}

// readRecords gives the records of a partition from an offset on to take, until ctx ends.
func (b *bench) readRecords(ctx context.Context, topic string, number int, from int64, take func(kafka.Message) error) (err error) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: b.opts.Config.Kafka.Brokers, Dialer: b.dialer, Topic: topic, Partition: number,
		MinBytes: 1, MaxBytes: 10 << 20, MaxWait: 500 * time.Millisecond,
	})
	defer func() { err = errors.Join(err, reader.Close()) }()
	if err := reader.SetOffset(from); err != nil {
		return fmt.Errorf("read %s/%d from %d: %w", topic, number, from, err)
	}
	for {
		var m kafka.Message
		err := patiently(ctx, func() (err error) {
			m, err = reader.ReadMessage(ctx)
			return err
		})
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = take(m)
		}
		if err != nil {
			return fmt.Errorf("read %s/%d: %w", topic, number, err)
		}
	}
}

// readAll gives the values of all records that a topic holds now to take, which is
// called by several goroutines.
func (b *bench) readAll(ctx context.Context, topic string, take func(value []byte) error) error {
	ends, err := b.logEnds(ctx, topic)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for number, end := range ends {
		if end > 0 {
			group.Go(func() error { return b.readUntil(ctx, topic, number, end, take) })
		}
	}
	return group.Wait()
}

func (b *bench) readUntil(ctx context.Context, topic string, number int, end int64, take func([]byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return b.readRecords(ctx, topic, number, 0, func(m kafka.Message) error {
		err := error(nil)
		if isChange(m.Value) {
			err = take(m.Value)
		}
		if m.Offset+1 >= end {
			cancel()
		}
		return err
	})
}

// isChange leaves transaction markers out, which kafka-go hands out like records.
func isChange(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// groupReader is a plain kafka-go reader of topics, in a consumer group.
func (b *bench) groupReader(topics []string) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: b.opts.Config.Kafka.Brokers, Dialer: b.dialer, GroupTopics: topics, GroupID: b.name("floor"),
		StartOffset: kafka.FirstOffset, MinBytes: 1, MaxBytes: 10 << 20, QueueCapacity: 1000, CommitInterval: time.Second,
		// At the log's end a fetch waits this long, and closing waits for it.
		MaxWait: 250 * time.Millisecond,
	})
}
