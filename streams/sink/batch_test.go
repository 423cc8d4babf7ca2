package sink

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// TestRequestsAreThoseOfKafkaGo holds the own writer against the library's, byte by byte.
func TestRequestsAreThoseOfKafkaGo(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1793611800123)
	messages := []Message{
		{Key: []byte("a"), Value: []byte("one"), Time: at, Headers: []Header{{"h", []byte("x")}, {"h", nil}, {"", []byte{}}}},
		{Key: nil, Value: nil, Time: at.Add(-time.Hour)},
		{Key: []byte{}, Value: []byte{}, Time: at.Add(time.Hour)},
		{Key: bytes.Repeat([]byte("k"), 70), Value: bytes.Repeat([]byte("v"), 20_000), Time: at},
	}
	for i := range 300 { // offsets of two bytes
		messages = append(messages, Message{Key: []byte(strconv.Itoa(i)), Time: at})
	}
	for version := int16(minProduce); version <= maxProduce; version++ {
		batches := []*sending{
			{topic: "changes", partition: 0, batch: messages},
			{topic: "changes", partition: 3, batch: messages[:1]},
			{topic: "tiers", partition: 2, batch: messages[2:4]},
		}
		p := &Publisher{clientID: "tidemark", config: Config{Timeout: 10 * time.Second}}
		r := p.newProduceRequest(batches)
		binary.BigEndian.PutUint16((*r.body)[atVersion:], uint16(version))
		got, want := *r.body, theirs(t, version, batches)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("version %d: of %d bytes, want %d, the one at %d differs: got %x, want %x",
					version, len(got), len(want), i, got[i:min(i+40, len(got))], want[i:min(i+40, len(want))])
			}
		}
	}
}

// theirs is the request as kafka-go writes it.
func theirs(t *testing.T, version int16, batches []*sending) []byte {
	t.Helper()
	req := &produce.Request{Acks: -1, Timeout: 5000}
	for _, s := range batches {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != s.topic {
			req.Topics = append(req.Topics, produce.RequestTopic{Topic: s.topic})
		}
		var records []protocol.Record
		for _, m := range s.batch {
			rec := protocol.Record{Time: m.Time, Key: protocol.NewBytes(m.Key), Value: protocol.NewBytes(m.Value)}
			for _, h := range m.Headers {
				rec.Headers = append(rec.Headers, protocol.Header(h))
			}
			records = append(records, rec)
		}
		topic := &req.Topics[len(req.Topics)-1]
		topic.Partitions = append(topic.Partitions, produce.RequestPartition{
			Partition: int32(s.partition), RecordSet: protocol.RecordSet{Version: 2, Records: protocol.NewRecordReader(records...)},
		})
	}
	var b bytes.Buffer
	if err := protocol.WriteRequest(&b, version, correlation, "tidemark", req); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBatchesWithoutTimesHaveTheInstantOfSending(t *testing.T) {
	t.Parallel()
	b := appendBatch(nil, make([]Message, 2), 1793611800123)
	first, last := binary.BigEndian.Uint64(b[atFirstTime:]), binary.BigEndian.Uint64(b[atMaxTime:])
	if first != 1793611800123 || last != first {
		t.Errorf("got %d and %d", first, last)
	}
}

func TestSortingAndEncodingAllocateNothingPerMessage(t *testing.T) {
	messages := numbered(50, 20)
	of := &layout{leaders: make([]int, 4), partitions: []int{0, 1, 2, 3}}
	var d sorter
	var b []byte
	got := testing.AllocsPerRun(10, func() {
		d.sort("out", messages, of, DefaultBatchBytes)
		b = b[:0]
		for i := range d.flight.sends {
			b = appendBatch(b, d.flight.sends[i].batch, 1)
		}
	})
	if got > 2 {
		t.Errorf("%v allocations for %d messages", got, len(messages))
	}
}

// Two batches for one partition go in two requests, all others of a leader in one.
func TestOneRequestForEachLeader(t *testing.T) {
	t.Parallel()
	first := &flight{sends: []sending{{topic: "b", partition: 0, leader: 1}, {topic: "b", partition: 1, leader: 2}, {topic: "b", partition: 2, leader: 1}}}
	second := &flight{sends: []sending{{topic: "a", partition: 7, leader: 1}, {topic: "b", partition: 2, leader: 1}, {topic: "a", partition: 8, done: true}}}
	var got []string
	for _, group := range byLeader([]*flight{first, second}) {
		text := ""
		for _, s := range group {
			text += s.topic + strconv.Itoa(s.partition) + "@" + strconv.Itoa(s.leader) + " "
		}
		got = append(got, text)
	}
	want := []string{"a7@1 b0@1 b2@1 ", "b2@1 ", "b1@2 "}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %q, want %q", got, want)
	}
}
