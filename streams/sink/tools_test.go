package sink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"tidemark/streams/conn"
)

// fake is a Kafka in this process that ends with the test.
func fake(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func transport(t *testing.T, c conn.Config) *conn.Transport {
	t.Helper()
	c.ClientID = "tidemark-test"
	if c.MetadataTTL == 0 {
		c.MetadataTTL = 50 * time.Millisecond
	}
	tr, err := conn.NewTransport(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

func publisher(t *testing.T, tr *conn.Transport, log io.Writer) *Publisher {
	t.Helper()
	p, err := New(Config{Transport: tr, MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond}, zerolog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// publisherTo is a publisher to a fake cluster.
func publisherTo(t *testing.T, c *kfake.Cluster) *Publisher {
	t.Helper()
	return publisher(t, transport(t, conn.Config{Brokers: c.ListenAddrs()}), io.Discard)
}

// deadline is the context of a test that must not hang.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// record is what was read back of a message.
type record struct {
	key, value []byte
	headers    map[string]string
	headerList []kafka.Header
	time       time.Time
}

// readAll reads every partition of a topic to its end.
func readAll(t *testing.T, tr *conn.Transport, topic string) map[int][]record {
	t.Helper()
	client, ctx := tr.Client(10*time.Second), deadline(t)
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil || meta.Topics[0].Error != nil {
		t.Fatalf("metadata of %s: %v, %v", topic, err, meta)
	}
	all := map[int][]record{}
	for _, p := range meta.Topics[0].Partitions {
		offset := int64(0)
		for {
			r, err := client.Fetch(ctx, &kafka.FetchRequest{Topic: topic, Partition: p.ID, Offset: offset, MaxBytes: 8 << 20, MaxWait: time.Second, MinBytes: 1})
			if err == nil {
				err = r.Error
			}
			if Classify(err) == Retryable && err != nil && ctx.Err() == nil {
				continue // the leader has moved and the layout is not read anew yet
			}
			if err != nil {
				t.Fatalf("fetch %s/%d: %v", topic, p.ID, err)
			}
			for {
				rec, err := r.Records.ReadRecord()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("read %s/%d: %v", topic, p.ID, err)
				}
				all[p.ID] = append(all[p.ID], readBack(t, rec))
				offset = rec.Offset + 1
			}
			if offset >= r.HighWatermark {
				break
			}
		}
	}
	return all
}

func readBack(t *testing.T, rec *kafka.Record) record {
	t.Helper()
	got := record{headers: map[string]string{}, headerList: rec.Headers, time: rec.Time}
	for _, part := range []struct {
		from kafka.Bytes
		to   *[]byte
	}{{rec.Key, &got.key}, {rec.Value, &got.value}} {
		if part.from == nil {
			continue
		}
		b, err := kafka.ReadAll(part.from)
		if err != nil {
			t.Fatal(err)
		}
		*part.to = b
	}
	for _, h := range rec.Headers {
		got.headers[h.Key] = string(h.Value)
	}
	return got
}

// numbered are n messages over a number of keys; the value is the key's count.
func numbered(keys, n int) []Message {
	messages := make([]Message, 0, keys*n)
	for i := range n {
		for k := range keys {
			messages = append(messages, Message{Key: []byte("account-" + strconv.Itoa(k)), Value: []byte(strconv.Itoa(i))})
		}
	}
	return messages
}

// wantNumbered reads as a consumer would that drops repeats: no key may have a
// gap, and each must end at n-1.
func wantNumbered(t *testing.T, all map[int][]record, keys, n int) {
	t.Helper()
	next, home := map[string]int{}, map[string]int{}
	for partition, records := range all {
		for _, r := range records {
			key := string(r.key)
			if was, ok := home[key]; ok && was != partition {
				t.Fatalf("%s is in partitions %d and %d", key, was, partition)
			}
			home[key] = partition
			i, err := strconv.Atoi(string(r.value))
			if err != nil {
				t.Fatal(err)
			}
			if i > next[key] {
				t.Fatalf("%s jumps from %d to %d", key, next[key]-1, i)
			}
			if i == next[key] {
				next[key]++
			}
		}
	}
	if len(next) != keys {
		t.Errorf("%d keys were read, want %d", len(next), keys)
	}
	for key, got := range next {
		if got != n {
			t.Errorf("%s ends at %d, want %d", key, got, n)
		}
	}
}

// logged is a log that may be written and read at once.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
