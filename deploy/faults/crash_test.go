package faults

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidemark/pkg/failpoint"
)

func crashes() []fault {
	return []fault{
		{"no fault", true, "every record is counted once: the figures of /metrics add up to what is in Kafka", noFault},
		{"kill -9 at each step of reading and storing", true, "the next start reads again from where the shards stand; steps that were done are not done again", func(t *testing.T, s *seen) {
			killedAt(t, s, failpoint.Assigned, failpoint.LettersAcked, failpoint.BeforeApply, failpoint.Prepared, failpoint.BeforeCommit, failpoint.AfterCommit, failpoint.Committed)
		}},
		{"kill -9 at each step of publishing", true, "what is in the outbox is published by the next start; a repeat has the same bytes", func(t *testing.T, s *seen) {
			killedAt(t, s, failpoint.RelayRead, failpoint.RelayFirstAck, failpoint.RelaySecondAck, failpoint.RelayTrimmed, failpoint.BeforeSweep)
		}},
		{"kill -9 around checkpoints and single calls of Redis", false, "as above; the group's offsets never run ahead of the shards", func(t *testing.T, s *seen) {
			killedAt(t, s, failpoint.BeforeMark, failpoint.Checkpointed, failpoint.GroupCommitted, failpoint.BeforeTrip, failpoint.AfterTrip, failpoint.BeforeGroupStop)
		}},
	}
}

// noFault is the baseline, and the one run in which an instance's figures are whole.
func noFault(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	i := w.serve()
	tr := w.traffic(usualMix(1))
	w.flowing(100)
	tr.stop()
	r := w.verified()
	if r.Repeats > 0 {
		t.Errorf("%d tier changes came again", r.Repeats)
	}
	s.figure("%s", i.sums(w))
	s.recovered = w.fresh()
	i.stop()
}

// killedAt lets an instance kill itself at each of the places in turn, under traffic.
func killedAt(t *testing.T, s *seen, places ...string) {
	t.Helper()
	w := newWorld(t, setup{})
	tr := w.traffic(usualMix(2))
	rng := rand.New(rand.NewPCG(7, 7))
	for _, place := range places {
		i := w.start(fmt.Sprintf("TIDEMARK_TEST_FAILPOINT=%s:kill:%d", place, pass(place, rng)))
		if place == failpoint.BeforeGroupStop {
			w.flowing(20)
			i.signal(syscall.SIGTERM)
		}
		i.wait(90 * time.Second)
		if status, ok := i.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("%s: ended with %v, want a kill\n%s", place, i.end, logTail(i.log))
		}
	}
	i := w.serve()
	s.recovered = w.fresh()
	w.flowing(20)
	tr.stop()
	r := w.verified()
	s.figure("killed at %s", strings.Join(places, ", "))
	s.figure("%d events, %d tier changes, %d repeats", r.Events, r.Changes, r.Repeats)
	i.stop()
}

// pass is at which pass of a place it happens: late enough that something is under way.
func pass(place string, rng *rand.Rand) int {
	switch place {
	case failpoint.Assigned, failpoint.BeforeGroupStop:
		return 1
	case failpoint.BeforeMark, failpoint.Checkpointed, failpoint.GroupCommitted, failpoint.LettersAcked, failpoint.BeforeSweep:
		return 2 + rng.IntN(3)
	case failpoint.BeforeTrip, failpoint.AfterTrip:
		return 50 + rng.IntN(400)
	}
	return 5 + rng.IntN(20)
}
