package webhook

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"tidemark/pkg/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver answers as a test says and notes when it was asked.
type receiver struct {
	mu     sync.Mutex // guards the rest
	begun  time.Time
	at     []time.Duration
	ids    []string
	answer func(n int) outbound.Answer // to the n-th attempt, from 0
}

func (r *receiver) Send(ctx context.Context, m outbound.Message) outbound.Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.at)
	r.at, r.ids = append(r.at, time.Since(r.begun).Truncate(time.Second)), append(r.ids, m.ID)
	return r.answer(n)
}

func (r *receiver) seen() ([]time.Duration, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.at), slices.Clone(r.ids)
}

const twoEndpoints = `endpoints:
  - {name: crm, url: "https://crm.example/hook", unsigned: true}
  - {name: chat, url: "https://chat.example/hook", unsigned: true, filter: 'data.mqa'}
`

// dispatching runs a Dispatcher on the virtual clock, one receiver for each endpoint.
func dispatching(t *testing.T, q *shelf, answers map[string]func(int) outbound.Answer) (map[string]*receiver, *Dispatcher) {
	t.Helper()
	endpoints, err := Parse("hooks.yaml", []byte(twoEndpoints), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := New(q, endpoints, NewMetrics(prometheus.NewRegistry(), endpoints), zerolog.Nop())
	d.every = 5 * time.Second
	d.jitter = func(d time.Duration) time.Duration { return d }
	receivers := map[string]*receiver{}
	for name, l := range d.lines {
		r := &receiver{begun: time.Now(), answer: answers[name]}
		if r.answer == nil {
			r.answer = always(outbound.Delivered)
		}
		l.sender, receivers[name] = r, r
	}
	running(t, d)
	return receivers, d
}

// running runs a Dispatcher until the test ends.
func running(t *testing.T, d *Dispatcher) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); ended.Wait() })
}

func always(r outbound.Result) func(int) outbound.Answer {
	return func(int) outbound.Answer { return outbound.Answer{Result: r} }
}

func (s *shelf) put(t *testing.T, endpoint string, entries ...Entry) {
	t.Helper()
	if err := s.Add(t.Context(), endpoint, time.Now().UnixMilli(), entries); err != nil {
		t.Fatal(err)
	}
}

// pass lets virtual time pass, and what is under way come to rest.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// An endpoint that never takes an event is asked on the schedule, with one id, and is
// disabled after a day, while the other one has its events at once.
func TestScheduleOfADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newShelf()
		receivers, _ := dispatching(t, q, map[string]func(int) outbound.Answer{"crm": always(outbound.Failed)})
		q.put(t, "crm", entry("a.example", 1))
		q.put(t, "chat", entry("a.example", 1), entry("a.example", 2), entry("b.example", 1))
		pass(6 * time.Second)
		if at, _ := receivers["chat"].seen(); len(at) != 3 {
			t.Errorf("the other endpoint got %d events by now, want 3", len(at))
		}
		pass(26 * time.Hour)
		at, ids := receivers["crm"].seen()
		want := []time.Duration{0}
		for _, pause := range schedule {
			want = append(want, want[len(want)-1]+pause)
		}
		if len(at) != len(want) {
			t.Fatalf("attempts at %v, want %v", at, want)
		}
		for i := range want {
			// What is due is looked for every five seconds, and each round may add as much.
			if late := at[i] - want[i]; late < 0 || late > time.Duration(i+2)*5*time.Second {
				t.Errorf("attempt %d after %v, want %v", i, at[i], want[i])
			}
			if ids[i] != ids[0] {
				t.Errorf("attempt %d has the id %s, the first %s", i, ids[i], ids[0])
			}
		}
		if early := slices.IndexFunc(want, func(d time.Duration) bool { return d > 4*time.Hour }); early < 9 {
			t.Errorf("%d attempts within four hours", early)
		}
		statuses, _ := q.Statuses(t.Context())
		if statuses["crm"].Disabled == "" || statuses["chat"].Disabled != "" || len(q.entries["crm"]) != 0 {
			t.Errorf("statuses %v, %d entries left", statuses, len(q.entries["crm"]))
		}
	})
}

