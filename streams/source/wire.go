package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"

	"tidemark/pkg/engine"
)

// readCommitted asks the broker for no more than finished transactions, and for
// a list of the aborted ones.
const readCommitted = 1

// The versions of the fetch protocol that are understood. Before 4 there was no
// list of aborted transactions; kafka-go writes none after 11.
const minFetch, maxFetch = 4, 11

// maxAnswer guards against a size that is no size.
const maxAnswer = 1 << 30

// correlation marks a request on its connection, where no other is under way.
const correlation = 1

var errShort = errors.New("the broker's answer is cut off")

// fetchRequest is a fetch of partitions of one leader. kafka-go picks its connection; the
// exchange on it is done here (protocol.RawExchanger), so that the answer stays as it came.
type fetchRequest struct {
	fetch.Request
	clientID string
	version  int16
	pool     *bufferPool
	asks     []*ask
}

func newFetchRequest(asks []*ask, maxBytes, maxWaitMillis int) *fetchRequest {
	return &fetchRequest{asks: asks, Request: fetch.Request{
		ReplicaID:      -1,
		MaxWaitTime:    int32(maxWaitMillis),
		MinBytes:       1,
		MaxBytes:       int32(maxBytes),
		IsolationLevel: readCommitted,
		SessionEpoch:   -1, // no fetch session
	}}
}

// Broker is the leader of the first partition. Called by kafka-go, which knows the
// leaders; partitions of others are left to be asked for by one of them.
func (r *fetchRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	leader, err := r.asks[0].leader(cluster)
	ours, rest := r.asks[:1:1], []*ask(nil)
	for _, a := range r.asks[1:] {
		if at, unknown := a.leader(cluster); err == nil && unknown == nil && at.ID == leader.ID {
			ours = append(ours, a)
		} else {
			rest = append(rest, a)
		}
	}
	if len(rest) > 0 {
		rest[0].lead <- rest
	}
	r.asks = ours
	slices.SortFunc(ours, func(a, b *ask) int { return a.index - b.index })
	for _, a := range ours {
		r.add(a.partition, a.offset)
	}
	return leader, err
}

// leader is who leads a partition.
func (a *ask) leader(cluster protocol.Cluster) (protocol.Broker, error) {
	of, known := cluster.Topics[a.partition.Topic].Partitions[int32(a.partition.ID)]
	if broker, led := cluster.Brokers[of.Leader]; known && led {
		return broker, nil
	}
	// kafka-go says what is missing.
	var one fetchRequest
	one.add(a.partition, a.offset)
	return one.Request.Broker(cluster)
}

// add asks for a partition too. Those of one topic come one after another.
func (r *fetchRequest) add(p engine.Partition, offset int64) {
	if n := len(r.Topics); n == 0 || r.Topics[n-1].Topic != p.Topic {
		r.Topics = append(r.Topics, fetch.RequestTopic{Topic: p.Topic})
	}
	topic := &r.Topics[len(r.Topics)-1]
	topic.Partitions = append(topic.Partitions, fetch.RequestPartition{
		Partition:          int32(p.ID),
		CurrentLeaderEpoch: -1,
		FetchOffset:        offset,
		LogStartOffset:     -1,
		PartitionMaxBytes:  r.MaxBytes,
	})
}

// Required is called by kafka-go with what it agreed upon with the broker.
func (r *fetchRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Fetch]
	return true
}

