package faults

import (
	"syscall"
	"testing"

	"tidemark/deploy/testenv"
	"tidemark/pkg/failpoint"
)

func merges() []fault {
	return []fault{
		{"kill -9 at each step of a merge", true, "the next start goes on with the merge: what the loser left is the heir's, once", mergeKilled},
		{"kill -9 at each step of a merge, another instance running", true, "the same, whoever goes on with it", mergeKilledAmong},
		{"Redis set back among merges, two instances running", false, "a merge is done again or its estate is offered again; the heir has it once", mergeSetBack},
		{"node of a Redis Cluster set back among merges", false, "the estates that its heirs took and lost are offered again by the losers on other nodes; losers on it give again, and heirs elsewhere keep what they have", mergeNodeSetBack},
	}
}

// mergingMix has a merge every half second, among so few accounts that who goes has
// something to leave, and events under bare domains.
func mergingMix(seed uint64) mix {
	m := usualMix(seed)
	m.accounts, m.merges, m.nameless = 300, 0.008, 0.05
	return m
}

// twice are the places of a merge, each at an early and at a later pass.
var twice = []string{
	failpoint.EstateGiven + ":kill:2", failpoint.EstateTaken + ":kill:2", failpoint.EstateGiven + ":kill:6", failpoint.EstateTaken + ":kill:5",
}

// diesAt starts an instance and waits until it has killed itself.
func (w *world) diesAt(place string, extra ...string) {
	w.t.Helper()
	i := w.start(append(extra, "TIDEMARK_TEST_FAILPOINT="+place)...)
	i.wait(longestOutage)
	if status, ok := i.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		w.t.Fatalf("%s: ended with %v, want a kill\n%s", place, i.end, logTail(i.log))
	}
}

func mergeKilled(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	tr := w.traffic(mergingMix(61))
	for _, place := range twice {
		w.diesAt(place)
	}
	i := w.serve()
	w.mergedWell(s, tr)
	i.stop()
}

// mergeKilledAmong leaves bare domains out: an event that one instance has resolved may
// be applied when another has just moved the domain's account, and stays there then.
func mergeKilledAmong(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	m := mergingMix(62)
	m.nameless = 0
	tr := w.traffic(m)
	i := w.serve("TIDEMARK_KAFKA_INSTANCE_ID=steady")
	for _, place := range twice {
		w.diesAt(place, "TIDEMARK_KAFKA_INSTANCE_ID=dying")
	}
	w.mergedWell(s, tr)
	i.stop()
}

func mergeSetBack(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	m := mergingMix(63)
	m.nameless = 0
	tr := w.traffic(m)
	all := []*instance{w.serve("TIDEMARK_KAFKA_INSTANCE_ID=a"), w.serve("TIDEMARK_KAFKA_INSTANCE_ID=b")}
	for range 4 {
		w.flowing(200)
		done(t, r.Kill())
		done(t, r.CutAOF(min(aofSize(t, r)/3, 60_000)))
		done(t, r.Restart())
	}
	w.mergedWell(s, tr)
	for _, i := range all {
		i.stop()
	}
}

// mergeNodeSetBack cuts the file of one node of three, so that a third of the shards
// forgets what the others remember.
func mergeNodeSetBack(t *testing.T, s *seen) {
	c := testenv.StartRedisClusterFor(t)
	w := newWorld(t, setup{redis: c.Addrs()})
	tr := w.traffic(mergingMix(64))
	i := w.serve()
	for n := range 3 {
		w.flowing(200)
		node := c.Node(n)
		done(t, node.Kill())
		done(t, node.CutAOF(min(aofSize(t, node)/3, 30_000)))
		done(t, node.Restart())
	}
	w.mergedWell(s, tr)
	i.stop()
}

// mergedWell ends the traffic and verifies what is left.
func (w *world) mergedWell(s *seen, tr *traffic) {
	w.t.Helper()
	s.recovered = w.fresh()
	w.flowing(50)
	tr.stop()
	r := w.verified()
	if r.Merges < 5 {
		w.t.Errorf("%d merges are too few to show anything", r.Merges)
	}
	s.figure("%d merges, %d events, %d tier changes, %d repeats", r.Merges, r.Events, r.Changes, r.Repeats)
}
