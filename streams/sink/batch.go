package sink

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"time"
)

// kafka-go's own writer of record sets makes two objects of every record and another of
// every header. This one writes whole batches into memory that is used again.

// Layout of a version 2 batch: offsets of its fields.
const (
	atLength    = 8
	atCRC       = 17
	atAttrs     = 21
	atLastDelta = 23
	atFirstTime = 27
	atMaxTime   = 35
	atCount     = 57
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendBatch appends the messages as one version 2 batch, not compressed and of no
// transaction. A message without a time has now, Unix milliseconds.
func appendBatch(b []byte, messages []Message, now int64) []byte {
	start := len(b)
	first := messages[0].millis(now)
	last := first
	b = append(b, make([]byte, atLength+4)...) // base offset and length
	b = binary.BigEndian.AppendUint32(b, ^uint32(0))
	b = append(b, 2)
	b = append(b, make([]byte, atCount+4-atCRC)...)
	for i := range messages {
		at := messages[i].millis(now)
		last = max(last, at)
		b = messages[i].append(b, at-first, int64(i))
	}
	batch := b[start:]
	binary.BigEndian.PutUint32(batch[atLength:], uint32(len(batch)-atLength-4))
	binary.BigEndian.PutUint32(batch[atLastDelta:], uint32(len(messages)-1))
	binary.BigEndian.PutUint64(batch[atFirstTime:], uint64(first))
	binary.BigEndian.PutUint64(batch[atMaxTime:], uint64(last))
	for i := atMaxTime + 8; i < atCount; i++ {
		batch[i] = 0xff // no producer, no epoch, no sequence
	}
	binary.BigEndian.PutUint32(batch[atCount:], uint32(len(messages)))
	binary.BigEndian.PutUint32(batch[atCRC:], crc32.Checksum(batch[atAttrs:], castagnoli))
	return b
}

// millis is a message's timestamp.
func (m *Message) millis(now int64) int64 {
	if m.Time.IsZero() {
		return now
	}
	return m.Time.UnixMilli()
}

// append appends the message as a record.
func (m *Message) append(b []byte, later, offset int64) []byte {
	length := 1 + varintSize(later) + varintSize(offset) + bytesSize(m.Key) + bytesSize(m.Value) + varintSize(int64(len(m.Headers)))
	for _, h := range m.Headers {
		length += varintSize(int64(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}
	b = binary.AppendVarint(b, int64(length))
	b = append(b, 0) // attributes, unused
	b = binary.AppendVarint(b, later)
	b = binary.AppendVarint(b, offset)
	b = appendBytes(b, m.Key)
	b = appendBytes(b, m.Value)
	b = binary.AppendVarint(b, int64(len(m.Headers)))
	for _, h := range m.Headers {
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendBytes(b, h.Value)
	}
	return b
}

// appendBytes appends a value with its length; nil has length -1.
func appendBytes(b, value []byte) []byte {
	if value == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(value))), value...)
}

func bytesSize(value []byte) int {
	if value == nil {
		return 1
	}
	return varintSize(int64(len(value))) + len(value)
}

// varintSize is how many bytes a number takes.
func varintSize(v int64) int {
	return (bits.Len64(uint64(v<<1)^uint64(v>>63)|1) + 6) / 7
}

// sizeOf is how many bytes messages take at most.
func sizeOf(messages []Message) (n int) {
	for i := range messages {
		n += messages[i].size()
	}
	return n
}

// millisNow is the instant of sending.
func millisNow() int64 { return time.Now().UnixMilli() }
