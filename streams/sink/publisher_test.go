package sink

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/streams/conn"
)

// The hashes are those of Kafka's own UtilsTest.
func TestKeysGoWhereTheJavaClientSendsThem(t *testing.T) {
	t.Parallel()
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "abc": 479470107,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
	} {
		for _, partitions := range []int{1, 2, 7, 12, 50} {
			want := int(uint32(hash)&0x7fffffff) % partitions
			groups := sorted([]Message{{Key: []byte(key)}}, partitions)
			if len(groups) != 1 || groups[0].partition != want {
				t.Errorf("%q of %d partitions: got %v, want %d", key, partitions, groups, want)
			}
		}
	}
	if groups := sorted(make([]Message, 1000), 12); len(groups) != 12 {
		t.Errorf("messages without a key went to %d partitions of 12", len(groups))
	}
}

// sorted divides messages among the partitions of a topic.
func sorted(messages []Message, partitions int) []sending {
	of := &layout{leaders: make([]int, partitions)}
	for i := range partitions {
		of.partitions = append(of.partitions, i)
	}
	var d sorter
	d.sort("out", messages, of, DefaultBatchBytes)
	return d.flight.sends
}

func TestPublishKeepsEverything(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.SeedTopics(3, "out"))
	p := publisherTo(t, c)
	at := time.UnixMilli(1793611800123)
	err := p.Publish(deadline(t), "out", []Message{
		{Key: []byte("a"), Value: []byte("1"), Time: at, Headers: []Header{{"h", []byte("x")}, {"h", nil}}},
		{Key: []byte("a")},
		{Key: []byte{}, Value: []byte{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []record
	for _, records := range readAll(t, p.config.Transport, "out") {
		got = append(got, records...)
	}
	seen := 0
	for _, r := range got {
		switch {
		case string(r.key) == "a" && r.value != nil:
			if string(r.value) != "1" || !r.time.Equal(at) || len(r.headerList) != 2 || string(r.headerList[0].Value) != "x" {
				t.Errorf("got %+v", r)
			}
			seen |= 1
		case string(r.key) == "a":
			seen |= 2
		case r.key != nil && r.value != nil:
			seen |= 4
		}
	}
	if seen != 7 || len(got) != 3 {
		t.Errorf("got %+v", got)
	}
	if err := p.Publish(context.Background(), "out", nil); err != nil {
		t.Errorf("nothing to publish: %v", err)
	}
}

func TestOrderHoldsOverMovingLeadersAndErrors(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.NumBrokers(3), kfake.SeedTopics(6, "out"))
	p := publisherTo(t, c)
	p.config.BatchBytes = 2000
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.KafkaStorageError} {
		n := 0
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "out", Err: e, Count: 10, When: func(kmsg.Request) bool {
			n++
			return n%3 == 0
		}})
	}
	done := make(chan error, 1)
	go func() { done <- p.Publish(deadline(t), "out", numbered(20, 200)) }()
	shuffle := time.NewTicker(30 * time.Millisecond)
	defer shuffle.Stop()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		case <-shuffle.C:
			c.ShufflePartitionLeaders()
		}
	}
	wantNumbered(t, readAll(t, p.config.Transport, "out"), 20, 200)
}

func TestTooLargeBatchesGoInHalvesAndTooLargeMessagesAreNamed(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.SeedTopics(1, "out"))
	p := publisherTo(t, c)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.MessageTooLarge, Count: -1, When: func(r kmsg.Request) bool {
		return len(r.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records) > 600
	}})
	if err := p.Publish(deadline(t), "out", numbered(5, 60)); err != nil {
		t.Fatal(err)
	}
	wantNumbered(t, readAll(t, p.config.Transport, "out"), 5, 60)

	err := p.Publish(deadline(t), "out", []Message{{Value: make([]byte, 1000)}})
	var large *TooLargeError
	if !errors.As(err, &large) || large.Topic != "out" || large.Size < 1000 || !errors.Is(err, kafka.MessageSizeTooLarge) || Classify(err) != Poison {
		t.Errorf("got %v", err)
	}
}

