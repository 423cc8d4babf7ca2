package faults

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidemark/deploy/faults/verify"
	"tidemark/pkg/engine"
)

// dueVariable is how many accounts are due in the same second.
const dueVariable = "TIDEMARK_TEST_FAULTS_DUE"

func dueAccounts(t testing.TB) int {
	t.Helper()
	if text := os.Getenv(dueVariable); text != "" {
		n, err := strconv.Atoi(text)
		done(t, err)
		return n
	}
	if everything() {
		return 1_000_000
	}
	return 20_000
}

// dueModel lets an account rise by one event and fall an hour later, by time alone.
var dueModel = filepath.Join("testdata", "due.yaml")

// sameSecond lets many accounts fall within a second, by a clock that is set ahead
// once all are stored.
func sameSecond(t *testing.T, s *seen) {
	accounts := dueAccounts(t)
	w, c := newWorld(t, setup{model: dueModel}), newClock(t)
	i := w.serve(c.setting())
	w.eachOnce(accounts, time.Now())
	w.settled(accounts)
	peak := i.peak()
	due := time.Now()
	c.wrong(time.Hour)
	slowest := w.fresh()
	for w.published() < int64(2*accounts) {
		slowest = max(slowest, w.fresh())
	}
	s.recovered = time.Since(due)
	last := w.allFell(accounts, time.Hour).Sub(due)
	if slowest > 10*time.Second {
		t.Errorf("an event was scored after %s only", slowest)
	}
	memory := peak()
	if limit := 600e6 + 500*float64(accounts); memory > limit {
		t.Errorf("serve took %.0f MB, want at most %.0f", memory/1e6, limit/1e6)
	}
	s.figure("%d accounts; the last demotion was published %.1f s after its instant, %.0f a second; an event meanwhile was scored within %.1f s; serve took at most %.0f MB",
		accounts, last.Seconds(), float64(accounts)/last.Seconds(), slowest.Seconds(), memory/1e6)
	i.sums(w)
	i.stop()
}

// settled waits until every account has risen and nothing is left to do.
func (w *world) settled(accounts int) {
	w.t.Helper()
	eventually(w.t, 20*time.Minute, func() error {
		if n := w.published(); n < int64(accounts) {
			return cmp.Or(w.alive(), errorOf("%d tier changes published, want %d", n, accounts))
		}
		return nil
	})
	w.drained()
}

// eachOnce publishes an event of each account, all within a second.
func (w *world) eachOnce(accounts int, at time.Time) {
	w.t.Helper()
	var batch []message
	for n := range accounts {
		account := fmt.Sprintf("firm-%d.example", n)
		when := at.Add(time.Duration(n%1000) * time.Millisecond)
		batch = append(batch, message{Key: []byte(account), Value: event(fmt.Sprintf("e%d", n), "engagement.page_view", when, account, "{}")})
		if len(batch) == 20_000 || n+1 == accounts {
			w.publish(w.cfg.Kafka.Topics.Engagement, batch...)
			batch = batch[:0]
		}
	}
}

// allFell wants each account to have risen at its event and fallen after so long,
// in tier-changes and in the store, and returns when the last fall was published. The
// whole verifier would hold all of it in memory.
func (w *world) allFell(accounts int, after time.Duration) (last time.Time) {
	w.t.Helper()
	w.drained()
	rose := make(map[string]time.Time, accounts)
	down, repeats := make(map[string]bool, accounts), 0
	w.each(w.cfg.Kafka.Topics.TierChanges, func(r verify.Record) {
		c := changeOf(w.t, r.Value)
		d := &c.Data
		if strings.HasPrefix(d.Account, "canary-") {
			return
		}
		up, known := rose[d.Account]
		switch {
		case d.Seq == 1 && !known && d.Direction == "up":
			rose[d.Account] = c.Time
		case d.Seq == 2 && known && d.Direction == "down" && !down[d.Account]:
			down[d.Account] = true
			if got := c.Time.Sub(up); got < after || got > after+5*time.Millisecond {
				w.t.Errorf("%s fell %s after it rose, want %s", d.Account, got, after)
			}
			if r.Time.After(last) {
				last = r.Time
			}
		case d.Seq <= 2:
			repeats++
		default:
			w.t.Errorf("%s is not wanted", c.ID)
		}
	})
	for n := range accounts {
		if account := fmt.Sprintf("firm-%d.example", n); !down[account] {
			w.t.Fatalf("%s did not fall", account)
		}
	}
	if repeats > 0 {
		w.t.Errorf("%d tier changes came again", repeats)
	}
	w.allLow(accounts)
	return last
}

// allLow wants the store to hold each account in the last tier with seq 2.
func (w *world) allLow(accounts int) {
	w.t.Helper()
	store, err := w.openStore()
	done(w.t, err)
	defer store.Close() //nolint:errcheck // only read from
	const part = 50_000
	for first := 0; first < accounts; first += part {
		var names []string
		for n := first; n < min(first+part, accounts); n++ {
			names = append(names, fmt.Sprintf("firm-%d.example", n))
		}
		states, err := w.states(store, names, time.Now().UnixMilli())
		done(w.t, err)
		for _, name := range names {
			if got := states[name]; got.Seq != 2 || got.Tier != "C" {
				w.t.Fatalf("%s is stored in tier %q with seq %d, want C with 2", name, got.Tier, got.Seq)
			}
		}
	}
}

// peak watches the memory of a process until the function it returns is called,
// which says the most it was.
func (i *instance) peak() func() float64 {
	stop, most := make(chan struct{}), 0.0
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			if figures, err := i.metrics(); err == nil {
				most = max(most, figures["process_resident_memory_bytes"])
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
			}
		}
	})
	end := sync.OnceFunc(func() { close(stop); watching.Wait() })
	i.t.Cleanup(end)
	return func() float64 { end(); return most }
}

// each calls f for every record of a topic, partition by partition, and holds none.
func (w *world) each(topic string, f func(verify.Record)) {
	w.t.Helper()
	first, next, err := w.bounds(topic)
	done(w.t, err)
	for p := range len(next) {
		if first[p] < next[p] {
			w.eachOf(engine.Partition{Topic: topic, ID: p}, first[p], next[p], f)
		}
	}
}
