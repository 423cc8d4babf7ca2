package tail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"tidemark/streams/conn"
	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "tier-changes"

// kafka is a fake cluster with a transport to it.
func kafka(t *testing.T, partitions int32) (*kfake.Cluster, *conn.Transport) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.SeedTopics(partitions, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	transport, err := conn.NewTransport(conn.Config{
		Brokers: cluster.ListenAddrs(), ClientID: "tail-test", Topics: []string{topic}, MetadataTTL: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.Close)
	return cluster, transport
}

// publish writes so many records of 10 keys; the values count each key's up from from.
func publish(t *testing.T, transport *conn.Transport, from, n int) {
	t.Helper()
	publisher, err := sink.New(sink.Config{Transport: transport}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	var messages []sink.Message
	for i := range n {
		messages = append(messages, sink.Message{Key: fmt.Appendf(nil, "k%d", i%10), Value: fmt.Appendf(nil, "%d", from+i/10)})
	}
	if err := publisher.Publish(t.Context(), topic, messages); err != nil {
		t.Fatal(err)
	}
}

// following is a Run under way.
type following struct {
	t       *testing.T
	records chan tail.Record
	done    chan error
	cancel  context.CancelFunc
}

func follow(t *testing.T, cfg tail.Config, log zerolog.Logger) *following {
	t.Helper()
	cfg.Topic, cfg.MaxWait = topic, 50*time.Millisecond
	f, err := tail.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	run := &following{t, make(chan tail.Record, 10_000), make(chan error, 1), cancel}
	go func() {
		run.done <- f.Run(ctx, func(r tail.Record) error { run.records <- r; return nil })
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-run.done:
			if err != nil {
				t.Errorf("a clean stop gave %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Run does not stop")
		}
	})
	return run
}

// take waits for n records and checks that each key's values rise by one from first.
func (f *following) take(n, first int) {
	f.t.Helper()
	next := map[string]int{}
	for i := range n {
		select {
		case r := <-f.records:
			want := first + next[string(r.Key)]
			if got := string(r.Value); got != fmt.Sprint(want) {
				f.t.Fatalf("%s at %d/%d is %s, want %d", r.Key, r.Partition, r.Offset, got, want)
			}
			next[string(r.Key)]++
		case <-time.After(10 * time.Second):
			f.t.Fatalf("%d records came, want %d", i, n)
		}
	}
}

func TestFromTheBeginning(t *testing.T) {
	t.Parallel()
	_, transport := kafka(t, 4)
	publish(t, transport, 0, 500)
	run := follow(t, tail.Config{Transport: transport}, zerolog.Nop())
	run.take(500, 0)
	publish(t, transport, 50, 300)
	run.take(300, 50)
}

func TestFromTheEnd(t *testing.T) {
	t.Parallel()
	_, transport := kafka(t, 1)
	publish(t, transport, 0, 100)
	run := follow(t, tail.Config{Transport: transport, From: tail.End, Offsets: map[int]int64{0: 90}}, zerolog.Nop())
	run.take(10, 9) // now it is known to follow
	end := follow(t, tail.Config{Transport: transport, From: tail.End}, zerolog.Nop())
	// The end is where Run finds it, so publish until something comes.
	for n := 10; ; n++ {
		publish(t, transport, n, 10)
		select {
		case r := <-end.records:
			if r.Offset < 100 {
				t.Errorf("got offset %d, want none before 100", r.Offset)
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestSmallAnswersLoseNothing(t *testing.T) {
	t.Parallel()
	_, transport := kafka(t, 2)
	for n := range 20 {
		publish(t, transport, n, 10)
	}
	follow(t, tail.Config{Transport: transport, MaxBytes: 1}, zerolog.Nop()).take(200, 0)
}

func TestNewPartitionsAreFollowed(t *testing.T) {
	t.Parallel()
	_, transport := kafka(t, 1)
	run := follow(t, tail.Config{Transport: transport, From: tail.End, Refresh: 50 * time.Millisecond}, zerolog.Nop())
	_, err := transport.Client(10*time.Second).CreatePartitions(t.Context(), &kafkago.CreatePartitionsRequest{
		Topics: []kafkago.TopicPartitionsConfig{{Name: topic, Count: 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for n := 0; len(seen) < 2; n++ {
		publish(t, transport, n, 10)
		for next := time.After(20 * time.Millisecond); next != nil; {
			select {
			case r := <-run.records:
				seen[r.Partition] = true
			case <-next:
				next = nil
			}
		}
		if n > 500 {
			t.Fatalf("only partitions %v were followed", seen)
		}
	}
}

func TestMovedLeader(t *testing.T) {
	t.Parallel()
	cluster, transport := kafka(t, 3)
	run := follow(t, tail.Config{Transport: transport}, zerolog.Nop())
	for n := range 5 {
		publish(t, transport, n*10, 100)
		run.take(100, n*10)
		cluster.ShufflePartitionLeaders()
	}
}

func TestGoneOffsetIsTold(t *testing.T) {
	t.Parallel()
	_, transport := kafka(t, 1)
	publish(t, transport, 0, 20)
	var log lines
	run := follow(t, tail.Config{Transport: transport, Offsets: map[int]int64{0: 5000}}, zerolog.New(&log))
	for n := 2; ; n++ {
		publish(t, transport, n, 10)
		select {
		case <-run.records:
		case <-time.After(20 * time.Millisecond):
			continue
		}
		break
	}
	if got := log.String(); !strings.Contains(got, "going on elsewhere") {
		t.Errorf("the log says %q", got)
	}
}

func TestTakersErrorEndsRun(t *testing.T) {
	t.Parallel()
	_, transport := kafka(t, 4)
	publish(t, transport, 0, 100)
	f, err := tail.New(tail.Config{Transport: transport, Topic: topic}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	if err := f.Run(t.Context(), func(tail.Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want %v", err, enough)
	}
}

func TestFaultsOfSettings(t *testing.T) {
	t.Parallel()
	_, err := tail.New(tail.Config{MaxBytes: -1}, zerolog.Nop())
	for _, want := range []string{"transport", "topic", "max_bytes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// lines is a log that may be written and read at once.
type lines struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
