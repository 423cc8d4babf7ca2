package testenv

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func TestKafkaKeepsItsDataOverKillAndRestart(t *testing.T) {
	for _, version := range []string{Kafka4, Kafka3} {
		t.Run(version, func(t *testing.T) {
			k := StartKafkaFor(t, KafkaOptions{Version: version})
			if err := k.CreateTopic("events", 2, map[string]string{"cleanup.policy": "compact"}); err != nil {
				t.Fatal(err)
			}
			produce(t, k.Addr(), nil, "events", "before")
			addr, pid := k.Addr(), k.PID()
			if err := k.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := k.Restart(); err != nil {
				t.Fatal(err)
			}
			if k.Addr() != addr || k.PID() == pid {
				t.Errorf("after restart addr %s pid %d, want addr %s and another pid than %d", k.Addr(), k.PID(), addr, pid)
			}
			produce(t, k.Addr(), nil, "events", "after")
			if got := fetch(t, k.Addr(), nil, "events"); got != "before after" {
				t.Errorf("got records %q, want %q", got, "before after")
			}
		})
	}
}

func TestKafkaCreateTopicTellsTheBrokersError(t *testing.T) {
	topic := servers.Topic(t, "events", 1)
	err := servers.Kafka(t).CreateTopic(topic, 1, nil)
	if err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("got %v, want an error that says already exists", err)
	}
}

func TestKafkaPauseFreezesAndResumeContinues(t *testing.T) {
	k := StartKafkaFor(t)
	if err := k.CreateTopic("events", 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := k.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := kafkaMetadata(ctx, k.Addr()); err == nil {
		t.Error("a paused server answered")
	}
	if err := k.Resume(); err != nil {
		t.Fatal(err)
	}
	produce(t, k.Addr(), nil, "events", "after")
}

func produce(t *testing.T, addr string, transport kafka.RoundTripper, topic, value string) {
	t.Helper()
	c := kafka.Client{Addr: kafka.TCP(addr), Transport: transportOrOwn(t, transport), Timeout: 20 * time.Second}
	resp, err := c.Produce(context.Background(), &kafka.ProduceRequest{
		Topic: topic, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes([]byte("k")), Value: kafka.NewBytes([]byte(value))}),
	})
	if err == nil {
		err = resp.Error
	}
	if err != nil {
		t.Fatalf("produce to %s: %v", addr, err)
	}
}

// fetch gives all values of partition 0, joined by spaces.
func fetch(t *testing.T, addr string, transport kafka.RoundTripper, topic string) string {
	t.Helper()
	c := kafka.Client{Addr: kafka.TCP(addr), Transport: transportOrOwn(t, transport), Timeout: 20 * time.Second}
	resp, err := c.Fetch(context.Background(), &kafka.FetchRequest{Topic: topic, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
	if err == nil {
		err = resp.Error
	}
	if err != nil {
		t.Fatalf("fetch from %s: %v", addr, err)
	}
	var values []string
	for {
		rec, err := resp.Records.ReadRecord()
		if err != nil {
			return strings.Join(values, " ")
		}
		b, err := kafka.ReadAll(rec.Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, string(b))
	}
}

// transportOrOwn avoids kafka-go's DefaultTransport, whose goroutines outlive the tests.
func transportOrOwn(t *testing.T, transport kafka.RoundTripper) kafka.RoundTripper {
	t.Helper()
	if transport != nil {
		return transport
	}
	return newTransport(t, &kafka.Transport{})
}

func newTransport(t *testing.T, tr *kafka.Transport) *kafka.Transport {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	tr.Context = ctx
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		cancel()
	})
	return tr
}
