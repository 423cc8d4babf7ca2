package faults

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidemark/deploy/faults/verify"
	"tidemark/pkg/failpoint"
	"tidemark/pkg/store"
)

func models() []fault {
	return []fault{
		{"a new model, kill -9 at each step while accounts are put under it", true, "each account is moved once, at the instant of the change, and before any event that is read after it", func(t *testing.T, s *seen) {
			killedAtAChange(t, s, failpoint.BeforeApply, failpoint.Prepared, failpoint.BeforeCommit, failpoint.AfterCommit, failpoint.Committed)
		}},
	}
}

// changed are the accounts of a change of the model.
const changed = 3000

// killedAtAChange changes the model of accounts at rest, kills instances while they put
// accounts under it, and lets every third account have an event meanwhile.
func killedAtAChange(t *testing.T, s *seen, places ...string) {
	t.Helper()
	first := filepath.Join("testdata", "change.yaml")
	w := newWorld(t, setup{model: first})
	i := w.serve()
	w.eachOnce(changed, time.Now().Add(-5*time.Second))
	w.settled(changed)
	i.stop()
	text, err := os.ReadFile(first)
	done(t, err)
	next := filepath.Join(t.TempDir(), "change.yaml")
	done(t, os.WriteFile(next, []byte(strings.NewReplacer("version: 1", "version: 2", "min: 40", "min: 60").Replace(string(text))), 0o600))
	w.env = append(w.env, "TIDEMARK_MODEL="+next)
	for n, place := range places {
		i := w.start(fmt.Sprintf("TIDEMARK_TEST_FAILPOINT=%s:kill:%d", place, 4+2*n))
		w.thirds(n, len(places))
		i.wait(90 * time.Second)
		if status, ok := i.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("%s: ended with %v, want a kill\n%s", place, i.end, logTail(i.log))
		}
		if n == 0 && w.inForce().Adopted {
			t.Error("all accounts are under the new model before the first kill")
		}
	}
	i = w.serve()
	s.recovered = w.fresh()
	eventually(t, time.Minute, func() error {
		if m := w.inForce(); !m.Adopted || m.Version != "2" {
			return cmp.Or(w.alive(), fmt.Errorf("the model in force is %s, adopted: %v", m.Version, m.Adopted))
		}
		return nil
	})
	w.drained()
	repeats := w.movedOnce(w.inForce().EffectiveAt)
	s.figure("killed at %s; %d accounts, a third of them with an event meanwhile; %d repeats", strings.Join(places, ", "), changed, repeats)
	i.stop()
}

// thirds publishes part n of an event of every third account.
func (w *world) thirds(n, parts int) {
	var batch []message
	for k := 3 * n; k < changed; k += 3 * parts {
		account := fmt.Sprintf("firm-%d.example", k)
		batch = append(batch, message{Key: []byte(account), Value: event(fmt.Sprintf("later%d", k), "engagement.page_view", time.Now(), account, "{}")})
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, batch...)
}

func (w *world) inForce() (m store.Model) {
	w.t.Helper()
	eventually(w.t, 30*time.Second, func() error {
		s, err := w.openStore()
		if err != nil {
			return err
		}
		defer s.Close() //nolint:errcheck // only read from
		var found bool
		if m, found, err = s.LatestModel(w.t.Context()); err == nil && !found {
			err = errors.New("no model")
		}
		return err
	})
	return m
}

// movedOnce wants each account to have risen by its first event, to have fallen by the
// change at its instant, and every third to have risen again.
func (w *world) movedOnce(at int64) (repeats int) {
	w.t.Helper()
	var path [changed]string
	last := map[string]string{}
	w.each(w.cfg.Kafka.Topics.TierChanges, func(r verify.Record) {
		d := changeOf(w.t, r.Value)
		var k int
		if _, err := fmt.Sscanf(d.Data.Account, "firm-%d.example", &k); err != nil {
			return // one that is fresh
		}
		if before, again := last[d.ID]; again {
			if repeats++; before != string(r.Value) {
				w.t.Errorf("%s has two meanings", d.ID)
			}
			return
		}
		last[d.ID] = string(r.Value)
		path[k] += fmt.Sprintf("%d:%s>%s %s;", d.Data.Seq, d.Data.From, d.Data.To, d.Data.Cause.Kind)
		if d.Data.Cause.Kind == "model" && d.Time.UnixMilli() != at {
			w.t.Errorf("%s is of %s, want the instant of the change, %s", d.ID, d.Time, time.UnixMilli(at))
		}
	})
	for k, got := range path {
		want := "1:C>B event;2:B>C model;"
		if k%3 == 0 {
			want += "3:C>A event;"
		}
		if got != want {
			w.t.Errorf("firm-%d.example went %s want %s", k, got, want)
		}
	}
	return repeats
}
