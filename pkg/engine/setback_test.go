package engine_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"tidemark/pkg/engine"
	"tidemark/pkg/offline"
	"tidemark/scoring"
)

// Half of the shards are on a node that loses what it wrote last, while
// two engines merge accounts of all shards, and die. Every event counts, and once.
func TestMergesOutliveANodeThatIsSetBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 14))
			log := treeOfMerges(r, drawLog(r, 100+r.IntN(120)))
			until := log[len(log)-1].Event.Time
			s := faint()
			s.Identity.Late = false
			_, scores := score(t, s, log, until)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, r, s, log)
				w.losing, w.told = true, true
				w.live(until)
				w.countedAll(scores, until)
			})
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

// countedAll wants every account to have the score that a sequential run left it.
func (w *world) countedAll(scores map[string]offline.Score, until int64) {
	w.t.Helper()
	for name, want := range scores {
		a := standing(w.t, w.memory, w.past, w.model, name)
		if a == nil {
			w.t.Errorf("%s is not stored", name)
		} else if got := w.model.Score(a, until); math.Abs(got-want.Score) > 1e-9 {
			w.t.Errorf("score of %s: got %v, want %v", name, got, want.Score)
		}
	}
}

// faint is a model in which nothing is capped, so that each event is seen in the score.
func faint() scoring.Spec {
	s := spec()
	s.Groups[0].Cap = nil
	for i := range s.Signals {
		s.Signals[i].Points /= 200
	}
	for i := range s.Tiers[:2] {
		s.Tiers[i].Min = ptr(*s.Tiers[i].Min / 50)
	}
	s.Tiers[0].Hysteresis = 0.1
	s.Committee.PointsPerRole = 0.01
	return s
}

// treeOfMerges makes of a log one whose end does not depend on who reads first: each
// account goes into a later one and once at most, no event is repeated and nothing is
// erased. All of it happens within hours, as what is read again is known by its
// identity until the next day.
func treeOfMerges(r *rand.Rand, log []engine.Input) []engine.Input {
	gone := map[string]bool{}
	for i := range log {
		e := log[i].Event
		e.ID, e.Time = fmt.Sprint("e", i), start+int64(i)*scoring.Minute
		e.Arrived = e.Time
		var from, into int
		if _, err := fmt.Sscanf(e.Account, "firm%d.example", &from); err != nil {
			panic(err)
		}
		into = from + 1 + r.IntN(4)
		switch {
		case e.Kind == scoring.KindTombstone:
			e.Kind, e.Profile = scoring.KindProfile, &scoring.Profile{}
		case e.Kind == scoring.KindEvent && r.IntN(12) == 0 && !gone[e.Account]:
			gone[e.Account] = true
			log[i] = merged(log[i].Partition, log[i].Offset, e.Account, fmt.Sprintf("firm%d.example", into), e.Time)
		}
	}
	return log
}

// node are the shards of the node that is set back.
var node = []int{0, 2, 4, 6}

// lose sets the node back to where it was last saved, once, or saves it. Its
// server is another one then, so all engines begin anew, and what is read again they
// read in the order of the log. What comes of leads is for lead_test.go.
func (w *world) lose() {
	if w.setBack == nil || w.one(6) {
		w.setBack = w.memory.Save(node...)
		return
	}
	if w.lost || !w.one(8) {
		return
	}
	w.setBack()
	w.setBack = nil
	w.lost = true
	w.done = 0
	for i := range w.engines {
		w.boot(i)
	}
	for i := range w.engines {
		w.takeOver(i)
	}
}

// fatal reports whether an engine that returned the error begins anew.
func fatal(err error) bool {
	return errors.As(err, new(broken)) || errors.Is(err, engine.ErrRewound)
}
