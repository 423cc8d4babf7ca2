package source

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/pkg/engine"
	"tidemark/scoring"
)

// cluster is a kind of Kafka that the tests run on. kfake and the real ones.
type cluster struct {
	name string
	addr func(testing.TB) string
}

var fake = cluster{"kfake", func(t testing.TB) string { return fakeCluster(t).ListenAddrs()[0] }}

func fakeCluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(time.Second)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// onEach runs a test on each kind of Kafka.
func onEach(t *testing.T, test func(*testing.T, *world)) {
	t.Parallel()
	for _, c := range append([]cluster{fake}, realClusters...) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, c.addr(t)))
		})
	}
}

// world is a Kafka with topics of this test's own.
type world struct {
	t      testing.TB
	addr   string
	ctx    context.Context
	client *kgo.Client
	prefix string
}

const patience = 60 * time.Second

func newWorld(t testing.TB, addr string) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	w := &world{t: t, addr: addr, ctx: ctx, prefix: strings.ReplaceAll(t.Name(), "/", ".") + strconv.FormatInt(time.Now().UnixNano(), 36)}
	w.client = w.producer()
	return w
}

func (w *world) producer(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(w.addr),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.UnknownTopicRetries(-1), // a broker hears of a topic a while after its controller has made it
	}, opts...)...)
	w.must(err)
	w.t.Cleanup(c.Close)
	return c
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) topic(name string, partitions int32) string {
	w.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = w.prefix+"."+name, partitions, 1
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(w.ctx, w.client)
	w.must(err)
	if code := res.Topics[0].ErrorCode; code != 0 {
		w.t.Fatalf("create topic %s: %v", topic.Topic, kafka.Error(code))
	}
	return topic.Topic
}

// event is a record of one event at a time; its timestamp is the same.
func event(topic string, partition int32, ms int64) *kgo.Record {
	return record(topic, partition, ms, strconv.FormatInt(ms, 10))
}

func record(topic string, partition int32, ms int64, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Timestamp: time.UnixMilli(ms), Value: []byte(value)}
}

func (w *world) produce(records ...*kgo.Record) {
	w.t.Helper()
	w.must(w.client.ProduceSync(w.ctx, records...).FirstErr())
}

// end returns the offset after all that the topic's first partition holds, markers and
// open transactions too.
func (w *world) end(topic string) int64 {
	w.t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	partition := kmsg.NewListOffsetsRequestTopicPartition()
	partition.Timestamp = kafka.LastOffset
	of := kmsg.NewListOffsetsRequestTopic()
	of.Topic, of.Partitions = topic, append(of.Partitions, partition)
	req.Topics = append(req.Topics, of)
	res, err := req.RequestWith(w.ctx, w.client)
	w.must(err)
	got := res.Topics[0].Partitions[0]
	if got.ErrorCode != 0 {
		w.t.Fatalf("end of %s: %v", topic, kafka.Error(got.ErrorCode))
	}
	return got.Offset
}

// decodeTest reads values as event times apart by spaces; "dead" is a dead letter
// and an empty value is passed over.
func decodeTest(r *Record) (d Decoded) {
	for _, word := range strings.Fields(string(r.Value)) {
		if word == "dead" {
			d.Dead = append(d.Dead, word)
			continue
		}
		ms, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			panic(err)
		}
		d.Events = append(d.Events, &scoring.Event{Time: ms, Arrived: r.Time})
	}
	return d
}

func (w *world) config(topics ...string) Config {
	return Config{
		Brokers:                []string{w.addr},
		Group:                  w.prefix,
		Topics:                 topics,
		InstanceID:             "node-1",
		SessionTimeout:         3 * time.Second,
		HeartbeatInterval:      100 * time.Millisecond,
		RebalanceTimeout:       10 * time.Second,
		RequestTimeout:         2 * time.Second,
		JoinBackoff:            50 * time.Millisecond,
		PartitionWatchInterval: 200 * time.Millisecond,
	}
}

func (w *world) source(cfg Config) *Source { return w.sourceLogging(cfg, io.Discard) }

func (w *world) sourceLogging(cfg Config, out io.Writer) *Source {
	w.t.Helper()
	s, err := New(cfg, decodeTest, zerolog.New(out))
	w.must(err)
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			w.t.Error(err)
		}
	})
	return s
}

// join joins and starts at the earliest offsets.
func (w *world) join(s *Source) *Session {
	w.t.Helper()
	se, err := s.Join(w.ctx)
	w.must(err)
	w.must(se.Start(w.ctx, earliest(se)))
	return se
}

func earliest(se *Session) map[engine.Partition]int64 {
	from := make(map[engine.Partition]int64)
	for _, p := range se.Partitions() {
		from[p] = -1
	}
	return from
}

func everything() Want { return Want{Max: 1 << 20, NotAfter: math.MaxInt64} }

// position is what the batches so far add up to.
type position struct {
	inputs []string
	ends   map[engine.Partition]int64
	marks  []Mark
}

// read takes batches until done says so.
func (w *world) read(se *Session, want Want, done func(*position) bool) *position {
	w.t.Helper()
	p := &position{ends: make(map[engine.Partition]int64)}
	for !done(p) {
		b, err := se.Next(w.ctx, want)
		if err != nil {
			w.t.Fatalf("%v after %d inputs: %v", err, len(p.inputs), p.marks)
		}
		p.add(se, b)
	}
	return p
}

func (p *position) add(se *Session, b *Batch) {
	for _, in := range b.Inputs {
		part := se.Partitions()[in.Part]
		what := fmt.Sprint(in.Dead)
		if in.Event != nil {
			what = fmt.Sprint(in.Event.Time)
		}
		p.inputs = append(p.inputs, fmt.Sprintf("%s %s/%d@%d", what, part.Topic[strings.LastIndexByte(part.Topic, '.')+1:], part.ID, in.Offset))
	}
	for part, offset := range b.Ends {
		p.ends[part] = offset
	}
	p.marks = b.Marks
}

func caughtUp(p *position) bool {
	for _, m := range p.marks {
		if !m.CaughtUp {
			return false
		}
	}
	return p.marks != nil
}

func inputs(n int) func(*position) bool {
	return func(p *position) bool { return len(p.inputs) >= n }
}
