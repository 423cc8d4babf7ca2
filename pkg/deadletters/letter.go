package deadletters

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

// The headers that a replayed record has in front of its own. They stay on it, so
// that a letter that is bad again tells how often it was tried.
const (
	// HeaderReplays counts the replays of the record so far.
	HeaderReplays = "tidemark.replay.count"
	// HeaderLetter is the ID of the letter that was replayed.
	HeaderLetter = "tidemark.replay.letter"
)

// Place is where a record stands.
type Place struct {
	Topic     string
	Partition int
	Offset    int64
}

// String writes it as ParsePlace reads it.
func (p Place) String() string { return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset) }

// ParsePlace reads topic/partition/offset.
func ParsePlace(text string) (Place, error) {
	parts := strings.Split(text, "/")
	if len(parts) == 3 && parts[0] != "" {
		partition, err1 := strconv.ParseInt(parts[1], 10, 32)
		offset, err2 := strconv.ParseInt(parts[2], 10, 64)
		if err1 == nil && err2 == nil && partition >= 0 && offset >= 0 {
			return Place{parts[0], int(partition), offset}, nil
		}
	}
	return Place{}, fmt.Errorf("%q is not TOPIC/PARTITION/OFFSET such as engagement-events/0/4711", text)
}

// ID identifies a letter by what it is of: two letters of one record, as a crash
// leaves them, have the same.
type ID [12]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Letter is a dead letter, taken apart into the original and what was added.
type Letter struct {
	ID ID
	// At is where the letter stands, Origin where the original did; without a topic
	// where the headers do not say.
	At, Origin Place
	// Time is the original's Kafka timestamp, Unix milliseconds.
	Time                   int64
	Stage, Reason, Message string
	// Attempts is how often the record became a dead letter.
	Attempts int
	// Replayed: it was written to its topic again.
	Replayed bool
	// Key, Value and Headers are the original's, as far as they were kept.
	Key, Value []byte
	Headers    []sink.Header
	// Size is the size of the original's value. It is more than is here where the
	// value was cut.
	Size int64
	// Cut names what of the original is not here; empty: all of it is.
	Cut string
}

// added are the headers that a dead letter has beside the original's.
var added = []string{
	sink.HeaderTopic, sink.HeaderPartition, sink.HeaderOffset, sink.HeaderStage, sink.HeaderReason, sink.HeaderMessage,
	sink.HeaderSize, sink.HeaderSHA256, sink.HeaderKeySize, sink.HeaderDropped, sink.HeaderTimestamp,
}

// parse takes a record of the dead-letter topic apart. What was added begins at the
// last HeaderTopic: whatever stands before is the original's own, even by those names.
func parse(r *tail.Record) *Letter {
	l := &Letter{At: Place{r.Topic, r.Partition, r.Offset}, Time: r.Time, Key: r.Key, Value: r.Value, Size: int64(len(r.Value))}
	begin := len(r.Headers)
	for i, h := range r.Headers {
		switch h.Key {
		case sink.HeaderTopic:
			begin = i
		case sink.HeaderReason:
			l.Attempts++
		case HeaderReplays:
			n, _ := strconv.Atoi(string(h.Value))
			l.Attempts += min(max(n, 0), 1<<20)
		}
	}
	for i, h := range r.Headers {
		if i >= begin && slices.Contains(added, h.Key) {
			l.take(h.Key, string(h.Value))
		} else {
			l.Headers = append(l.Headers, sink.Header{Key: h.Key, Value: h.Value})
		}
	}
	l.Origin.Topic, l.Origin.Partition, l.Origin.Offset, _ = sink.Origin(func(yield func(string, []byte) bool) {
		for _, h := range r.Headers[begin:] {
			if !yield(h.Key, h.Value) {
				return
			}
		}
	})
	l.ID = l.identity()
	return l
}

// take notes what an added header says.
func (l *Letter) take(key, value string) {
	n, err := strconv.ParseInt(value, 10, 64)
	switch key {
	case sink.HeaderStage:
		l.Stage = value
	case sink.HeaderReason:
		l.Reason = value
	case sink.HeaderMessage:
		l.Message = value
	case sink.HeaderSize:
		if err == nil && n > l.Size {
			l.Cut = fmt.Sprintf("its value was cut from %d bytes to %d", n, l.Size)
			l.Size = n
		}
	case sink.HeaderKeySize:
		l.Cut = fmt.Sprintf("its key was cut from %s bytes to %d", value, len(l.Key))
	case sink.HeaderDropped:
		l.Cut = fmt.Sprintf("%s of its headers did not fit and are lost", value)
	case sink.HeaderTimestamp:
		// A record without a timestamp (-1) keeps that of its letter: every replay
		// then gives it the same one.
		if err == nil && n >= 0 {
			l.Time = n
		}
	}
}

// identity is of the origin, key and value.
func (l *Letter) identity() (id ID) {
	h := sha256.New()
	part := func(b []byte) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(b)))
		h.Write(size[:])
		h.Write(b)
	}
	where := l.Origin
	if where.Topic == "" {
		where = l.At
	}
	part([]byte(where.String()))
	part(l.Key)
	part(l.Value)
	copy(id[:], h.Sum(nil))
	return id
}

// original is the record to write to its topic again.
func (l *Letter) original() sink.Message {
	m := sink.Message{Key: l.Key, Value: l.Value, Time: time.UnixMilli(l.Time)}
	replays := 1
	for _, h := range l.Headers {
		if n, err := strconv.Atoi(string(h.Value)); h.Key == HeaderReplays && err == nil {
			replays = n + 1
		}
	}
	// In front, since a letter keeps its first headers where not all fit.
	m.Headers = append(m.Headers, sink.Header{Key: HeaderReplays, Value: []byte(strconv.Itoa(replays))},
		sink.Header{Key: HeaderLetter, Value: []byte(l.ID.String())})
	for _, h := range l.Headers {
		if h.Key != HeaderReplays && h.Key != HeaderLetter {
			m.Headers = append(m.Headers, h)
		}
	}
	return m
}