func TestMissingTopicIsToldOnceAndHeals(t *testing.T) {
	t.Parallel()
	c := fake(t)
	log := &logged{}
	p := publisher(t, transport(t, conn.Config{Brokers: c.ListenAddrs(), Topics: []string{"out"}}), log)

	short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err := p.Publish(short, "out", numbered(1, 1))
	var missing *MissingTopicError
	if !errors.As(err, &missing) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "`tidemark topics create`") {
		t.Errorf("got %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Publish(deadline(t), "out", numbered(3, 3)) }()
	if err := c.CreateTopic("out", 2, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantNumbered(t, readAll(t, p.config.Transport, "out"), 3, 3)
	if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(), "topics create") || !strings.Contains(log.String(), "works again") {
		t.Errorf("got %d lines, want one for the beginning and one for the end:\n%s", lines, log)
	}
}

func TestGrownTopicIsNoticed(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.SeedTopics(1, "out"))
	p := publisherTo(t, c)
	ctx := deadline(t)
	if err := p.Publish(ctx, "out", numbered(20, 1)); err != nil {
		t.Fatal(err)
	}
	grown, err := p.client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: "out", Count: 8}}})
	if err != nil || grown.Errors["out"] != nil {
		t.Fatal(err, grown)
	}
	for len(readAll(t, p.config.Transport, "out")) < 4 {
		if err := p.Publish(ctx, "out", numbered(20, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFatalErrorsReturnAtOnce(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.SeedTopics(2, "out"))
	p := publisherTo(t, c)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	err := p.Publish(deadline(t), "out", numbered(10, 1))
	if !errors.Is(err, kafka.TopicAuthorizationFailed) || Classify(err) != Fatal || !strings.Contains(err.Error(), "publish to out/") {
		t.Errorf("got %v", err)
	}
}

// told is a log that tells of each line.
type told func()

func (f told) Write(line []byte) (int, error) {
	f()
	return len(line), nil
}

func TestUnreachableClusterEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	// It ends once the first attempt has failed and that was told.
	p := publisher(t, transport(t, conn.Config{Brokers: []string{"127.0.0.1:1"}}), told(cancel))
	err := p.Publish(ctx, "out", numbered(1, 1))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want Class
	}{
		{kafka.NotLeaderForPartition, Retryable},
		{kafka.UnknownTopicOrPartition, Retryable},
		{kafka.RequestTimedOut, Retryable},
		{kafka.NotEnoughReplicas, Retryable},
		{kafka.BrokerNotAvailable, Retryable},
		{kafka.Unknown, Retryable},
		{&MissingTopicError{Topic: "x"}, Retryable},
		{io.EOF, Retryable},
		{context.DeadlineExceeded, Retryable},
		{fmt.Errorf("wrapped: %w", kafka.MessageSizeTooLarge), Poison},
		{&TooLargeError{Err: kafka.RecordListTooLarge}, Poison},
		{kafka.InvalidTimestamp, Poison},
		{kafka.InvalidRecord, Poison},
		{kafka.TopicAuthorizationFailed, Fatal},
		{kafka.ClusterAuthorizationFailed, Fatal},
		{kafka.SASLAuthenticationFailed, Fatal},
		{kafka.InvalidTopic, Fatal},
		{kafka.InvalidRequiredAcks, Fatal},
		{fmt.Errorf("dial: %w", x509.UnknownAuthorityError{}), Fatal},
		{x509.HostnameError{Certificate: &x509.Certificate{}}, Fatal},
	}
	for _, tt := range tests {
		if got := Classify(tt.err); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.err, got, tt.want)
		}
	}
}

func TestBatchesStayBelowTheLimit(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.SeedTopics(1, "out"))
	p := publisherTo(t, c)
	largest := 0
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
		largest = max(largest, len(r.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records))
		return true
	}})
	messages := make([]Message, 50)
	for i := range messages {
		messages[i] = Message{Key: []byte("k"), Value: bytes.Repeat([]byte("v"), 100_000), Headers: []Header{{"h", make([]byte, 1000)}}}
	}
	if err := p.Publish(deadline(t), "out", messages); err != nil {
		t.Fatal(err)
	}
	c.Close() // the cluster's goroutine wrote the figure
	if largest > DefaultBatchBytes || largest < DefaultBatchBytes*3/4 {
		t.Errorf("the largest request had %d bytes, want nearly %d", largest, DefaultBatchBytes)
	}
}

func TestNewNeedsATransport(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Timeout: -1}, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "transport") || !strings.Contains(err.Error(), "negative") {
		t.Errorf("got %v", err)
	}
}
