package faults

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tidemark/pkg/engine"
)

func dataFaults() []fault {
	return []fault{
		{"nothing but poison", false, "every record becomes one dead letter, positions move on, good events after it count", allPoison},
		{"oversize records", true, "cut dead letters with size and hash; nothing is held up", oversize},
		{"a hot account with 90 % of the traffic", false, "its history is as exact as any; the others are not held up", hotAccount},
		{"many accounts due in the same second", true, "all demotions are published, each with its own instant; events meanwhile are scored, memory is bounded", sameSecond},
		{"clock stepped an hour ahead, back, and an hour behind", false, "while it is ahead, what decays within the hour is published early, at its true instant; none once it is back. While it is behind, demotions wait and events are dead letters (`future_time`)", clockStepped},
		{"a day's backlog with demotions due meanwhile", false, "no demotion is published that an event still to be read contradicts: the history is that of a live run", dayBehind},
	}
}

func errorOf(format string, args ...any) error { return fmt.Errorf(format, args...) }

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

// dayBehind reads a day's events, with half-lives of hours, while the instance dies
// and the broker stops: much is due by the clock that its evidence forbids.
func dayBehind(t *testing.T, s *seen) {
	k, _ := victims.hold(t)
	w := newWorld(t, setup{brokers: k.Addr(), model: filepath.Join("testdata", "day.yaml")})
	total := w.backlogOf(55, 16_000, 24*time.Hour, 1100)
	for range 3 {
		// Little is read ahead and little applied at once, so that a broker that stops
		// is felt at once and most of the backlog is still to come.
		i := w.start("TIDEMARK_ENGINE_MAX_BATCH=10", "TIDEMARK_KAFKA_FETCH_MAX_BYTES=16KiB", "TIDEMARK_KAFKA_FETCH_BUFFER_EVENTS=50")
		i.await(`"message":"partitions assigned"`)
		done(t, k.Pause())
		lasts(2 * time.Second)
		before := w.applied()
		done(t, k.Resume())
		eventually(t, time.Minute, func() error {
			if now := w.applied(); now < before+200 {
				return cmp.Or(w.alive(), errorOf("%d inputs are applied, %d were before the broker went on", now, before))
			}
			return nil
		})
		i.kill()
		if now := w.applied(); now >= total {
			t.Fatalf("all %d inputs are applied: the faults came too late to show anything", now)
		}
	}
	left := total - w.applied()
	i := w.serve()
	s.recovered = w.drained()
	r := w.verified(inOrder, notLate)
	s.figure("%d events of a day, %d left after the third crash; %d tier changes as in a live run, %d repeats", r.Events, left, r.Changes, r.Repeats)
	i.stop()
}

// applied is how many records of the input topics the foremost shards have passed.
func (w *world) applied() (sum int64) {
	w.t.Helper()
	store, err := w.openStore()
	done(w.t, err)
	defer store.Close() //nolint:errcheck // only read from
	positions, err := store.Positions(w.t.Context())
	done(w.t, err)
	foremost := map[engine.Partition]int64{}
	for _, at := range positions {
		for p, n := range at {
			if slices.Contains(w.inputs(), p.Topic) {
				foremost[p] = max(foremost[p], n)
			}
		}
	}
	for _, n := range foremost {
		sum += n
	}
	return sum
}
