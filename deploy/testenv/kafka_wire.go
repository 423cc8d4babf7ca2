package testenv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Just enough of Kafka's protocol to see that a broker is up and to make a
// topic, so that this package needs no Kafka client. The versions are the
// oldest that Kafka 4 still answers and that 3.9 knows as well.
const (
	apiListOffsets, listOffsetsVersion   = 2, 1
	apiMetadata, metadataVersion         = 3, 1
	apiCreateTopics, createTopicsVersion = 19, 2
)

type metadata struct {
	brokers    int
	partitions map[string][]int // of every topic
}

// kafkaMetadata asks for the brokers and the topics.
func kafkaMetadata(ctx context.Context, addr string) (metadata, error) {
	var q wireWriter
	q.int32(-1) // all topics
	r, err := kafkaCall(ctx, addr, apiMetadata, metadataVersion, q)
	if err != nil {
		return metadata{}, err
	}
	m := metadata{brokers: r.int32(), partitions: map[string][]int{}}
	for range m.brokers {
		r.int32()  // node
		r.string() // host
		r.int32()  // port
		r.string() // rack
	}
	r.int32() // controller
	for range r.int32() {
		r.int16() // error
		topic := r.string()
		r.skip(1) // internal
		for range r.int32() {
			r.int16() // error
			m.partitions[topic] = append(m.partitions[topic], r.int32())
			r.int32()             // leader
			r.skip(4 * r.int32()) // replicas
			r.skip(4 * r.int32()) // in sync
		}
	}
	return m, r.err
}

// kafkaLeads returns an error unless the broker leads all partitions of the topics. It
// asks for the ends of their logs: the metadata name a leader before it knows that it is one.
func kafkaLeads(ctx context.Context, addr string, partitions map[string][]int) error {
	var q wireWriter
	q.int32(-1) // not a replica
	q.int32(len(partitions))
	for topic, ids := range partitions {
		q.string(topic)
		q.int32(len(ids))
		for _, id := range ids {
			q.int32(id)
			q.int32(-1) // with the next, the latest offset
			q.int32(-1)
		}
	}
	r, err := kafkaCall(ctx, addr, apiListOffsets, listOffsetsVersion, q)
	if err != nil {
		return err
	}
	for range r.int32() {
		topic := r.string()
		for range r.int32() {
			id, code := r.int32(), r.int16()
			r.skip(16) // timestamp and offset
			if code != 0 && err == nil {
				err = fmt.Errorf("topic %s: partition %d is not led yet: kafka error %d", topic, id, code)
			}
		}
	}
	return errors.Join(r.err, err)
}

// CreateTopic makes a topic and returns once every partition is led.
// config holds topic settings such as cleanup.policy; nil is the broker's own.
func (k *Kafka) CreateTopic(name string, partitions int, config map[string]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var q wireWriter
	q.int32(1)
	q.string(name)
	q.int32(partitions)
	q.int16(1) // replicas
	q.int32(0) // no manual assignment
	q.int32(len(config))
	for key, value := range config {
		q.string(key)
		q.string(value)
	}
	q.int32(20000) // ms
	q = append(q, 0)
	r, err := kafkaCall(ctx, k.Addr(), apiCreateTopics, createTopicsVersion, q)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	r.int32() // throttle
	r.int32() // one topic
	r.string()
	code, message := r.int16(), r.string()
	if r.err == nil && code != 0 {
		r.err = fmt.Errorf("kafka error %d: %s", code, message)
	}
	if r.err != nil {
		return fmt.Errorf("create topic %s: %w", name, r.err)
	}
	return k.proc.await(30*time.Second, func(ctx context.Context) error {
		m, err := kafkaMetadata(ctx, k.Addr())
		if err != nil {
			return err
		}
		if found := len(m.partitions[name]); found < partitions {
			return fmt.Errorf("topic %s: %d of %d partitions are known", name, found, partitions)
		}
		return kafkaLeads(ctx, k.Addr(), map[string][]int{name: m.partitions[name]})
	})
}

// kafkaCall sends one request on a connection of its own.
func kafkaCall(ctx context.Context, addr string, api, version int, body wireWriter) (*wireReader, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Second)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	var head wireWriter
	head.int16(api)
	head.int16(version)
	head.int32(1) // correlation
	head.string("testenv")
	var out wireWriter
	out.int32(len(head) + len(body))
	if _, err := conn.Write(append(append(out, head...), body...)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > 64<<20 {
		return nil, fmt.Errorf("kafka answer of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(conn, b); err != nil {
		return nil, err
	}
	return &wireReader{b: b[4:]}, nil // without the correlation
}

type wireWriter []byte

func (w *wireWriter) int16(v int) { *w = binary.BigEndian.AppendUint16(*w, uint16(v)) }
func (w *wireWriter) int32(v int) { *w = binary.BigEndian.AppendUint32(*w, uint32(v)) }
func (w *wireWriter) string(s string) {
	w.int16(len(s))
	*w = append(*w, s...)
}

// wireReader keeps its first error, and gives zeros from then on.
type wireReader struct {
	b   []byte
	err error
}

var errShortAnswer = errors.New("kafka answer is too short")

func (r *wireReader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		if r.err == nil {
			r.err = errShortAnswer
		}
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *wireReader) skip(n int) { r.take(n) }

func (r *wireReader) int16() int {
	if b := r.take(2); b != nil {
		return int(int16(binary.BigEndian.Uint16(b)))
	}
	return 0
}

func (r *wireReader) int32() int {
	if b := r.take(4); b != nil {
		return int(int32(binary.BigEndian.Uint32(b)))
	}
	return 0
}

// string reads a nullable string; null is empty.
func (r *wireReader) string() string {
	return string(r.take(max(r.int16(), 0)))
}
