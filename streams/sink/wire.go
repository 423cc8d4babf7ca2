package sink

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// The versions of the produce protocol that are written. Before 3 there were no version
// 2 batches; from 9 on, which kafka-go does not agree upon, fields are laid out otherwise.
const minProduce, maxProduce = 3, 8

// correlation marks a request on its connection, where no other is under way.
const correlation = 1

// atVersion is where a request says its version.
const atVersion = 6

// produceRequest sends batches to their common leader. kafka-go picks the connection; the
// exchange on it is done here (protocol.RawExchanger), with a body that is encoded already.
type produceRequest struct {
	batches []*sending
	version int16
	body    *[]byte
	pool    *sync.Pool
	unsent  bool // kafka-go found no leader to send it to
}

// maxPooled bounds a body that is kept: larger ones are rare.
const maxPooled = 4 << 20

// newProduceRequest encodes the request. Batches of one topic follow one another.
func (p *Publisher) newProduceRequest(batches []*sending) *produceRequest {
	body, ok := p.bodies.Get().(*[]byte)
	if !ok {
		body = new([]byte)
	}
	r := &produceRequest{batches: batches, body: body, pool: &p.bodies}
	size := 64 + len(p.clientID)
	for _, s := range batches {
		size += 80 + len(s.topic) + sizeOf(s.batch)
	}
	b := (*body)[:0]
	if cap(b) < size {
		b = make([]byte, 0, size)
	}
	b = append(b, 0, 0, 0, 0)                      // size
	b = append(b, 0, byte(protocol.Produce), 0, 0) // version: known at the exchange
	b = binary.BigEndian.AppendUint32(b, correlation)
	b = appendString(b, p.clientID)
	b = append(b, 0xff, 0xff) // no transaction
	b = append(b, 0xff, 0xff) // all in-sync replicas acknowledge
	b = binary.BigEndian.AppendUint32(b, uint32(p.config.Timeout/2/time.Millisecond))
	*body = appendTopics(b, batches)
	binary.BigEndian.PutUint32(*body, uint32(len(*body)-4))
	return r
}

func appendTopics(b []byte, batches []*sending) []byte {
	atTopics, topics := len(b), 0
	b = append(b, 0, 0, 0, 0)
	now := millisNow()
	for i := 0; i < len(batches); {
		topic := batches[i].topic
		topics++
		b = appendString(b, topic)
		atParts, parts := len(b), 0
		b = append(b, 0, 0, 0, 0)
		for ; i < len(batches) && batches[i].topic == topic; i++ {
			parts++
			b = binary.BigEndian.AppendUint32(b, uint32(batches[i].partition))
			atSize := len(b)
			b = appendBatch(append(b, 0, 0, 0, 0), batches[i].batch, now)
			binary.BigEndian.PutUint32(b[atSize:], uint32(len(b)-atSize-4))
		}
		binary.BigEndian.PutUint32(b[atParts:], uint32(parts))
	}
	binary.BigEndian.PutUint32(b[atTopics:], uint32(topics))
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// ApiKey makes it a message to kafka-go.
func (*produceRequest) ApiKey() protocol.ApiKey { return protocol.Produce }

// Broker is the leader of all batches, as kafka-go knows it. If that is no longer one
// broker the attempt fails, and the next one asks anew who leads what.
func (r *produceRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	broker, err := r.leader(cluster)
	r.unsent = err != nil
	return broker, err
}

func (r *produceRequest) leader(cluster protocol.Cluster) (protocol.Broker, error) {
	broker := protocol.Broker{ID: unknown}
	for _, s := range r.batches {
		topic, known := cluster.Topics[s.topic]
		if !known {
			return broker, protocol.NewErrNoTopic(s.topic)
		}
		partition, known := topic.Partitions[int32(s.partition)]
		if !known {
			return broker, protocol.NewErrNoPartition(s.topic, int32(s.partition))
		}
		leader, known := cluster.Brokers[partition.Leader]
		switch {
		case !known:
			return broker, protocol.NewErrNoLeader(s.topic, int32(s.partition))
		case broker.ID >= 0 && leader.ID != broker.ID:
			return broker, fmt.Errorf("%w: the leader of %s/%d has moved", kafka.NotLeaderForPartition, s.topic, s.partition)
		}
		broker = leader
	}
	return broker, nil
}

// Required is called by kafka-go with what it agreed upon with the broker.
func (r *produceRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Produce]
	return true
}

// RawExchange is called by kafka-go on a goroutine of its own, which may outlast the
// caller: so it is here that the body is given back.
func (r *produceRequest) RawExchange(conn io.ReadWriter) (protocol.Message, error) {
	defer func() {
		if cap(*r.body) <= maxPooled {
			r.pool.Put(r.body)
		}
	}()
	if r.version < minProduce || r.version > maxProduce {
		return nil, fmt.Errorf("%w: the broker takes records by protocol version %d, needed is %d to %d; use Kafka 0.11 or later",
			kafka.UnsupportedVersion, r.version, minProduce, maxProduce)
	}
	binary.BigEndian.PutUint16((*r.body)[atVersion:], uint16(r.version))
	if _, err := conn.Write(*r.body); err != nil {
		return nil, err
	}
	id, answer, err := protocol.ReadResponse(conn, protocol.Produce, r.version)
	if err == nil && id != correlation {
		err = fmt.Errorf("the broker answered another request (%d)", id)
	}
	return answer, err
}

// outcome is what an answer says of a batch.
func outcome(answer *produce.Response, s *sending) error {
	for i := range answer.Topics {
		topic := &answer.Topics[i]
		if topic.Topic != s.topic {
			continue
		}
		for j := range topic.Partitions {
			of := &topic.Partitions[j]
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
