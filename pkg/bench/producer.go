package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"golang.org/x/sync/errgroup"
)

const (
	batchRecords = 2000
	batchBytes   = 700_000 // below the brokers' max.message.bytes of 1 MiB
)

// message is a record on its way to a partition.
type message struct {
	topic int // index into the producer's topics
	key   string
	value []byte // add copies it
	time  time.Time
}

// producer writes to several topics at once, in order within each partition: a
// goroutine and a short queue of batches for each. A full queue holds up add.
type producer struct {
	client  *kafka.Client
	topics  []string
	numbers []int // 0 … partitions−1, as the balancer wants them
	open    []*batch
	queues  []chan *batch
	group   *errgroup.Group
	ctx     context.Context
}

type batch struct {
	messages []message
	bytes    int
}

// records are the batch as kafka-go wants it: readers, which serve one attempt only.
func (b *batch) records() []kafka.Record {
	out := make([]kafka.Record, len(b.messages))
	for i, m := range b.messages {
		out[i] = kafka.Record{Key: kafka.NewBytes([]byte(m.key)), Value: kafka.NewBytes(m.value), Time: m.time}
	}
	return out
}

func newProducer(ctx context.Context, client *kafka.Client, topics []string, partitions int) *producer {
	p := &producer{client: client, topics: topics, open: make([]*batch, len(topics)*partitions)}
	p.group, p.ctx = errgroup.WithContext(ctx)
	for i := range partitions {
		p.numbers = append(p.numbers, i)
	}
	for i := range p.open {
		queue := make(chan *batch, 2)
		p.queues = append(p.queues, queue)
		p.group.Go(func() error { return p.write(topics[i/partitions], i%partitions, queue) })
	}
	return p
}

func (p *producer) write(topic string, partition int, queue <-chan *batch) error {
	for b := range queue {
		if err := p.produce(topic, partition, b); err != nil {
			return fmt.Errorf("write to %s/%d: %w", topic, partition, err)
		}
	}
	return nil
}

// produce writes a batch.
func (p *producer) produce(topic string, partition int, b *batch) error {
	return patiently(p.ctx, func() error {
		answer, err := p.client.Produce(p.ctx, &kafka.ProduceRequest{
			Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(b.records()...),
		})
		if err == nil {
			err = answer.Error
		}
		return err
	})
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
		b = &batch{messages: make([]message, 0, batchRecords)}
		p.open[i] = b
	}
	m.value = append([]byte(nil), m.value...)
	b.messages = append(b.messages, m)
	b.bytes += len(m.value) + len(m.key) + 32
	if len(b.messages) == batchRecords || b.bytes >= batchBytes {
		return p.send(i)
	}
	return nil
}

func (p *producer) send(i int) error {
	b := p.open[i]
	p.open[i] = nil
	select {
	case p.queues[i] <- b:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// flush sends what is open, without waiting for acknowledgements.
func (p *producer) flush() error {
	for i, b := range p.open {
		if b == nil {
			continue
		}
		if err := p.send(i); err != nil {
			return err
		}
	}
	return nil
}

// close sends what is open and waits until all is acknowledged.
func (p *producer) close() error {
	err := p.flush()
	for _, q := range p.queues {
		close(q)
	}
	if failed := p.group.Wait(); failed != nil {
		return failed
	}
	return err
}
