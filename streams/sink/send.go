package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
)

const (
	// abreast is how many requests to each broker may be under way at once.
	abreast = 4
	// most is how many partitions a request may be for: with full batches it stays
	// below the brokers' socket.request.max.bytes of 100 MiB.
	most = 64
)

// sending is a batch on its way to a partition.
type sending struct {
	topic     string
	partition int
	batch     []Message
	err       error
}

// produce makes one attempt. What goes to other partitions at the same moment goes
// along, in one request for each broker.
func (p *Publisher) produce(ctx context.Context, topic string, partition int, batch []Message) error {
	s := &sending{topic: topic, partition: partition, batch: batch}
	for {
		p.sending.Take(ctx, s)
		// A request ends with the context of whoever made it.
		if ctx.Err() != nil || !errors.Is(s.err, context.Canceled) {
			return s.err
		}
	}
}

// send sends batches to their leaders.
func (p *Publisher) send(ctx context.Context, batches []*sending) {
	var wait sync.WaitGroup
	for _, some := range p.byLeader(ctx, batches) {
		for part := range slices.Chunk(some, most) {
			wait.Go(func() { p.sendTo(ctx, part) })
		}
	}
	wait.Wait()
}

// byLeader groups batches by their leaders, those of one topic one after another. A
// request has one batch for a partition: a second one goes apart.
func (p *Publisher) byLeader(ctx context.Context, batches []*sending) [][]*sending {
	type way struct {
		leader int
		turn   int
	}
	type place struct {
		topic     string
		partition int
	}
	slices.SortStableFunc(batches, func(a, b *sending) int { return cmp.Compare(a.topic, b.topic) })
	leaders := p.leaders(ctx, batches)
	turns := map[place]int{}
	ways := map[way]int{}
	var groups [][]*sending
	for _, s := range batches {
		at := place{s.topic, s.partition}
		w := way{leaders(s), turns[at]}
		turns[at]++
		i, known := ways[w]
		if !known {
			i = len(groups)
			ways[w] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

// leaders says which broker leads a batch's partition, by what the transport knows; -1:
// that is not known, and whoever sends it will be told why.
func (p *Publisher) leaders(ctx context.Context, batches []*sending) func(*sending) int {
	var topics []string
	for _, s := range batches {
		if n := len(topics); n == 0 || topics[n-1] != s.topic {
			topics = append(topics, s.topic)
		}
	}
	layout, err := p.client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	return func(s *sending) int {
		if err != nil {
			return -1
		}
		for i := range layout.Topics {
			for j := range layout.Topics[i].Partitions {
				if of := &layout.Topics[i].Partitions[j]; layout.Topics[i].Name == s.topic && of.ID == s.partition {
					return of.Leader.ID
				}
			}
		}
		return -1
	}
}

// sendTo sends batches of one leader, by topic.
func (p *Publisher) sendTo(ctx context.Context, batches []*sending) {
	req := &produce.Request{Acks: int16(kafka.RequireAll), Timeout: int32(p.config.Timeout / 2 / time.Millisecond)}
	for _, s := range batches {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != s.topic {
			req.Topics = append(req.Topics, produce.RequestTopic{Topic: s.topic})
		}
		topic := &req.Topics[len(req.Topics)-1]
		topic.Partitions = append(topic.Partitions, produce.RequestPartition{
			Partition: int32(s.partition), RecordSet: protocol.RecordSet{Records: records(s.batch)},
		})
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	answer, err := p.client.Transport.RoundTrip(ctx, p.client.Addr, req)
	if err != nil {
		p.unsure.Add(1)
	}
	for _, s := range batches {
		if s.err = err; err == nil {
			s.err = outcome(answer.(*produce.Response), s)
		}
	}
}

func records(batch []Message) protocol.RecordReader {
	out := make([]protocol.Record, len(batch))
	for i, m := range batch {
		out[i] = protocol.Record{Time: m.Time, Key: protocol.NewBytes(m.Key), Value: protocol.NewBytes(m.Value)}
		for _, h := range m.Headers {
			out[i].Headers = append(out[i].Headers, protocol.Header(h))
		}
	}
	return protocol.NewRecordReader(out...)
}

// outcome is what an answer says of a batch.
func outcome(answer *produce.Response, s *sending) error {
	for _, topic := range answer.Topics {
		if topic.Topic != s.topic {
			continue
		}
		for _, of := range topic.Partitions {
			switch {
			case int(of.Partition) != s.partition:
			case of.ErrorCode == 0:
				return nil
			case of.ErrorMessage != "":
				return fmt.Errorf("%w: %s", kafka.Error(of.ErrorCode), of.ErrorMessage)
			default:
				return kafka.Error(of.ErrorCode)
			}
		}
	}
	return fmt.Errorf("the broker's answer leaves out %s/%d", s.topic, s.partition)
}
