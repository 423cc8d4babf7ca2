package bench

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestQuantiles(t *testing.T) {
	t.Parallel()
	var s samples
	for i := range 1000 {
		s.add(time.Duration(i), time.Duration(1000-i)*time.Millisecond) // 1 … 1000 ms, in another order
	}
	h := s.histogram(window{0, 1000})
	for _, c := range []struct {
		q    float64
		want int64
	}{{0.5, 500}, {0.99, 990}, {0.999, 999}, {1, 1000}, {0, 1}} {
		if got := h.quantile(c.q).Milliseconds(); got != c.want {
			t.Errorf("quantile %v: got %d ms, want %d", c.q, got, c.want)
		}
	}
	if got := (histogram{}).quantile(0.5); got != 0 {
		t.Errorf("nothing measured: got %s", got)
	}
	if got := histogram([]time.Duration{7}).quantile(0.999); got != 7 {
		t.Errorf("one measured: got %s", got)
	}
}

func TestHistogramIsOfItsWindow(t *testing.T) {
	t.Parallel()
	var s samples
	for i := range 10 {
		s.add(time.Duration(i)*time.Second, time.Duration(i))
	}
	h := s.histogram(window{2 * time.Second, 5 * time.Second})
	if len(h) != 3 || h[0] != 2 || h[2] != 4 {
		t.Errorf("got %v, want the events due at 2, 3 and 4 s", h)
	}
}

// sent is a sender that can be held up.
type sent struct {
	messages []message
	held     bool
}

var errHeld = errors.New("held up")

func (s *sent) add(m message) error {
	if s.held {
		return errHeld
	}
	m.value = bytes.Clone(m.value)
	s.messages = append(s.messages, m)
	return nil
}

func (s *sent) flush() error { return nil }

func (s *sent) close() error { return nil }

// However late it gets its turn, a load sends what was due meanwhile, each event with
// the instant at which it should have been sent.
func TestPacedLoadKeepsItsSchedule(t *testing.T) {
	t.Parallel()
	to := &sent{}
	l := &paced{rate: 1000, begun: time.Now(), p: to, g: newGenerator(small())}
	for _, step := range []struct {
		now  time.Duration
		want int
	}{{0, 1}, {500 * time.Microsecond, 1}, {10 * time.Millisecond, 11}, {2 * time.Second, 2001}} {
		if err := l.send(step.now); err != nil {
			t.Fatal(err)
		}
		if len(to.messages) != step.want {
			t.Fatalf("at %s: sent %d, want %d", step.now, len(to.messages), step.want)
		}
	}
	for i, m := range to.messages {
		want := time.Duration(i) * time.Millisecond
		if got := m.time.Sub(l.begun); got != want {
			t.Fatalf("event %d is due at %s, want %s", i, got, want)
		}
		if number, ok := eventNumber(idOf(m.value)); !ok || l.due(number) != want {
			t.Fatalf("event %d: number %d, due %s", i, number, l.due(number))
		}
	}
	to.held = true
	if err := l.send(3 * time.Second); !errors.Is(err, errHeld) {
		t.Errorf("got %v, want the sender's error", err)
	}
}

// Only changes that an event of the load caused have a latency.
func TestProbeTakesItsOwnChanges(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	x := &probe{load: &paced{rate: 10, begun: begun}}
	for _, value := range []string{
		`{"id":"a/1","data":{"account":"a","direction":"up","cause":{"kind":"event","id":"e-20-ff"}}}`,
		`{"id":"a/2","data":{"account":"a","direction":"down","cause":{"kind":"decay"}}}`,
		`{"id":"b/1","data":{"account":"b","direction":"up","cause":{"kind":"event","id":"d-20-ff"}}}`,
	} {
		c, err := parseChange([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		x.tookChange(c, begun.Add(2*time.Second+30*time.Millisecond))
	}
	h := x.changes.histogram(window{0, time.Hour})
	if len(h) != 1 || h[0] != 30*time.Millisecond {
		t.Errorf("got %v, want 30ms: event 20 of 10 a second is due after 2 s", h)
	}
	if _, err := parseChange([]byte("{")); err == nil {
		t.Error("a broken tier change is no error")
	}
}
