package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
	"golang.org/x/sync/errgroup"

	"tidemark/pkg/engine"
)

const (
	batchRecords = 2000
	batchBytes   = 700_000 // below the brokers' max.message.bytes of 1 MiB
	produceLimit = 20 * time.Second
)

// message is a record on its way to a partition.
type message struct {
	topic int // index into the producer's topics
	key   string
	value []byte // add copies it
	time  time.Time
}

// producer writes to several topics at once, in order within each partition. As with
// Kafka's own producers, what is open for partitions of one leader goes to it in one request. A
// full queue holds up add.
type producer struct {
	client  *kafka.Client
	topics  []string
	numbers []int // 0 … partitions−1, as the balancer wants them
	open    []*batch
	queue   chan []*batch
	group   *errgroup.Group
	ctx     context.Context
}

// batch is what goes to one partition in one request.
type batch struct {
	index     int // among the producer's open ones
	topic     string
	partition int
	messages  []message
	bytes     int
	acked     bool
}

// records are the batch as kafka-go wants it: readers, which serve one attempt only.
func (b *batch) records() protocol.RecordReader {
	out := make([]protocol.Record, len(b.messages))
	for i, m := range b.messages {
		out[i] = protocol.Record{Key: protocol.NewBytes([]byte(m.key)), Value: protocol.NewBytes(m.value), Time: m.time}
	}
	return protocol.NewRecordReader(out...)
}

func newProducer(ctx context.Context, client *kafka.Client, topics []string, partitions int) *producer {
	p := &producer{client: client, topics: topics, open: make([]*batch, len(topics)*partitions), queue: make(chan []*batch, 8)}
	p.group, p.ctx = errgroup.WithContext(ctx)
	for i := range partitions {
		p.numbers = append(p.numbers, i)
	}
	p.group.Go(func() error {
		for batches := range p.queue {
			if err := p.produceAll(batches); err != nil {
				return err
			}
		}
		return nil
	})
	return p
}

// produceAll writes batches of different partitions: a request to each leader, all at once.
// What is acknowledged is not sent again.
func (p *producer) produceAll(batches []*batch) error {
	return patiently(p.ctx, func() error {
		leaders, err := leaders(p.ctx, p.client, p.topics)
		if err != nil {
			return err
		}
		byLeader := map[int][]*batch{}
		for _, b := range batches {
			leader := leaders[engine.Partition{Topic: b.topic, ID: b.partition}]
			byLeader[leader] = append(byLeader[leader], b)
		}
		var sent errgroup.Group
		for _, some := range byLeader {
			sent.Go(func() error { return p.produce(some) })
		}
		err = sent.Wait()
		batches = slices.DeleteFunc(batches, func(b *batch) bool { return b.acked })
		return err
	})
}

// produce writes batches that have one leader, in one request.
func (p *producer) produce(batches []*batch) error {
	req := &produce.Request{Acks: int16(kafka.RequireAll), Timeout: int32(produceLimit / time.Millisecond)}
	at := map[engine.Partition]*batch{}
	for _, b := range batches {
		at[engine.Partition{Topic: b.topic, ID: b.partition}] = b
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != b.topic {
			req.Topics = append(req.Topics, produce.RequestTopic{Topic: b.topic})
		}
		topic := &req.Topics[len(req.Topics)-1]
		topic.Partitions = append(topic.Partitions, produce.RequestPartition{
			Partition: int32(b.partition), RecordSet: protocol.RecordSet{Records: b.records()},
		})
	}
	answer, err := p.client.Transport.RoundTrip(p.ctx, p.client.Addr, req)
	if err != nil {
		return fmt.Errorf("write to %v: %w", p.topics, err)
	}
	var faults []error
	for _, t := range answer.(*produce.Response).Topics {
		for _, of := range t.Partitions {
			if of.ErrorCode != 0 {
				faults = append(faults, fmt.Errorf("write to %s/%d: %w", t.Topic, of.Partition, kafka.Error(of.ErrorCode)))
				continue
			}
			at[engine.Partition{Topic: t.Topic, ID: int(of.Partition)}].acked = true
		}
	}
	return errors.Join(faults...)
}

// Right after a topic was made, brokers and clients may not know its leaders yet.
const (
	leaderPatience = 20 * time.Second
	leaderPause    = 100 * time.Millisecond
)

// patiently tries again while a partition's leader is not known. Nothing was written
// then, so that a workload does not gain repeats by it.
func patiently(ctx context.Context, try func() error) error {
	deadline := time.Now().Add(leaderPatience)
	for {
		err := try()
		if !leaderUnknown(err) || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, leaderPause); err != nil {
			return err
		}
	}
}

func leaderUnknown(err error) bool {
	for _, known := range []error{
		kafka.NotLeaderForPartition, kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.BrokerNotAvailable, // by the broker
		protocol.ErrNoTopic, protocol.ErrNoPartition, protocol.ErrNoLeader, // by the client's own view
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// pause waits, or returns why the context ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// partition is where the Java client would put a key.
func (p *producer) partition(key string) int {
	return kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: []byte(key)}, p.numbers...)
}

// add takes a message. After an error only close makes sense.
func (p *producer) add(m message) error {
	i := m.topic*len(p.numbers) + p.partition(m.key)
	b := p.open[i]
	if b == nil {
		b = &batch{index: i, topic: p.topics[m.topic], partition: i % len(p.numbers)}
		p.open[i] = b
	}
	m.value = append([]byte(nil), m.value...)
	b.messages = append(b.messages, m)
	b.bytes += len(m.value) + len(m.key) + 32
	if len(b.messages) == batchRecords || b.bytes >= batchBytes {
		return p.send(b)
	}
	return nil
}

// send takes open batches to the queue.
func (p *producer) send(batches ...*batch) error {
	if len(batches) == 0 {
		return nil
	}
	for _, b := range batches {
		p.open[b.index] = nil
	}
	select {
	case p.queue <- batches:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// flush sends what is open, without waiting for acknowledgements.
func (p *producer) flush() error {
	return p.send(slices.DeleteFunc(slices.Clone(p.open), func(b *batch) bool { return b == nil })...)
}

// close sends what is open and waits until all is acknowledged.
func (p *producer) close() error {
	err := p.flush()
	close(p.queue)
	if failed := p.group.Wait(); failed != nil {
		return failed
	}
	return err
}
