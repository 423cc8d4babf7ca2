package traffic_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tidemark/pkg/embedded/traffic"
	"tidemark/streams/sink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// published notes what a pacer publishes, and when.
type published struct {
	mu       sync.Mutex // guards what follows
	now      func() time.Time
	fail     error
	byTopic  map[string]int
	tooEarly int
	latest   time.Duration
}

func (p *published) Publish(_ context.Context, topic string, messages []sink.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		late := p.now().Sub(m.Time)
		if late < 0 {
			p.tooEarly++
		}
		p.latest = max(p.latest, late)
		p.byTopic[topic]++
		var e struct {
			SpecVersion string `json:"specversion"`
			Subject     string `json:"subject"`
		}
		if err := json.Unmarshal(m.Value, &e); err != nil || e.SpecVersion != "1.0" {
			return errors.New("not a CloudEvent")
		}
		if topic == "engagement" && string(m.Key) == e.Subject {
			return errors.New("keyed by account")
		}
	}
	return p.fail
}

func pacer(seed uint64) (*traffic.Pacer, *published) {
	clock := traffic.NewClock(began, 6*60*60)
	sink := &published{now: clock.Now, byTopic: map[string]int{}}
	return &traffic.Pacer{
		World: traffic.New(seed, 40), Clock: clock, Publisher: sink, Journal: &traffic.Journal{},
		Topics: traffic.Topics{Profiles: "profiles", Intent: "intent", Engagement: "engagement"},
	}, sink
}

func TestPacerFollowsTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, got := pacer(1)
		ctx, cancel := context.WithCancel(t.Context())
		if err := p.Introduce(ctx); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		await(20 * time.Second) // the clock stands
		if n := p.Journal.Events(); n != 40 {
			t.Errorf("%d events before the clock started, want the 40 profiles", n)
		}
		p.Clock.Start()
		await(40 * time.Second) // ten days
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := 40 + len(until(p.World, 10*day))
		if n := p.Journal.Events(); n < want-5 || n > want {
			t.Errorf("%d events, want about %d", n, want)
		}
		if got.byTopic["profiles"] != 40 || got.byTopic["intent"] == 0 || got.byTopic["engagement"] == 0 {
			t.Errorf("by topic: %v", got.byTopic)
		}
		if got.tooEarly > 0 || got.latest > 7*time.Hour {
			t.Errorf("%d events came early, the latest was %v late", got.tooEarly, got.latest)
		}
	})
}

// await lets so much of a bubble's time pass.
func await(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestPacerReportsWhatCannotHeal(t *testing.T) {
	t.Parallel()
	p, sink := pacer(1)
	sink.fail = errors.New("refused")
	p.Clock.Start()
	if err := p.Run(t.Context()); !errors.Is(err, sink.fail) {
		t.Errorf("got %v, want %v", err, sink.fail)
	}
}

func TestClockStandsUntilStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := traffic.NewClock(began, 100)
		await(time.Second)
		if !c.Now().Equal(began) {
			t.Errorf("got %v, want %v", c.Now(), began)
		}
		c.Start()
		await(time.Second)
		c.Start()
		await(2 * time.Second)
		if got := c.Elapsed(); got != 300*time.Second {
			t.Errorf("got %v, want 300s", got)
		}
		if got := c.Until(500 * time.Second); got != 2*time.Second {
			t.Errorf("until 500s: got %v, want 2s", got)
		}
	})
}

func TestJournal(t *testing.T) {
	t.Parallel()
	var j traffic.Journal
	w := traffic.New(1, 40)
	events := until(w, 10*day)
	for i := range events {
		j.Note(&events[i])
	}
	last := events[len(events)-1]
	if got := j.Words(last.Source, last.ID); got != last.Words() || got == "" {
		t.Errorf("got %q, want %q", got, last.Words())
	}
	if got := j.Words("/web", "unheard of"); got != "" {
		t.Errorf("an event that never was: %q", got)
	}
	if got, ok := j.Quiet(last.Account, last.At+9*day); !ok || got != 9*day {
		t.Errorf("quiet for %v (%t), want 9 days", got, ok)
	}
	if _, ok := j.Quiet("nobody.example", day); ok {
		t.Error("an account that never was is quiet")
	}
}

func TestJournalIsBounded(t *testing.T) {
	t.Parallel()
	var j traffic.Journal
	first := traffic.Event{ID: "first", Source: "/web", Type: "engagement.page_view", Account: "a.example", Person: &traffic.Person{Title: "CFO"}}
	j.Note(&first)
	for i := range 10_000 {
		e := first
		e.ID = string(rune(0x4e00 + i))
		j.Note(&e)
	}
	if got := j.Words("/web", "first"); got != "" {
		t.Errorf("an old event is still known: %q", got)
	}
}
