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

// oneVisit is a model in which each account crosses by its first visit.
const oneVisit = `
name: latency
version: 1
groups: {engagement: {}}
signals:
  - {name: visit, group: engagement, match: {type: engagement.page_view}, points: 90, half_life: 30d}
tiers:
  - {name: A, min: 85, mqa: true}
  - {name: C}
`

// stopwatch measures a deployment from an event's append to its tier change being read.
type stopwatch struct {
	*world
	instance *instance
	reader   *kafka.Reader
	n        int
	took     []time.Duration
}

func newStopwatch(b *testing.B, extra ...string) *stopwatch {
	b.Helper()
	w := newWorld(b, servers.Kafka(b).Addr(), servers.Redis(b).Addr(), writeModel(b, oneVisit), 1, extra...)
	s := &stopwatch{world: w, instance: w.serve()}
	s.instance.await(`"message":"partitions assigned"`)
	eventually(b, 30*time.Second, func() error { // a topic that is new may have no leader yet
		c, err := kafka.DialLeader(b.Context(), "tcp", w.cfg.Kafka.Brokers[0], w.cfg.Kafka.Topics.TierChanges, 0)
		if err == nil {
			err = c.Close()
		}
		return err
	})
	s.reader = kafka.NewReader(kafka.ReaderConfig{Brokers: w.cfg.Kafka.Brokers, Topic: w.cfg.Kafka.Topics.TierChanges, Partition: 0, MaxWait: 50 * time.Millisecond})
	b.Cleanup(func() { s.reader.Close() }) //nolint:errcheck // only read from
	return s
}

// once measures one event of an account of its own.
func (s *stopwatch) once() time.Duration {
	s.t.Helper()
	s.n++
	account := fmt.Sprintf("firm-%d.example", s.n)
	sent := time.Now()
	s.publish(s.cfg.Kafka.Topics.Engagement, []sink.Message{{Value: event(account, "engagement.page_view", sent, account, "{}")}})
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	m, err := s.reader.ReadMessage(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	if string(m.Key) != account {
		s.t.Fatalf("got a change of %s, want %s", m.Key, account)
	}
	return time.Since(sent)
}

func (s *stopwatch) warm() {
	for range 50 {
		s.once()
	}
}

// at is a quantile of what was measured, in milliseconds.
func (s *stopwatch) at(q float64) float64 {
	slices.Sort(s.took)
	return float64(s.took[int(q*float64(len(s.took)-1))]) / float64(time.Millisecond)
}

// BenchmarkEventToTierChange prints how long it takes on real servers, at a light
// load of one event every 20 ms, from an event's append to its tier change being
// read back. Run it alone: go test -run '^$' -bench EventToTierChange ./cmd/tidemark
func BenchmarkEventToTierChange(b *testing.B) {
	s := newStopwatch(b)
	s.warm()
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for b.Loop() {
		<-pace.C
		s.took = append(s.took, s.once())
	}
	b.ReportMetric(s.at(0.5), "ms/p50")
	b.ReportMetric(s.at(0.99), "ms/p99")
	s.instance.stop()
}
