package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidemark/deploy/testenv"
	"tidemark/streams/sink"
)

// Redis loses what it wrote last, after steps of MQAs were published: with `serve`
// running, and with it killed too. No step has two meanings, and the desk goes on from
// what was published.
func TestDeskStandsBehindWhatWasPublished(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "routing.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, shortClock, "8s"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := testenv.StartRedisFor(t)
	w := newWorld(t, servers.Kafka(t).Addr(), r.Addr(), writeModel(t, visitors), 2, "TIDEMARK_ROUTING="+path)
	i := w.serve()
	i.await(`"message":"routing"`)
	w.comes(0, 8)
	w.awaitSteps("opened", 8)
	for round, killed := range []bool{false, true, false} {
		size := aofSize(t, r)
		first := 8 * (round + 1)
		w.comes(first, first+8)
		w.awaitSteps("opened", first+8)
		w.said("accept", first-8) // of the round before: the desk has it, and loses that
		w.said("ack", first)
		w.said("reject", first+1)
		w.awaitSteps("accepted", round+1)
		w.awaitSteps("acknowledged", round+1)
		w.awaitSteps("rejected", round+1)
		if killed {
			i.kill()
		}
		if err := errors.Join(r.Kill(), r.CutAOF(aofSize(t, r)-size), r.Restart()); err != nil {
			t.Fatal(err)
		}
		if killed {
			i = w.serve()
		}
		w.said("accept", first) // whoever has not noticed
		w.comes(1000+round, 1001+round)
	}
	i.await("what was published stands, it goes on behind it")
	const all = 32 + 3
	eventually(t, 90*time.Second, func() error { return w.agrees(all) })
	eventually(t, 90*time.Second, func() error { // every promise is kept or told to be broken
		for life, steps := range w.lives() {
			last := steps[len(steps)-1].Data
			if names := names(steps); !last.Breached && last.State == "opened" {
				return fmt.Errorf("%s: %s", life, names)
			}
		}
		return w.agrees(all)
	})
	i.stop()
}

// comes makes MQAs of accounts with these numbers.
func (w *world) comes(from, to int) {
	w.t.Helper()
	var events []sink.Message
	for n := from; n < to; n++ {
		events = append(events, act(fmt.Sprintf("a%d.example", n), fmt.Sprint("v", n), "visit", time.Now()))
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, events)
}

// said does a command to an account, once it can be done.
func (w *world) said(verb string, n int) {
	w.t.Helper()
	args := []string{"mqas", verb, fmt.Sprintf("a%d.example", n)}
	if verb == "reject" {
		args = append(args, "--reason", "not-now")
	}
	eventually(w.t, 60*time.Second, func() error {
		if out, code := w.mqas(args...); code != exitDone {
			return fmt.Errorf("exit %d: %s", code, out)
		}
		return nil
	})
}

// awaitSteps waits until so many MQAs were told to have taken a step.
func (w *world) awaitSteps(step string, want int) {
	w.t.Helper()
	eventually(w.t, 60*time.Second, func() error {
		got := 0
		for _, steps := range w.lives() {
			if strings.Contains(names(steps), step) {
				got++
			}
		}
		if got < want {
			return fmt.Errorf("%d MQAs %s, want %d", got, step, want)
		}
		return nil
	})
}

// agrees reports whether the desk is what was published of it.
func (w *world) agrees(accounts int) error {
	lives := w.lives()
	if len(lives) != accounts {
		return fmt.Errorf("%d MQAs, want %d", len(lives), accounts)
	}
	out, code := w.mqas("mqas", "list", "--json")
	if code != exitDone {
		return fmt.Errorf("exit %d: %s", code, out)
	}
	listed := 0
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); listed++ {
		var m struct {
			Account, State, Owner string
			Seq                   uint64
			Breached              bool
		}
		if err := d.Decode(&m); err != nil {
			return fatal{fmt.Errorf("%w in %s", err, out)}
		}
		steps := lives[fmt.Sprintf("%s/%d", m.Account, m.Seq)]
		if len(steps) == 0 {
			return fmt.Errorf("nothing was published of %s/%d", m.Account, m.Seq)
		}
		last := steps[len(steps)-1]
		if last.Data.State != m.State || last.Data.Owner != m.Owner || last.Data.Breached != m.Breached {
			return fmt.Errorf("%s is %s, owner %s, breached %v; on the desk %s, owner %s, breached %v", last.ID,
				last.Data.State, last.Data.Owner, last.Data.Breached, m.State, m.Owner, m.Breached)
		}
	}
	if listed != accounts {
		return fmt.Errorf("%d MQAs on the desk, want %d", listed, accounts)
	}
	return nil
}

// aofSize is how many bytes the append-only file has.
func aofSize(t *testing.T, r *testenv.Redis) (size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.Dir(), "appendonlydir", "*.incr.aof"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}
