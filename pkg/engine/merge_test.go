package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"tidemark/pkg/engine"
	"tidemark/scoring"
)

// merged says that an account went into another.
func merged(p engine.Partition, offset int64, account, into string, at int64) engine.Input {
	return input(p, offset, &scoring.Event{Kind: scoring.KindMerge, Type: "account.merged", Account: account, Into: into, Time: at})
}

// Merges and late identification end as in one file too, whatever fails on the way.
func TestTwoEnginesMergeAsOneFileDoes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 12))
			log := drawMerges(r, drawLog(r, 150+r.IntN(250)))
			s := spec()
			s.Identity.Late = seed%2 == 0
			endAsOneFileDoes(t, r, s, log, log[len(log)-1].Event.Time+12*day)
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

// drawMerges turns some of a log's inputs into merges, and gives some profiles domains.
func drawMerges(r *rand.Rand, log []engine.Input) []engine.Input {
	firm := func() string { return fmt.Sprintf("firm%d.example", r.IntN(14)) }
	for i := range log {
		e := log[i].Event
		switch {
		case e.Kind == scoring.KindProfile && r.IntN(2) == 0:
			e.Profile.Domains = []string{firm(), firm()}
		case r.IntN(25) == 0:
			in := merged(log[i].Partition, log[i].Offset, e.Account, firm(), e.Time)
			if in.Event.Into == in.Event.Account { // never comes from the codec
				in.Event.Into = "other.example"
			}
			in.Event.Arrived = e.Arrived
			log[i] = in
		}
	}
	return log
}

// Where the engines do not hear of each other's merges at once, an event may come late to
// its heir, so crossings may differ: but every event counts, and once.
func TestTwoEnginesThatHearLateOfMergesCountTheSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 13))
			log := drawMerges(r, drawLog(r, 150+r.IntN(250)))
			until := log[len(log)-1].Event.Time
			_, scores := score(t, spec(), log, until)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, r, spec(), log)
				w.live(until)
				for name, s := range scores {
					wantScore(t, w.memory, name, until, s.Score)
				}
			})
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}
