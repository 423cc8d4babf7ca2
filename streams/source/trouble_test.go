package source

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/pkg/engine"
)

// lines is a log that tests look into while it is written.
type lines struct {
	mu    sync.Mutex
	wrote sync.Cond
	buf   bytes.Buffer
}

func newLines() *lines {
	l := &lines{}
	l.wrote.L = &l.mu
	return l
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrote.Broadcast()
	return l.buf.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// await waits until text is logged.
func (l *lines) await(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !strings.Contains(l.buf.String(), text) {
		l.wrote.Wait()
	}
}

// once checks that an outage is told once, and its end too.
func (l *lines) once(t *testing.T) {
	t.Helper()
	l.await("works again")
	if fails, works := l.count("fails, trying on"), l.count("works again"); fails != 1 || works != 1 {
		t.Errorf("%d lines that it fails and %d that it works again, want one each", fails, works)
	}
}

func reason(t *testing.T, err error, want Reason) {
	t.Helper()
	var setup *SetupError
	if !errors.As(err, &setup) || setup.Reason != want {
		t.Errorf("got %v, want reason %s", err, want)
	}
}

// as makes the connections log in.
func as(t *testing.T, cfg Config, user, password string) Config {
	mechanism := plain.Mechanism{Username: user, Password: password}
	cfg.Dialer = &kafka.Dialer{SASLMechanism: mechanism}
	cfg.Transport = &kafka.Transport{SASL: mechanism, MetadataTTL: 200 * time.Millisecond, MetadataTopics: cfg.Topics}
	t.Cleanup(cfg.Transport.CloseIdleConnections)
	return cfg
}

func TestRefusedCredentials(t *testing.T) {
	t.Parallel()
	c := fakeCluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "me", "right"))
	// A broker says that it refuses; kfake would only hang up.
	c.ControlKey(36, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if bytes.HasSuffix(req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes, []byte("right")) {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		res.ErrorCode = int16(kafka.SASLAuthenticationFailed)
		return res, nil, true
	})
	for password, want := range map[string]Reason{"right": TopicMissing, "wrong": Authentication} {
		t.Run(password, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, addr: c.ListenAddrs()[0], ctx: t.Context(), prefix: password}
			_, err := w.source(as(t, w.config("a"), "me", password)).Join(w.ctx)
			reason(t, err, want)
		})
	}
}

func grant(resource kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
	return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
}

func TestMissingRights(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		acls []kfake.ACL
		want string
	}{
		{"to the topic", []kfake.ACL{grant(kmsg.ACLResourceTypeGroup, "g", kmsg.ACLOperationRead)}, "kafka.topics"},
		{"to the group", []kfake.ACL{grant(kmsg.ACLResourceTypeTopic, "a", kmsg.ACLOperationDescribe), grant(kmsg.ACLResourceTypeTopic, "a", kmsg.ACLOperationRead)}, "kafka.group"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := fakeCluster(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.SeedTopics(1, "a"), kfake.User("PLAIN", "me", "pw", tt.acls...))
			w := &world{t: t, addr: c.ListenAddrs()[0], ctx: t.Context(), prefix: "g"}
			_, err := w.source(as(t, w.config("a"), "me", "pw")).Join(w.ctx)
			reason(t, err, Authorization)
			if err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v does not name %s", err, tt.want)
			}
		})
	}
}

func TestJoinWaitsForTheBroker(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	log := newLines()
	w := &world{t: t, addr: l.Addr().String(), ctx: t.Context(), prefix: "g"}
	w.must(l.Close())
	s := w.sourceLogging(w.config("a"), log)
	joined := make(chan error, 1)
	go func() { _, err := s.Join(w.ctx); joined <- err }()
	log.await("fails, trying on")
	fakeCluster(t, kfake.NumBrokers(1), kfake.Ports(port), kfake.SeedTopics(1, "a"))
	if err := <-joined; err != nil {
		t.Fatal(err)
	}
	log.once(t)
}

