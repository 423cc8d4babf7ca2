package app

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/scoring"
	"tidemark/streams/relay"
	"tidemark/streams/sink"
	"tidemark/streams/source"
)

// topicLog is what was published, by topic. Nothing is before an instant.
type topicLog struct {
	sent map[string][]sink.Message
	from time.Time
}

func (l *topicLog) Publish(_ context.Context, topic string, messages []sink.Message) error {
	if time.Now().Before(l.from) {
		return errors.New("not allowed")
	}
	l.sent[topic] = append(l.sent[topic], messages...)
	return nil
}

func canaryFor(t *testing.T, log *topicLog, out *bytes.Buffer) (*canary, *prometheus.Registry) {
	t.Helper()
	cfg, r := config.Default(), prometheus.NewRegistry()
	cfg.Kafka.InstanceID = "a"
	now := func() int64 { return time.Now().UnixMilli() }
	c, err := newCanary(cfg, 64, nil, r, now, zerolog.New(out))
	if err != nil {
		t.Fatal(err)
	}
	c.publish = log
	return c, r
}

// gathered is the sum of a metric's values, or of a histogram's counts.
func gathered(t *testing.T, r *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == name {
				sum += m.Counter.GetValue() + m.Gauge.GetValue() + float64(m.Histogram.GetSampleCount())
			}
		}
	}
	return sum
}

func TestCanariesTakeTurnsAmongTheTopicsOfEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, out := &topicLog{sent: map[string][]sink.Message{}}, &bytes.Buffer{}
		c, r := canaryFor(t, log, out)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Second)
		defer cancel()
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(log.sent) != 2 || len(log.sent["intent-events"]) != 5 || len(log.sent["engagement-events"]) != 5 || gathered(t, r, "tidemark_canary_sent_total") != 10 {
			t.Errorf("sent %v, want 5 to each topic of events", log.sent)
		}
	})
}

func TestCanariesThatCannotBeSentAreToldOfOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, out := &topicLog{sent: map[string][]sink.Message{}, from: time.Now().Add(time.Hour)}, &bytes.Buffer{}
		c, _ := canaryFor(t, log, out)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), "canary.every: 0") {
			t.Errorf("%d lines, want one when it begins and one when it ends:\n%s", n, out)
		}
	})
}

func TestOffMeansNoCanary(t *testing.T) {
	t.Parallel()
	cfg, r := config.Default(), prometheus.NewRegistry()
	cfg.Canary.Every = 0
	c, err := newCanary(cfg, 1, nil, r, nil, zerolog.Nop())
	if families, _ := r.Gather(); err != nil || c != nil || len(families) != 0 {
		t.Errorf("got %v, %v and %v, want none, and no metric that an alert could miss", c, err, families)
	}
	if err := c.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOnlyCanariesOfTheNamespaceAreTaken(t *testing.T) {
	t.Parallel()
	decode := withCanaries("tm", func(*source.Record) source.Decoded { return source.Decoded{Dead: []any{"asked"}} })
	record := func(name string) *source.Record {
		return &source.Record{Time: 7, Headers: []source.Header{{Key: "other"}, {Key: canaryHeader, Value: []byte(name)}}}
	}
	got := decode(record("tm/a/1"))
	if len(got.Dead) != 0 || len(got.Events) != 1 || !engine.IsCanary(got.Events[0]) || got.Events[0].Arrived != 7 {
		t.Errorf("ours: got %+v, want a canary", got)
	}
	for _, name := range []string{"other/a/1", "tm", "tmx/a/1", "", "tm/" + strings.Repeat("a", 600)} {
		if got := decode(record(name)); len(got.Events)+len(got.Dead) != 0 {
			t.Errorf("%.20q: got %+v, want it passed over", name, got)
		}
	}
	if got := decode(&source.Record{}); len(got.Dead) != 1 {
		t.Errorf("an event: got %+v, want it decoded as ever", got)
	}
}

// boxOf is an outbox of one shard that may refuse to be trimmed.
type boxOf struct {
	OutboxStore
	trimmed []string
	err     error
}

func (b *boxOf) Trim(_ context.Context, _ int, ids []string) (int, error) {
	if b.err == nil {
		b.trimmed = append(b.trimmed, ids...)
	}
	return len(ids), b.err
}

func TestCanariesAreTakenFromTheOutbox(t *testing.T) {
	t.Parallel()
	sent := time.Now().Add(-time.Second).UnixMilli()
	entries := []store.Entry{{ID: "1", Account: "acme.example"}, {ID: "2", Account: engine.Canary("tm/a/1", sent).Account, Appended: sent}}
	c, r := canaryFor(t, nil, &bytes.Buffer{})
	b := &boxOf{err: errors.New("no writes")}
	rest, again := c.takeBack(t.Context(), 0, b, entries)
	if len(rest) != 1 || rest[0].ID != "1" || again || gathered(t, r, "tidemark_canary_round_trip_seconds") != 0 {
		t.Errorf("no writes: got %v, %v, want the other entry and no success", rest, again)
	}
	b.err = nil
	if _, again = c.takeBack(t.Context(), 0, b, entries); !again || len(b.trimmed) != 1 || gathered(t, r, "tidemark_canary_round_trip_seconds") != 1 {
		t.Errorf("got %v, trimmed %v, want the canary taken", again, b.trimmed)
	}
	if rest, again = c.takeBack(t.Context(), 0, b, entries[:1]); again || len(rest) != 1 {
		t.Errorf("no canary: got %v, %v", rest, again)
	}
	if _, again = (*canary)(nil).takeBack(t.Context(), 0, b, entries); !again {
		t.Error("an instance without canaries leaves those of others in the outbox")
	}
}

func TestFreshnessCountsEventsAndChangesByWhatLedToThem(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	f := newFreshness(r, func() int64 { return 100_000 })
	f.stored(&source.Batch{Inputs: []source.Input{
		{Event: &scoring.Event{Arrived: 99_000}}, {Event: &scoring.Event{Arrived: 1000}}, {Dead: "letter"}, {Event: engine.Canary("tm/a/1", 5)},
	}}, 0)
	f.acknowledged([]relay.Entry{
		{Value: []byte(`{"id":"a/1","time":"1970-01-01T00:01:39.000Z"}`), Appended: 99_500},
		{Value: []byte(`{"id":"a/2","time":"1970-01-01T00:01:39.000Z"}`)},
		{Value: []byte("{}")},
	})
	for name, want := range map[string]float64{
		"tidemark_append_to_scored_seconds": 2, "tidemark_append_to_published_seconds": 1, "tidemark_crossing_to_published_seconds": 2,
	} {
		if got := gathered(t, r, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// A round of a catch-up, for each event.
func BenchmarkFreshness(b *testing.B) {
	f := newFreshness(prometheus.NewRegistry(), func() int64 { return time.Now().UnixMilli() })
	batch := &source.Batch{Inputs: make([]source.Input, 32768)}
	for i := range batch.Inputs {
		batch.Inputs[i].Event = &scoring.Event{Account: "acme.example", Arrived: time.Now().UnixMilli() - int64(i)*1000}
	}
	for b.Loop() {
		f.stored(batch, 0)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batch.Inputs)), "ns/event")
}
