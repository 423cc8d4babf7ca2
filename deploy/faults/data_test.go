package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"tidemark/deploy/faults/verify"
	"tidemark/pkg/app"
	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/scoring"
)

func dataFaults() []fault {
	return []fault{
		{"nothing but poison", false, "every record becomes one dead letter, positions move on, good events after it count", allPoison},
		{"oversize records", true, "cut dead letters with size and hash; nothing is held up", oversize},
		{"a hot account with 90 % of the traffic", false, "its history is as exact as any; the others are not held up", hotAccount},
		{"50,000 accounts due in the same second", false, "all demotions are published, each with its own instant", sameSecond},
		{"clock stepped 15 s forward and 30 s back", false, "nothing is lost or negative; scores are right once the clock is", clockStepped},
		{"a day's backlog with demotions due meanwhile", false, "no demotion is published that an event still to be read contradicts: the history is that of a live run", dayBehind},
	}
}

func errorOf(format string, args ...any) error { return fmt.Errorf(format, args...) }

func partition(topic string, id int) engine.Partition { return engine.Partition{Topic: topic, ID: id} }

func allPoison(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	m := usualMix(51)
	m.poison, m.duplicates, m.rate = 1, 0, 1000
	tr := w.traffic(m)
	i := w.serve()
	w.growing(5000)
	tr.stop()
	w.drained()
	s.recovered = w.fresh()
	r := w.verified()
	if r.Letters != r.Unusable {
		t.Errorf("%d dead letters of %d records", r.Letters, r.Unusable)
	}
	s.figure("%d records, %d dead letters", r.Unusable, r.Letters)
	i.stop()
}

func oversize(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	w.harm(s, 52, func(*instance) {
		for n, size := range []int{300 << 10, 500 << 10, 900 << 10} {
			data := fmt.Sprintf(`{"properties":{"x":%q}}`, bytes.Repeat([]byte("x"), size))
			w.publish(w.cfg.Kafka.Topics.Engagement, message{Value: event(fmt.Sprintf("big-%d", n), "engagement.page_view", time.Now(), "big.example", data)})
		}
	})
}

func hotAccount(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	i := w.serve()
	m := usualMix(53)
	m.hot = 0.9
	tr := w.traffic(m)
	w.growing(700)
	s.recovered = w.fresh()
	tr.stop()
	r := w.verified()
	s.figure("%d events, most of them of one account", r.Events)
	i.stop()
}

// dueModel lets an account rise by one event and fall by time alone.
var dueModel = filepath.Join("testdata", "due.yaml")

func sameSecond(t *testing.T, s *seen) {
	const accounts = 50_000
	w := newWorld(t, setup{model: dueModel})
	// All of them fall at one instant, when everything is long stored.
	at := time.Now().Add(-time.Second)
	var batch []message
	for n := range accounts {
		account := fmt.Sprintf("firm-%d.example", n)
		batch = append(batch, message{Key: []byte(account), Value: event(fmt.Sprintf("e%d", n), "engagement.page_view", at, account, "{}")})
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, batch...)
	i := w.serve()
	w.flowing(1)
	eventually(t, 2*time.Minute, func() error {
		if n := w.published(); n < 2*accounts {
			return errorOf("%d tier changes, want %d", n, 2*accounts)
		}
		return nil
	})
	late := time.Duration(0)
	for _, c := range w.read(w.cfg.Kafka.Topics.TierChanges) {
		late = max(late, lateness(t, c.Value, c.Time))
	}
	r := w.verified(inOrder)
	s.figure("%d tier changes; the last demotion was published %.1f s after its instant", r.Changes, late.Seconds())
	i.stop()
}

// clockStepped runs serve in this process, where its clock can be had.
func clockStepped(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	var offset atomic.Int64
	cfg, err := config.Load("", w.env)
	done(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- app.Serve(ctx, cfg, zerolog.Nop(), app.Options{Now: func() int64 { return time.Now().UnixMilli() + offset.Load() }})
	}()
	t.Cleanup(cancel)
	tr := w.traffic(usualMix(54))
	w.flowing(50)
	offset.Store(15_000)
	lasts(3 * time.Second)
	offset.Store(-15_000)
	lasts(3 * time.Second)
	offset.Store(0)
	s.recovered = w.fresh()
	// Until the clock has passed what happened ahead of it.
	lasts(16 * time.Second)
	tr.stop()
	r := w.verified()
	s.figure("%d events, %d tier changes", r.Events, r.Changes)
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// dayBehind reads a day's events, with half-lives of hours, while the instance dies
// and the broker stops: much is due by the clock that its evidence forbids.
func dayBehind(t *testing.T, s *seen) {
	k, _ := victims.hold(t)
	w := newWorld(t, setup{brokers: k.Addr(), model: filepath.Join("testdata", "day.yaml")})
	w.backlogOf(55, 16_000, 24*time.Hour, 1100)
	for range 3 {
		i := w.start("TIDEMARK_ENGINE_MAX_BATCH=50")
		w.flowing(100)
		done(t, k.Pause())
		lasts(2 * time.Second)
		done(t, k.Resume())
		w.flowing(50)
		i.kill()
	}
	i := w.serve()
	s.recovered = w.drained()
	r := w.verified(inOrder, notLate)
	s.figure("%d events of a day, %d tier changes as in a live run, %d repeats", r.Events, r.Changes, r.Repeats)
	i.stop()
}

// lateness is how long after its instant a demotion was published; 0 for others.
func lateness(t *testing.T, value []byte, published time.Time) time.Duration {
	t.Helper()
	var c verify.Change
	done(t, json.Unmarshal(value, &c))
	if c.Data.Cause.Kind != string(scoring.CauseDecay) {
		return 0
	}
	return published.Sub(c.Time)
}
