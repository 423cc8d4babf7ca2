package sink

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/deploy/testenv"
	"tidemark/streams/conn"
)

func realTransport(t *testing.T) *conn.Transport {
	t.Helper()
	return transport(t, conn.Config{Brokers: []string{servers.Kafka(t).Addr()}})
}

func TestRealOverTLSWithEveryMechanism(t *testing.T) {
	t.Parallel()
	k, topic := servers.Kafka(t), servers.Topic(t, "out", 3)
	for i, mechanism := range []string{conn.Plain, conn.ScramSHA256, conn.ScramSHA512} {
		tr := transport(t, conn.Config{Brokers: []string{k.SecureAddr()}, Topics: []string{topic}, Security: conn.Security{
			TLS: k.TLSConfig(), SASLMechanism: mechanism, Username: k.User(), Password: k.Password(),
		}})
		if err := publisher(t, tr, io.Discard).Publish(deadline(t), topic, numbered(10, 5)); err != nil {
			t.Fatalf("%s: %v", mechanism, err)
		}
		count := 0
		for _, records := range readAll(t, tr, topic) {
			count += len(records)
		}
		if want := (i + 1) * 50; count != want {
			t.Errorf("%s: %d records, want %d", mechanism, count, want)
		}
	}
}

func TestRealDialerOfConsumerGroups(t *testing.T) {
	t.Parallel()
	k := servers.Kafka(t)
	d, err := conn.NewDialer(conn.Config{Brokers: []string{k.SecureAddr()}, Security: conn.Security{
		TLS: k.TLSConfig(), SASLMechanism: conn.ScramSHA512, Username: k.User(), Password: k.Password(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.DialContext(deadline(t), "tcp", k.SecureAddr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.Brokers(); err != nil {
		t.Fatal(err)
	}
}

func TestRealRefusesWhoItDoesNotKnow(t *testing.T) {
	t.Parallel()
	k := servers.Kafka(t)
	good := conn.Security{TLS: k.TLSConfig(), SASLMechanism: conn.ScramSHA256, Username: k.User(), Password: k.Password()}
	tests := []struct {
		name string
		edit func(*conn.Security)
	}{
		{"wrong password", func(s *conn.Security) { s.Password = "wrong" }},
		{"wrong password, plain", func(s *conn.Security) { s.SASLMechanism, s.Password = conn.Plain, "wrong" }},
		{"unknown user", func(s *conn.Security) { s.Username = "nobody" }},
		{"unknown authority", func(s *conn.Security) { s.TLS = &tls.Config{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := good
			tt.edit(&s)
			tr := transport(t, conn.Config{Brokers: []string{k.SecureAddr()}, Security: s})
			err := publisher(t, tr, io.Discard).Publish(deadline(t), "any", numbered(1, 1))
			if err == nil || Classify(err) != Fatal || strings.Contains(err.Error(), k.Password()) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRealPartitionsAsTheJavaClient(t *testing.T) {
	t.Parallel()
	topic, tr := servers.Topic(t, "out", 12), realTransport(t)
	if err := publisher(t, tr, io.Discard).Publish(deadline(t), topic, numbered(200, 3)); err != nil {
		t.Fatal(err)
	}
	wantNumbered(t, readAll(t, tr, topic), 200, 3)
}

func TestRealTooLarge(t *testing.T) {
	t.Parallel()
	tr := realTransport(t)
	topic := testenv.Name(t, "small")
	results, err := NewTopics(tr, 0).Ensure(deadline(t), []TopicSpec{{Name: topic, Partitions: 1, Config: map[string]string{"max.message.bytes": "10000"}}})
	if err != nil || results[0].Err != nil || !results[0].Created {
		t.Fatal(results, err)
	}
	p := publisher(t, tr, io.Discard)
	if err := p.Publish(deadline(t), topic, numbered(5, 500)); err != nil {
		t.Fatal(err)
	}
	wantNumbered(t, readAll(t, tr, topic), 5, 500)
	var large *TooLargeError
	if err := p.Publish(deadline(t), topic, []Message{{Value: make([]byte, 20_000)}}); !errors.As(err, &large) {
		t.Errorf("got %v", err)
	}
	l := letter()
	l.Value = bytes.Repeat([]byte("v"), 20_000)
	if err := NewDeadLetters(p, topic).Publish(deadline(t), []DeadLetter{l, letter()}); err != nil {
		t.Error(err)
	}
}

func TestRealRefusals(t *testing.T) {
	t.Parallel()
	tr := realTransport(t)
	compacted, timed := testenv.Name(t, "compacted"), testenv.Name(t, "timed")
	results, err := NewTopics(tr, 0).Ensure(deadline(t), []TopicSpec{
		{Name: compacted, Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}},
		{Name: timed, Partitions: 1, Config: map[string]string{"message.timestamp.after.max.ms": "1000"}},
		{Name: testenv.Name(t, "unknown"), Config: map[string]string{"no.such.setting": "1"}},
		{Name: "bad name!", Partitions: 1},
	})
	if err != nil || results[0].Err != nil || results[1].Err != nil {
		t.Fatal(results, err)
	}
	if !errors.Is(results[2].Err, kafka.InvalidConfiguration) || !errors.Is(results[3].Err, kafka.InvalidTopic) {
		t.Errorf("got %v", results[2:])
	}
	p := publisher(t, tr, io.Discard)
	if err := p.Publish(deadline(t), compacted, []Message{{Value: []byte("x")}}); Classify(err) != Poison || err == nil {
		t.Errorf("no key on a compacted topic: got %v", err)
	}
	l := letter()
	l.Time = time.Now().Add(24 * time.Hour).UnixMilli()
	if err := NewDeadLetters(p, timed).Publish(deadline(t), []DeadLetter{l}); err != nil {
		t.Fatal(err)
	}
	got := readAll(t, tr, timed)[0]
	if len(got) != 1 || got[0].headers[HeaderTimestamp] != strconv.FormatInt(l.Time, 10) {
		t.Errorf("got %+v", got)
	}
}

func TestRealRestartLosesNothingAndKeepsOrder(t *testing.T) {
	t.Parallel()
	k := testenv.StartKafkaFor(t)
	if err := k.CreateTopic("out", 3, nil); err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	p := publisher(t, transport(t, conn.Config{Brokers: []string{k.Addr()}}), log)
	p.config.BatchBytes = 2000
	ctx := deadline(t)
	if err := p.Publish(ctx, "out", numbered(10, 1)); err != nil {
		t.Fatal(err)
	}
	before := log.String() // a topic just made may lack a leader for a moment
	done := make(chan error, 1)
	go func() { done <- p.Publish(ctx, "out", numbered(10, 2000)) }()
	if err := k.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := k.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantNumbered(t, readAll(t, p.config.Transport, "out"), 10, 2000)
	if n := strings.Count(strings.TrimPrefix(log.String(), before), "publishing fails"); n != 1 {
		t.Errorf("the outage was logged %d times:\n%s", n, log)
	}
}
