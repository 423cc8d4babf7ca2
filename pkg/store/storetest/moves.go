package storetest

import (
	"testing"

	"tidemark/pkg/engine"
)

func positions(t *testing.T, open Peers) {
	s := open()
	p0, p12, q := in, engine.Partition{Topic: "in", ID: 12}, engine.Partition{Topic: "other.topic-2", ID: 0}
	must(t, s, engine.Step{Shard: 1, Moves: []engine.Move{{Partition: p0, From: 0, To: 5}, {Partition: p12, From: 0, To: 1 << 60}}})
	must(t, s, engine.Step{Shard: 1, Moves: []engine.Move{{Partition: p12, From: 1 << 60, To: 1<<60 + 1}, {Partition: q, From: 0, To: 3}}})
	must(t, s, engine.Step{Shard: 2, Moves: []engine.Move{{Partition: p0, From: 0, To: 9}}})
	wantPositions(t, s, 0, nil)
	wantPositions(t, s, 1, map[engine.Partition]int64{p0: 5, p12: 1<<60 + 1, q: 3})
	wantPositions(t, s, 2, map[engine.Partition]int64{p0: 9})
	must(t, s, engine.Step{Shard: 2, Moves: []engine.Move{{Partition: p0, From: 9, To: 4}}}) // back is the engine's business
	wantPositions(t, s, 2, map[engine.Partition]int64{p0: 4})
}

func stale(t *testing.T, open Peers) {
	s := open()
	must(t, s, engine.Step{Moves: move(0, 10), Writes: []engine.Write{put("a", 0, "A")}})
	w := put("a", 1, "never")
	w.Due, w.Profile, w.Tier = 1, []byte("never"), "never"
	for _, from := range []int64{0, 9, 11} {
		out := commit(t, s, engine.Step{
			Moves: move(from, 20), Writes: []engine.Write{w}, Outbox: []engine.Message{{Account: "a"}},
		})
		wantResult(t, out, engine.Stale)
	}
	wantRecord(t, s, 0, "a", 1, "A", "")
	wantDue(t, s, 0, 100, 10)
	wantPositions(t, s, 0, map[engine.Partition]int64{in: 10})
	must(t, s, engine.Step{Moves: move(10, 20), Writes: []engine.Write{put("a", 1, "AA")}})
}

func staleOfMany(t *testing.T, open Peers) {
	s := open()
	p1 := engine.Partition{Topic: "in", ID: 1}
	must(t, s, engine.Step{Moves: []engine.Move{{Partition: in, From: 0, To: 10}}})
	// One at its end and one at its beginning is neither done nor to be done.
	out := commit(t, s, engine.Step{
		Moves: []engine.Move{{Partition: in, From: 0, To: 10}, {Partition: p1, From: 0, To: 7}}, Writes: []engine.Write{put("a", 0, "never")},
	})
	wantResult(t, out, engine.Stale)
	wantRecord(t, s, 0, "a", 0, "", "")
	wantPositions(t, s, 0, map[engine.Partition]int64{in: 10})
}

func repeated(t *testing.T, open Peers) {
	s := open()
	step := engine.Step{
		Moves: move(0, 10), Writes: []engine.Write{put("a", 0, "A")}, Outbox: []engine.Message{{Account: "a", Value: []byte("m")}},
	}
	for range 3 {
		must(t, s, step)
	}
	wantRecord(t, s, 0, "a", 1, "A", "")
	must(t, s, engine.Step{Moves: move(10, 20), Writes: []engine.Write{put("a", 1, "AA")}})
	wantResult(t, commit(t, s, step), engine.Stale) // a late copy
	wantRecord(t, s, 0, "a", 2, "AA", "")
	wantOutbox(t, s, 0, "m")
}

func doneByAnother(t *testing.T, open Peers) {
	one, two := open(), open()
	must(t, one, engine.Step{Moves: move(0, 10), Writes: []engine.Write{put("a", 0, "one")}})
	out := must(t, two, engine.Step{Moves: move(0, 10), Writes: []engine.Write{put("a", 0, "two"), put("b", 0, "two")}})
	if !out.Shared {
		t.Error("the step was another's, but Shared is false")
	}
	wantRecord(t, two, 0, "a", 1, "one", "")
	wantRecord(t, two, 0, "b", 0, "", "")
}

func onlyMoves(t *testing.T, open Peers) {
	s := open()
	for range 2 {
		must(t, s, engine.Step{Moves: move(0, 10)})
	}
	wantPositions(t, s, 0, map[engine.Partition]int64{in: 10})
	must(t, s, engine.Step{Moves: move(10, 10)})
	wantPositions(t, s, 0, map[engine.Partition]int64{in: 10})
}

func fence(t *testing.T, open Peers) {
	s := open()
	must(t, s, engine.Step{Moves: move(0, 10)})
	must(t, s, engine.Step{Moves: move(10, 10), Writes: []engine.Write{put("a", 0, "A")}})
	wantRecord(t, s, 0, "a", 1, "A", "")
	wantResult(t, commit(t, s, engine.Step{Moves: move(9, 9), Writes: []engine.Write{put("a", 1, "never")}}), engine.Stale)
	wantRecord(t, s, 0, "a", 1, "A", "")
}
