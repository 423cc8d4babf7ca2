package storetest

import (
	"bytes"
	"testing"

	"tidemark/pkg/engine"
)

func emptyStore(t *testing.T, open Peers) {
	s := open()
	if s.Shards() < 4 {
		t.Fatalf("got %d shards, want at least 4", s.Shards())
	}
	for shard := range s.Shards() {
		wantPositions(t, s, shard, nil)
	}
	wantRecord(t, s, 0, "a", 0, "", "")
	wantDue(t, s, 0, engine.NoDue-1, 10)
	if got := load(t, s, 1); len(got) != 0 {
		t.Errorf("loaded %v, asked for nothing", got)
	}
	if got := s.Commit(t.Context(), nil); len(got) != 0 {
		t.Errorf("got outcomes %v of no step", got)
	}
	must(t, s, engine.Step{Shard: 2}) // a step without content is done
}

func loadOrder(t *testing.T, open Peers) {
	s := open()
	must(t, s, engine.Step{Writes: []engine.Write{put("a", 0, "A"), put("b", 0, "B")}})
	got := load(t, s, 0, "b", "none", "a", "b")
	for i, want := range []struct{ account, state string }{{"b", "B"}, {"none", ""}, {"a", "A"}, {"b", "B"}} {
		if got[i].Account != want.account || string(got[i].State) != want.state {
			t.Errorf("record %d: got %s %q, want %s %q", i, got[i].Account, got[i].State, want.account, want.state)
		}
	}
	wantRecord(t, s, 1, "a", 0, "", "") // an account of another shard is not stored here
}

func wholeStep(t *testing.T, open Peers) {
	s := open()
	w := put("a", 0, "A")
	w.Due, w.Profile = 70, []byte("P")
	must(t, s, engine.Step{
		Shard: 3, Moves: move(0, 10), Writes: []engine.Write{w, put("b", 0, "B")},
		Outbox: []engine.Message{{Account: "a", Value: []byte("m")}},
	})
	other := open()
	wantRecord(t, other, 3, "a", 1, "A", "P")
	wantRecord(t, other, 3, "b", 1, "B", "")
	wantPositions(t, other, 3, map[engine.Partition]int64{in: 10})
	wantDue(t, other, 3, 70, 10, engine.Due{Account: "a", At: 70})
}

func anyBytes(t *testing.T, open Peers) {
	s := open()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	account := "ü \x00{}:\r\n"
	state := bytes.Clone(all)
	must(t, s, engine.Step{Writes: []engine.Write{{Account: account, State: state, Profile: all, Due: 1}}})
	clear(state) // the store must not keep the caller's memory
	r := load(t, s, 0, account)[0]
	if !bytes.Equal(r.State, all) || !bytes.Equal(r.Profile, all) {
		t.Errorf("got state %x profile %x, want %x twice", r.State, r.Profile, all)
	}
	wantDue(t, s, 0, 1, 1, engine.Due{Account: account, At: 1})

	must(t, s, engine.Step{Writes: []engine.Write{{Account: "empty", State: []byte{}, Due: engine.KeepDue}}})
	if r := load(t, s, 0, "empty")[0]; r.State == nil || len(r.State) != 0 || r.Version != 1 {
		t.Errorf("an empty state came back as %v, version %d", r.State, r.Version)
	}
}

func versions(t *testing.T, open Peers) {
	s := open()
	for was := range uint64(300) { // past one byte
		must(t, s, engine.Step{Writes: []engine.Write{put("a", was, "A")}})
	}
	wantRecord(t, s, 0, "a", 300, "A", "")
}

func profiles(t *testing.T, open Peers) {
	s := open()
	for i, step := range []struct {
		profile []byte
		want    string
	}{
		{[]byte("P1"), "P1"}, {nil, "P1"}, {[]byte("P2"), "P2"}, {[]byte{}, ""}, {nil, ""}, {[]byte("P3"), "P3"},
	} {
		w := put("a", uint64(i), "A")
		w.Profile = step.profile
		must(t, s, engine.Step{Writes: []engine.Write{w}})
		wantRecord(t, s, 0, "a", uint64(i)+1, "A", step.want)
	}
}

func removal(t *testing.T, open Peers) {
	s := open()
	w := put("a", 0, "A")
	w.Profile, w.Due, w.Tier = []byte("P"), 5, "hot"
	must(t, s, engine.Step{Moves: move(0, 1), Writes: []engine.Write{w, put("b", 0, "B")}})
	must(t, s, engine.Step{Moves: move(1, 2), Writes: []engine.Write{{Account: "a", Was: 1, Due: 9, Tier: "cold", Profile: []byte("Q")}}})
	wantRecord(t, s, 0, "a", 0, "", "")
	wantRecord(t, s, 0, "b", 1, "B", "")
	wantDue(t, s, 0, 10, 10)
	wantPositions(t, s, 0, map[engine.Partition]int64{in: 2})

	// Removing what is not stored is no conflict: it is as it was read.
	must(t, s, engine.Step{Writes: []engine.Write{{Account: "none", Was: 0}}})
}

func rebirth(t *testing.T, open Peers) {
	s := open()
	must(t, s, engine.Step{Writes: []engine.Write{put("a", 0, "A")}})
	must(t, s, engine.Step{Writes: []engine.Write{put("a", 1, "AA")}})
	must(t, s, engine.Step{Writes: []engine.Write{{Account: "a", Was: 2}}})
	must(t, s, engine.Step{Writes: []engine.Write{put("a", 0, "again")}})
	wantRecord(t, s, 0, "a", 1, "again", "")
}
