package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"
)

// DeadLetter is a record that could not be used, and why.
type DeadLetter struct {
	// Where it stood.
	Topic     string
	Partition int
	Offset    int64
	// As it came. Time is Unix milliseconds.
	Time    int64
	Key     []byte
	Value   []byte
	Headers []Header
	// Stage is where it failed, such as DECODE; Reason one of the
	// specification's; Message for people, without personal data.
	Stage, Reason, Message string
}

// The headers that a dead letter gains, behind its own. The first are Kafka
// Connect's. A letter that was one before has some of them twice: the last counts.
const (
	HeaderTopic     = "__connect.errors.topic"
	HeaderPartition = "__connect.errors.partition"
	HeaderOffset    = "__connect.errors.offset"
	HeaderStage     = "__connect.errors.stage"
	HeaderReason    = "__connect.errors.exception.class.name"
	HeaderMessage   = "__connect.errors.exception.message"

	// HeaderSize and HeaderSHA256 (hex) are of the value before it was cut.
	HeaderSize   = "tidemark.original.size"
	HeaderSHA256 = "tidemark.original.sha256"
	// HeaderKeySize is the size of a key that was cut.
	HeaderKeySize = "tidemark.original.key.size"
	// HeaderDropped counts the original's headers that did not fit.
	HeaderDropped = "tidemark.original.headers.dropped"
	// HeaderTimestamp is a timestamp that the broker refused, Unix milliseconds.
	HeaderTimestamp = "tidemark.original.timestamp"
)

// Origin is where a record came from before it became a dead letter; false if its
// headers, by key and value in order, do not say.
func Origin(headers iter.Seq2[string, []byte]) (topic string, partition int, offset int64, ok bool) {
	partition, offset = -1, -1
	for key, value := range headers {
		switch key {
		case HeaderTopic:
			topic = string(value)
		case HeaderPartition:
			partition, _ = strconv.Atoi(string(value))
		case HeaderOffset:
			offset, _ = strconv.ParseInt(string(value), 10, 64)
		}
	}
	return topic, partition, offset, topic != "" && partition >= 0 && offset >= 0
}

// oversize is the reason whose values are always cut.
const oversize = "oversize"

// shape bounds what is kept of the original.
type shape struct {
	whole   int // a value up to here is kept whole
	cut     int // and a larger one, or an oversize one, is cut to this
	key     int
	headers int // bytes of all headers
}

// usual fits the brokers' 1 MiB with room to spare. small fits any topic that can
// hold a dead letter at all.
var (
	usual = shape{whole: 700 << 10, cut: 64 << 10, key: 32 << 10, headers: 64 << 10}
	small = shape{whole: 4 << 10, cut: 1 << 10, key: 256, headers: 1 << 10}
)

const (
	messageBytes = 1 << 10 // of Message
	headerCost   = 16      // bytes that a header takes beside its key and value
)

// DeadLetters writes dead letters to their topic.
type DeadLetters struct {
	publisher *Publisher
	topic     string
}

// NewDeadLetters makes a DeadLetters that writes to the topic.
func NewDeadLetters(p *Publisher, topic string) *DeadLetters {
	return &DeadLetters{publisher: p, topic: topic}
}

// Publish returns nil when all letters are acknowledged: only then may positions
// move past the records. A letter that the topic refuses as it is (a small
// max.message.bytes, a timestamp out of bounds) is made to fit. As with
// Publisher.Publish, what can heal is tried until the context ends.
func (d *DeadLetters) Publish(ctx context.Context, letters []DeadLetter) error {
	messages := make([]Message, len(letters))
	for i := range letters {
		messages[i] = letters[i].message(usual, false)
	}
	err := d.publisher.Publish(ctx, d.topic, messages)
	if !onlyPoison(err) {
		return err
	}
	// One letter that is refused must not hold up the others. Some may be there
	// already; repeats of dead letters do no harm.
	for i := range letters {
		if err := d.publishOne(ctx, &letters[i]); err != nil {
			return err
		}
	}
	return nil
}

// publishOne tries forms that lose more and more of the original.
func (d *DeadLetters) publishOne(ctx context.Context, letter *DeadLetter) error {
	kept, untimed := usual, false
	for {
		err := d.publisher.Publish(ctx, d.topic, []Message{letter.message(kept, untimed)})
		switch {
		case errors.Is(err, kafka.InvalidTimestamp) && !untimed:
			untimed = true
		case tooLarge(err) && kept != small:
			kept = small
		default:
			return err
		}
	}
}

// onlyPoison tells whether an error, or each of several joined, is poison.
func onlyPoison(err error) bool {
	if err == nil {
		return false
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !onlyPoison(e) {
				return false
			}
		}
		return true
	}
	return Classify(err) == Poison
}

// message is the record to write.
func (l *DeadLetter) message(kept shape, untimed bool) Message {
	m := Message{Key: l.Key, Value: l.Value, Time: time.UnixMilli(l.Time)}
	m.Headers = l.keptHeaders(kept.headers)
	add := func(key, value string) { m.Headers = append(m.Headers, Header{key, []byte(value)}) }
	add(HeaderTopic, l.Topic)
	add(HeaderPartition, strconv.Itoa(l.Partition))
	add(HeaderOffset, strconv.FormatInt(l.Offset, 10))
	add(HeaderStage, l.Stage)
	add(HeaderReason, l.Reason)
	add(HeaderMessage, clip(l.Message, messageBytes))
	if l.Reason == oversize || len(l.Value) > kept.whole {
		sum := sha256.Sum256(l.Value)
		add(HeaderSize, strconv.Itoa(len(l.Value)))
		add(HeaderSHA256, hex.EncodeToString(sum[:]))
		m.Value = l.Value[:min(len(l.Value), kept.cut)]
	}
	if len(l.Key) > kept.key {
		add(HeaderKeySize, strconv.Itoa(len(l.Key)))
		m.Key = l.Key[:kept.key]
	}
	if dropped := len(l.Headers) - len(l.keptHeaders(kept.headers)); dropped > 0 {
		add(HeaderDropped, strconv.Itoa(dropped))
	}
	// A record without a timestamp has -1, which no broker takes.
	if untimed || l.Time < 0 {
		add(HeaderTimestamp, strconv.FormatInt(l.Time, 10))
		m.Time = time.Time{}
	}
	return m
}

// keptHeaders are the original's headers as far as they fit, in order.
func (l *DeadLetter) keptHeaders(budget int) []Header {
	kept := make([]Header, 0, len(l.Headers)+8)
	for _, h := range l.Headers {
		if size := headerCost + len(h.Key) + len(h.Value); size <= budget {
			budget -= size
			kept = append(kept, h)
		}
	}
	return kept
}

// clip cuts a text to at most n bytes, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
