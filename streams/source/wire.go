package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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

// fetchRequest is a fetch of one partition. kafka-go picks the leader's connection; the
// exchange on it is done here (protocol.RawExchanger), so that the answer stays as it came.
type fetchRequest struct {
	fetch.Request
	clientID string
	version  int16
	pool     *bufferPool
}

func newFetchRequest(p engine.Partition, offset int64, maxBytes, maxWaitMillis int) *fetchRequest {
	return &fetchRequest{Request: fetch.Request{
		ReplicaID:      -1,
		MaxWaitTime:    int32(maxWaitMillis),
		MinBytes:       1,
		MaxBytes:       int32(maxBytes),
		IsolationLevel: readCommitted,
		SessionEpoch:   -1, // no fetch session
		Topics: []fetch.RequestTopic{{Topic: p.Topic, Partitions: []fetch.RequestPartition{{
			Partition:          int32(p.ID),
			CurrentLeaderEpoch: -1,
			FetchOffset:        offset,
			LogStartOffset:     -1,
			PartitionMaxBytes:  int32(maxBytes),
		}}}},
	}}
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

// fetched is what an answer says of its one partition.
type fetched struct {
	end     int64 // the last stable offset
	aborted []abortedTxn
	set     []byte
}

// parse reads the answer. A broker's error comes as a kafka.Error.
func (a *fetchAnswer) parse() (f fetched, err error) {
	c := wireCursor{rest: a.body}
	c.int32() // correlation
	c.int32() // throttle
	if a.version >= 7 {
		if code := c.int16(); code != 0 {
			return f, kafka.Error(code)
		}
		c.int32() // fetch session
	}
	if topics := c.int32(); topics != 1 && !c.bad {
		return f, fmt.Errorf("the broker answered for %d topics", topics)
	}
	c.bytes(int(c.int16()))
	if partitions := c.int32(); partitions != 1 && !c.bad {
		return f, fmt.Errorf("the broker answered for %d partitions", partitions)
	}
	c.int32() // partition
	code := c.int16()
	f.end = c.int64() // the high watermark
	if stable := c.int64(); stable >= 0 {
		f.end = stable
	}
	if a.version >= 5 {
		c.int64() // the log's start
	}
	for n := c.int32(); n > 0 && !c.bad; n-- {
		f.aborted = append(f.aborted, abortedTxn{producer: c.int64(), first: c.int64()})
	}
	if a.version >= 11 {
		c.int32() // preferred replica
	}
	f.set = c.bytes(int(c.int32()))
	switch {
	case c.bad:
		return f, errShort
	case code != 0:
		return f, kafka.Error(code)
	}
	return f, nil
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
