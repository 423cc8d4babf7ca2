package main

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/streams/sink"
)

// BenchmarkEventToTierChange prints how long it takes on real servers, at a light
// load of one event every 20 ms, from an event's append to its tier change being
// read back. Run it alone: go test -run '^$' -bench EventToTierChange ./cmd/tidemark
func BenchmarkEventToTierChange(b *testing.B) {
	model := writeModel(b, `
name: latency
version: 1
groups: {engagement: {}}
signals:
  - {name: visit, group: engagement, match: {type: engagement.page_view}, points: 90, half_life: 30d}
tiers:
  - {name: A, min: 85, mqa: true}
  - {name: C}
`)
	w := newWorld(b, servers.Kafka(b).Addr(), servers.Redis(b).Addr(), model, 1)
	i := w.serve()
	i.await(`"message":"partitions assigned"`)
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: w.cfg.Kafka.Brokers, Topic: w.cfg.Kafka.Topics.TierChanges, Partition: 0, MaxWait: 50 * time.Millisecond})
	defer reader.Close() //nolint:errcheck // only read from
	once := func(n int) time.Duration {
		account := fmt.Sprintf("firm-%d.example", n)
		sent := time.Now()
		w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{{Value: event(account, "engagement.page_view", sent, account, "{}")}})
		ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
		defer cancel()
		m, err := reader.ReadMessage(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if string(m.Key) != account {
			b.Fatalf("got a change of %s, want %s", m.Key, account)
		}
		return time.Since(sent)
	}
	for n := range 50 {
		once(-1 - n)
	}
	var took []time.Duration
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for n := 0; b.Loop(); n++ {
		<-pace.C
		took = append(took, once(n))
	}
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))]) / float64(time.Millisecond) }
	b.ReportMetric(at(0.5), "ms/p50")
	b.ReportMetric(at(0.99), "ms/p99")
	i.stop()
}
