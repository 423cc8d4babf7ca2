package deadletters

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

const (
	input    = "engagement-events"
	profiles = "account-profiles"
	dead     = "tidemark-dead-letters"
)

// noon is the clock of the tests.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixMilli()

// cluster holds topics of two partitions in memory.
type cluster struct {
	t        *testing.T
	topics   map[string][2][]tail.Record
	settings map[string]sink.Settings
	// before and after are called around each Publish; an error of theirs is its.
	before, after func(topic string, messages []sink.Message) error
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	return &cluster{t: t, topics: map[string][2][]tail.Record{}, settings: map[string]sink.Settings{}}
}

func (c *cluster) letters() *Letters {
	return &Letters{Cluster: c, Topic: dead, Inputs: []string{profiles, input}, Now: func() int64 { return noon }}
}

func (c *cluster) Log(topic string) (Log, error) { return memoryLog{c, topic}, nil }

func (c *cluster) Settings(_ context.Context, topic string) (sink.Settings, error) {
	return c.settings[topic], nil
}

func (c *cluster) Publish(_ context.Context, topic string, messages []sink.Message) error {
	if c.before != nil {
		if err := c.before(topic, messages); err != nil {
			return err
		}
	}
	for _, m := range messages {
		c.append(topic, m)
	}
	if c.after != nil {
		return c.after(topic, messages)
	}
	return nil
}

func (c *cluster) append(topic string, m sink.Message) Place {
	logs := c.topics[topic]
	p := len(m.Key) % 2
	r := tail.Record{Topic: topic, Partition: p, Offset: int64(len(logs[p])), Time: m.Time.UnixMilli(), Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kafka.Header(h))
	}
	logs[p] = append(logs[p], r)
	c.topics[topic] = logs
	return Place{topic, p, r.Offset}
}

// send puts a record into an input and its letter into the dead-letter topic, as
// serve would.
func (c *cluster) send(l sink.DeadLetter) (origin, letter Place) {
	c.t.Helper()
	if l.Topic == "" {
		l.Topic = input
	}
	if l.Reason == "" {
		l.Reason, l.Stage, l.Message = "malformed", "DECODE", "value: not JSON"
	}
	if l.Time == 0 {
		l.Time = noon - 1000
	}
	origin = c.append(l.Topic, sink.Message{Key: l.Key, Value: l.Value, Headers: l.Headers, Time: time.UnixMilli(l.Time)})
	l.Partition, l.Offset = origin.Partition, origin.Offset
	return origin, c.letter(l)
}

// letter writes a letter by the real writer's rules.
func (c *cluster) letter(l sink.DeadLetter) Place {
	c.t.Helper()
	headers := slices.Clone(l.Headers)
	add := func(key, value string) { headers = append(headers, sink.Header{Key: key, Value: []byte(value)}) }
	add(sink.HeaderTopic, l.Topic)
	add(sink.HeaderPartition, strconv.Itoa(l.Partition))
	add(sink.HeaderOffset, strconv.FormatInt(l.Offset, 10))
	add(sink.HeaderStage, l.Stage)
	add(sink.HeaderReason, l.Reason)
	add(sink.HeaderMessage, l.Message)
	return c.append(dead, sink.Message{Key: l.Key, Value: l.Value, Headers: headers, Time: time.UnixMilli(l.Time)})
}

// replayed are the records of a topic that replays wrote, by value.
func (c *cluster) replayed(topic string) map[string]int {
	out := map[string]int{}
	for _, log := range c.topics[topic] {
		for _, r := range log {
			for _, h := range r.Headers {
				if h.Key == HeaderLetter {
					out[string(r.Value)]++
				}
			}
		}
	}
	return out
}

func (c *cluster) replay(o Options) *Report {
	c.t.Helper()
	r, err := c.letters().Replay(c.t.Context(), o)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

type memoryLog struct {
	c     *cluster
	topic string
}

func (l memoryLog) Partitions(context.Context) ([]int, error) { return []int{0, 1}, nil }

func (l memoryLog) Ends(context.Context) (map[int]int64, error) {
	logs := l.c.topics[l.topic]
	return map[int]int64{0: int64(len(logs[0])), 1: int64(len(logs[1]))}, nil
}

func (l memoryLog) Whole(_ context.Context, p int, from int64, take func(tail.Record) error) error {
	log := l.c.topics[l.topic][p]
	for _, r := range log[min(from, int64(len(log))):] {
		if err := take(r); err != nil {
			return err
		}
	}
	return nil
}

var errCrash = errors.New("the process died")
