package app

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/streams/sink"
	"tidemark/streams/source"
)

// valves are what a session was told, by topic.
type valves map[string]int

func (v valves) Allow(topic string, records int) { v[topic] = records }

// guarding is a guard of two topics with a clock of its own.
type guarding struct {
	*guard
	v        valves
	log      bytes.Buffer
	clock    time.Time
	registry *prometheus.Registry
}

func newGuarding(t *testing.T) *guarding {
	t.Helper()
	g := &guarding{v: valves{}, clock: time.Unix(0, 0), registry: prometheus.NewRegistry()}
	g.guard = newGuard(config.Guard{Records: 100, Pause: time.Second, MaxPause: 4 * time.Second}, []string{"a", "b"}, g.registry, zerolog.New(&g.log))
	g.now = func() time.Time { return g.clock }
	return g
}

// round is one with so many events and dead letters of a topic.
func (g *guarding) round(topic string, events, dead int) {
	letters := make([]any, dead)
	for i := range letters {
		l := &sink.DeadLetter{Topic: topic, Partition: 3, Offset: int64(i), Reason: "malformed", Message: "value: not JSON"}
		if i == 0 {
			l.Reason = "no_account"
		}
		letters[i] = l
	}
	g.note(g.v, topic, events, letters)
}

func (g *guarding) paused(t *testing.T, topic string) bool {
	t.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].Metric {
		if m.Label[0].GetValue() == topic {
			return m.Gauge.GetValue() == 1
		}
	}
	t.Fatalf("no gauge for %s", topic)
	return false
}

func TestGuardPausesWhatIsAllBad(t *testing.T) {
	t.Parallel()
	g := newGuarding(t)
	for range 9 {
		g.round("a", 0, 11)
		g.round("b", 2, 98) // 98 % is not nearly all
	}
	if len(g.v) > 0 {
		t.Fatalf("told %v before a window was over", g.v)
	}
	g.round("a", 1, 10)
	if !maps.Equal(g.v, valves{"a": 0}) || !g.paused(t, "a") || g.paused(t, "b") {
		t.Fatalf("told %v, want a paused", g.v)
	}
	want := "topic a is paused: of its latest 110 events 109 cannot be used, mostly malformed, such as a/3/1"
	if got := g.state(); len(got) != 1 || got[0] != want {
		t.Errorf("got state %q, want %q", got, want)
	}
	for _, want := range []string{`"reason":"malformed"`, `"example":"a/3/1"`, `"detail":"value: not JSON"`, `"events":110`, `"dead_letters":109`} {
		if !strings.Contains(g.log.String(), want) {
			t.Errorf("the log has no %s: %s", want, g.log.String())
		}
	}
	// A rebalance makes a new session: it is paused there too.
	next := valves{}
	g.begin(next)
	if !maps.Equal(next, valves{"a": 0}) {
		t.Errorf("the next session is told %v", next)
	}
}

func TestGuardProbesAndOpens(t *testing.T) {
	t.Parallel()
	g := newGuarding(t)
	g.round("a", 0, 100)
	var waits []string
	var probes []int
	for range 5 {
		g.v = valves{}
		start := g.clock
		for len(g.v) == 0 {
			g.clock = g.clock.Add(500 * time.Millisecond)
			g.probe(g.v)
		}
		waits = append(waits, g.clock.Sub(start).String())
		probes = append(probes, g.v["a"])
		g.round("a", 0, g.v["a"])
		if len(g.state()) != 1 {
			t.Fatal("a probe of bad records opened the topic")
		}
	}
	if got := fmt.Sprint(waits); got != "[1s 2s 4s 4s 4s]" {
		t.Errorf("probes came after %s", got)
	}
	if want := []int{10, 100, 100, 100, 100}; !slices.Equal(probes, want) {
		t.Errorf("probes let go %v, want %v: ten times as many up to a window", probes, want)
	}
	g.round("a", 1, 3)
	if !maps.Equal(g.v, valves{"a": source.Unlimited}) || g.paused(t, "a") || len(g.state()) > 0 {
		t.Errorf("told %v, want it open", g.v)
	}
	if n := strings.Count(g.log.String(), "is paused"); n != 1 {
		t.Errorf("the pause is logged %d times: %s", n, g.log.String())
	}
	// Bad again at once: the pauses go on where they were. A good window ends that.
	g.round("a", 0, 100)
	if got := g.topics["a"].probe.Sub(g.clock); got != 4*time.Second {
		t.Errorf("paused for %s, want 4s", got)
	}
	g.round("a", 1, 0)
	g.round("a", 50, 50)
	g.round("a", 0, 100)
	if got := g.topics["a"].probe.Sub(g.clock); got != time.Second {
		t.Errorf("paused for %s, want 1s", got)
	}
}

func TestGuardThatIsOff(t *testing.T) {
	t.Parallel()
	g := newGuard(config.Guard{}, []string{"a"}, prometheus.NewRegistry(), zerolog.Nop())
	v := valves{}
	g.note(v, "a", 0, make([]any, 1_000_000))
	g.probe(v)
	g.begin(v)
	if len(v) > 0 || g.state() != nil {
		t.Errorf("a guard that is off told %v", v)
	}
}

// A stopped partition holds the low watermark, so that nobody is demoted while
// evidence may wait in it, and holds no other instance by max_lead.
func TestStoppedPartitionHoldsTheWatermarkOnly(t *testing.T) {
	t.Parallel()
	m := source.Mark{Consumed: 500, Frontier: 600, Stopped: true}
	if got := consumed(m, 10_000); got != 500 {
		t.Errorf("got low watermark %d, want 500", got)
	}
	if got := frontier(m, 10_000); got != 10_000 {
		t.Errorf("got frontier %d, want now", got)
	}
	if held([]source.Mark{m}, 100) {
		t.Error("it counts as held back by the limit")
	}
}