// 429 with Retry-After pauses the endpoint as long as it asks, for all its events.
func TestRetryAfterPausesTheEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newShelf()
		receivers, _ := dispatching(t, q, map[string]func(int) outbound.Answer{"crm": func(n int) outbound.Answer {
			if n == 0 {
				return outbound.Answer{Result: outbound.Limited, Status: 429, RetryAfter: time.Hour}
			}
			return outbound.Answer{Result: outbound.Delivered}
		}})
		q.put(t, "crm", entry("a.example", 1))
		pass(6 * time.Second)
		q.put(t, "crm", entry("b.example", 1), entry("c.example", 1))
		pass(59 * time.Minute)
		if at, _ := receivers["crm"].seen(); len(at) != 1 {
			t.Errorf("asked at %v although it was to be left alone for an hour", at)
		}
		pass(2 * time.Minute)
		if at, _ := receivers["crm"].seen(); len(at) != 4 {
			t.Errorf("asked at %v, want all three after the hour", at)
		}
	})
}

// 410 disables; what waits then is sent once an operator enables it again.
func TestGoneDisablesUntilEnabled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newShelf()
		gone := true
		receivers, d := dispatching(t, q, map[string]func(int) outbound.Answer{"crm": func(int) outbound.Answer {
			if gone {
				return outbound.Answer{Result: outbound.Gone, Status: 410}
			}
			return outbound.Answer{Result: outbound.Delivered}
		}})
		q.put(t, "crm", entry("a.example", 1))
		pass(time.Hour)
		if at, _ := receivers["crm"].seen(); len(at) != 1 {
			t.Errorf("asked %d times, want once", len(at))
		}
		e := entry("b.example", 1)
		if got := d.wanted(&e); !slices.Equal(got, []string{"chat"}) {
			t.Errorf("an event is queued for %v, want chat only", got)
		}
		gone = false
		if err := q.SetStatus(t.Context(), "crm", Status{}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if at, _ := receivers["crm"].seen(); len(at) != 2 || len(q.entries["crm"]) != 0 {
			t.Errorf("asked %d times, want twice; %d entries left", len(at), len(q.entries["crm"]))
		}
	})
}

// Events of one account come in order, though the first fails for a while; those of
// others do not wait for it.
func TestOrderOfAnAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newShelf()
		var got []string
		first := ID("tier-changes", "tidemark/tm", "a.example/1")
		_, d := dispatching(t, q, nil)
		failures := 3
		l := d.lines["crm"]
		l.sender = sendFunc(func(m outbound.Message) outbound.Answer {
			if m.ID == first && failures > 0 {
				failures--
				return outbound.Answer{Result: outbound.Timeout}
			}
			got = append(got, m.ID)
			return outbound.Answer{Result: outbound.Delivered}
		})
		q.put(t, "crm", entry("a.example", 1), entry("a.example", 2), entry("b.example", 1))
		pass(time.Hour)
		want := []string{ID("tier-changes", "tidemark/tm", "b.example/1"), first, ID("tier-changes", "tidemark/tm", "a.example/2")}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// A queue that grows over its bound disables the endpoint rather than filling Redis.
func TestFullQueueDisables(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newShelf()
		_, d := dispatching(t, q, map[string]func(int) outbound.Answer{"crm": always(outbound.Connection)})
		d.lines["crm"].maxQueue = 2
		q.put(t, "crm", entry("a.example", 1), entry("b.example", 1), entry("c.example", 1))
		pass(6 * time.Second)
		if s, _ := q.Statuses(t.Context()); s["crm"].Disabled != "the queue is full" {
			t.Errorf("status %+v", s["crm"])
		}
	})
}

// Who enables an endpoint whose queue is full means to have it worked off.
func TestEnabledWithAFullQueueIsWorkedOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newShelf()
		_, d := dispatching(t, q, map[string]func(int) outbound.Answer{"crm": func(n int) outbound.Answer {
			if n < 3 {
				return outbound.Answer{Result: outbound.Connection}
			}
			return outbound.Answer{Result: outbound.Delivered}
		}})
		d.lines["crm"].maxQueue = 1
		q.put(t, "crm", entry("a.example", 1), entry("b.example", 1), entry("c.example", 1))
		pass(6 * time.Second)
		if s, _ := q.Statuses(t.Context()); s["crm"].Disabled == "" {
			t.Fatal("the queue is full, but the endpoint is not disabled")
		}
		if err := q.SetStatus(t.Context(), "crm", Status{}); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Hour)
		if s, _ := q.Statuses(t.Context()); s["crm"].Disabled != "" || len(q.entries["crm"]) != 0 {
			t.Errorf("status %+v, %d wait, want it enabled and nothing", s["crm"], len(q.entries["crm"]))
		}
	})
}

type sendFunc func(outbound.Message) outbound.Answer

func (f sendFunc) Send(_ context.Context, m outbound.Message) outbound.Answer { return f(m) }