// Leaders move under a reader: nothing is lost, repeated or reordered.
func TestLeadersMove(t *testing.T) {
	t.Parallel()
	c := fakeCluster(t, kfake.SeedTopics(3, "a"))
	w := newWorld(t, c.ListenAddrs()[0])
	log := newLines()
	se := w.join(w.sourceLogging(w.config("a"), log))
	const events = 300
	go func() {
		for i := range int64(events) {
			if i%50 == 25 {
				c.ShufflePartitionLeaders()
			}
			if err := w.client.ProduceSync(w.ctx, event("a", int32(i%3), i)).FirstErr(); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	got := w.read(se, everything(), inputs(events))
	next := map[string]int{}
	for _, in := range got.inputs {
		var ms, part, offset int
		_, _ = fmt.Sscanf(in, "%d a/%d@%d", &ms, &part, &offset)
		if key := fmt.Sprint(part); offset != next[key] {
			t.Fatalf("offset %d of partition %d came, want %d", offset, part, next[key])
		} else {
			next[key]++
		}
	}
	if n := log.count(`"level":"warn"`); n > 6 {
		t.Errorf("%d warnings for 6 outages", n)
	}
}

// While a partition cannot be read, its mark does not vouch for it, and the others'
// events come nevertheless.
func TestOutageOfOnePartition(t *testing.T) {
	t.Parallel()
	c := fakeCluster(t, kfake.SeedTopics(2, "a"))
	w := newWorld(t, c.ListenAddrs()[0])
	log := newLines()
	se := w.join(w.sourceLogging(w.config("a"), log))
	w.read(se, everything(), caughtUp)
	var down sync.Map
	down.Store("down", true)
	c.ControlKey(1, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		fetch := req.(*kmsg.FetchRequest)
		asked := fetch.Topics[0].Partitions
		if _, on := down.Load("down"); !on || asked[len(asked)-1].Partition != 1 {
			return nil, nil, false
		}
		// Who is asked along with it hears of it too.
		answer := kmsg.FetchResponseTopic{Topic: "a"}
		for _, p := range asked {
			answer.Partitions = append(answer.Partitions, kmsg.FetchResponseTopicPartition{Partition: p.Partition, ErrorCode: 56, HighWatermark: -1})
		}
		res := fetch.ResponseKind().(*kmsg.FetchResponse)
		res.Topics = []kmsg.FetchResponseTopic{answer}
		return res, nil, true
	})
	w.read(se, everything(), func(p *position) bool { return p.marks != nil && !p.marks[1].CaughtUp })
	w.produce(event("a", 1, 5), event("a", 0, 7))
	if got := w.read(se, everything(), inputs(1)).inputs; got[0] != "7 a/0@0" {
		t.Errorf("got %v, want the event of the partition that works", got)
	}
	log.await("fails, trying on")
	down.Delete("down")
	got := w.read(se, everything(), func(p *position) bool { return len(p.inputs) > 0 && caughtUp(p) })
	if got.inputs[0] != "5 a/1@0" {
		t.Errorf("got %v", got.inputs)
	}
	log.once(t)
}

func TestReadAheadIsBounded(t *testing.T) {
	t.Parallel()
	c := fakeCluster(t, kfake.SeedTopics(2, "a"))
	w := newWorld(t, c.ListenAddrs()[0])
	var records []*kgo.Record
	for i := range int64(2000) {
		records = append(records, event("a", 0, i))
	}
	small := w.producer(kgo.ProducerBatchMaxBytes(1024))
	w.must(small.ProduceSync(w.ctx, records...).FirstErr())
	cfg := w.config("a")
	cfg.FetchMaxBytes, cfg.BufferEvents = 1024, 100
	se := w.join(w.source(cfg))
	b, err := se.Next(w.ctx, Want{Max: 1, NotAfter: math.MaxInt64})
	for err == nil && len(b.Inputs) == 0 {
		b, err = se.Next(w.ctx, Want{Max: 1, NotAfter: math.MaxInt64})
	}
	w.must(err)
	full := func() (n int, full bool) {
		se.mu.Lock()
		defer se.mu.Unlock()
		return se.merge.queues[0].size, se.merge.queues[0].full
	}
	n, stopped := full()
	for ; !stopped; n, stopped = full() {
		_, err = se.Next(w.ctx, Want{Max: 1, NotAfter: math.MinInt64, Deadline: time.Now().Add(5 * time.Millisecond)})
		w.must(err)
	}
	if n < 50 || n > 200 {
		t.Errorf("%d inputs wait, want the share of one partition of two and at most one answer more", n)
	}
	got := w.read(se, everything(), caughtUp)
	if p := (engine.Partition{Topic: "a"}); got.ends[p] != 2000 {
		t.Errorf("read up to %d, want 2000", got.ends[p])
	}
}
