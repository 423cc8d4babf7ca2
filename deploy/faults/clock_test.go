package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tidemark/deploy/faults/verify"
	"tidemark/scoring"
)

// clock makes the clock of an instance wrong.
type clock struct {
	t    testing.TB
	path string
}

func newClock(t testing.TB) clock {
	t.Helper()
	return clock{t, filepath.Join(t.TempDir(), "clock")}
}

// setting is what makes an instance go by the clock.
func (c clock) setting() string { return "TIDEMARK_TEST_CLOCK=" + c.path }

// wrong makes it wrong by so much.
func (c clock) wrong(by time.Duration) {
	c.t.Helper()
	// By a rename, so that nobody reads half of it.
	done(c.t, os.WriteFile(c.path+".new", []byte(by.String()), 0o600))
	done(c.t, os.Rename(c.path+".new", c.path))
}

func clockStepped(t *testing.T, s *seen) {
	w, c := newWorld(t, setup{}), newClock(t)
	i := w.serve(c.setting())
	step := func(by time.Duration) {
		c.wrong(by)
		lasts(4 * time.Second)
		c.wrong(0)
	}
	tr := w.traffic(usualMix(54))
	w.flowing(50)
	step(time.Hour)
	s.recovered = w.fresh()
	lasts(time.Second) // what was relayed late is published
	back := time.Now()
	w.flowing(200)
	step(-time.Hour)
	w.flowing(200)
	tr.stop()
	early := w.early(back)
	w.passed()
	held := 0
	r := w.verified(func(run *verify.Run) { held = withoutHeldBack(run) })
	s.figure("%d demotions published early while the clock was ahead, none after; %d events dead letters while it was behind", early, held)
	s.figure("%d events, %d tier changes", r.Events, r.Changes)
	i.sums(w)
	i.stop()
}

// early counts the demotions by time alone that were published before their
// instant, and wants none after back.
func (w *world) early(back time.Time) (n int) {
	w.t.Helper()
	for _, r := range w.read(w.cfg.Kafka.Topics.TierChanges) {
		c := changeOf(w.t, r.Value)
		if c.Data.Cause.Kind != string(scoring.CauseDecay) || !c.Time.After(r.Time.Add(time.Second)) {
			continue
		}
		if n++; r.Time.After(back) {
			w.t.Errorf("%s is of %s and was published at %s, after the clock was set right", c.ID, c.Time, r.Time)
		}
	}
	return n
}

// passed waits until the clock has passed all that was published ahead of it.
func (w *world) passed() {
	w.t.Helper()
	w.drained()
	latest := time.Now()
	for _, r := range w.read(w.cfg.Kafka.Topics.TierChanges) {
		if c := changeOf(w.t, r.Value); c.Time.After(latest) {
			latest = c.Time
		}
	}
	lasts(time.Until(latest.Add(3 * time.Second)))
}

// withoutHeldBack leaves out all that was held to be in the future, and its dead
// letters, and counts what in truth was not.
func withoutHeldBack(run *verify.Run) (n int) {
	place := func(topic, partition, offset any) string { return fmt.Sprint(topic, "/", partition, "@", offset) }
	held := map[string]bool{}
	run.Letters = slices.DeleteFunc(run.Letters, func(l verify.Record) bool {
		if l.Headers["__connect.errors.exception.class.name"] != "future_time" {
			return false
		}
		held[place(l.Headers["__connect.errors.topic"], l.Headers["__connect.errors.partition"], l.Headers["__connect.errors.offset"])] = true
		if len(verify.Accounts(l)) > 0 {
			n++
		}
		return true
	})
	run.Inputs = slices.DeleteFunc(run.Inputs, func(r verify.Record) bool { return held[place(r.Topic, r.Partition, r.Offset)] })
	return n
}

func changeOf(t testing.TB, value []byte) (c verify.Change) {
	t.Helper()
	done(t, json.Unmarshal(value, &c))
	return c
}