// RawExchange is called by kafka-go on a goroutine of its own, which may outlast
// the caller: the answer's buffer therefore belongs to the answer.
func (r *fetchRequest) RawExchange(conn io.ReadWriter) (protocol.Message, error) {
	if r.version < minFetch || r.version > maxFetch {
		return nil, &SetupError{Reason: Format, Help: fmt.Sprintf("the broker fetches by protocol version %d, needed is %d to %d; use Kafka 0.11 or later", r.version, minFetch, maxFetch)}
	}
	if err := protocol.WriteRequest(conn, r.version, correlation, r.clientID, &r.Request); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(size[:])))
	if n < 4 || n > maxAnswer {
		return nil, fmt.Errorf("the broker's answer has an impossible size of %d bytes", n)
	}
	a := &fetchAnswer{version: r.version, body: r.pool.get(n)}
	if _, err := io.ReadFull(conn, a.body); err != nil {
		return nil, err
	}
	if id := binary.BigEndian.Uint32(a.body); id != correlation {
		return nil, fmt.Errorf("the broker answered another request (%d)", id)
	}
	return a, nil
}

// fetchAnswer is the answer to a fetchRequest as it came.
type fetchAnswer struct {
	version int16
	body    []byte
}

// ApiKey makes it a message to kafka-go.
func (*fetchAnswer) ApiKey() protocol.ApiKey { return protocol.Fetch }

// fetched is what an answer says of a partition.
type fetched struct {
	end     int64 // the last stable offset
	aborted []abortedTxn
	set     []byte
}

// partAnswer is the part of an answer that is of one partition. A broker's error is a
// kafka.Error.
type partAnswer struct {
	topic     []byte
	partition int
	fetched
	err error
}

func (p *partAnswer) is(of engine.Partition) bool {
	return p.partition == of.ID && string(p.topic) == of.Topic
}

// parse reads the answer. A broker's error for all of it comes as a kafka.Error.
func (a *fetchAnswer) parse() ([]partAnswer, error) {
	c := wireCursor{rest: a.body}
	c.int32() // correlation
	c.int32() // throttle
	if a.version >= 7 {
		if code := c.int16(); code != 0 {
			return nil, kafka.Error(code)
		}
		c.int32() // fetch session
	}
	var parts []partAnswer
	for topics := c.int32(); topics > 0 && !c.bad; topics-- {
		topic := c.bytes(int(c.int16()))
		for n := c.int32(); n > 0 && !c.bad; n-- {
			parts = append(parts, c.partition(a.version, topic))
		}
	}
	if c.bad {
		return nil, errShort
	}
	return parts, nil
}

func (c *wireCursor) partition(version int16, topic []byte) partAnswer {
	p := partAnswer{topic: topic, partition: int(c.int32())}
	if code := c.int16(); code != 0 {
		p.err = kafka.Error(code)
	}
	p.end = c.int64() // the high watermark
	if stable := c.int64(); stable >= 0 {
		p.end = stable
	}
	if version >= 5 {
		c.int64() // the log's start
	}
	for n := c.int32(); n > 0 && !c.bad; n-- {
		p.aborted = append(p.aborted, abortedTxn{producer: c.int64(), first: c.int64()})
	}
	if version >= 11 {
		c.int32() // preferred replica
	}
	p.set = c.bytes(int(c.int32()))
	return p
}

// wireCursor reads the fixed-width fields of an answer. Once it has run out it is
// bad and gives zeros.
type wireCursor struct {
	rest []byte
	bad  bool
}

func (c *wireCursor) bytes(n int) []byte {
	if n <= 0 {
		return nil
	}
	if n > len(c.rest) {
		c.bad, c.rest = true, nil
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *wireCursor) int16() int16 {
	if b := c.bytes(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *wireCursor) int32() int32 {
	if b := c.bytes(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *wireCursor) int64() int64 {
	if b := c.bytes(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// bufferPool lends the buffers of answers. Small ones, such as the empty answers at
// the end of the log, are cheaper to make than to keep.
type bufferPool struct{ pool sync.Pool }

const minPooled = 64 << 10

func (p *bufferPool) get(n int) []byte {
	if n < minPooled {
		return make([]byte, n)
	}
	if b, ok := p.pool.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:n]
	}
	return make([]byte, n)
}

func (p *bufferPool) put(b []byte) {
	if cap(b) >= minPooled {
		p.pool.Put(&b)
	}
}
