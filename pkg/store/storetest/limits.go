package storetest

import (
	"context"
	"testing"

	"tidemark/pkg/engine"
)

func noShard(t *testing.T, open Peers) {
	s := open()
	out := s.Commit(t.Context(), []engine.Step{
		{Shard: -1, Writes: []engine.Write{put("a", 0, "A")}},
		{Shard: s.Shards() - 1, Writes: []engine.Write{put("a", 0, "A")}},
		{Shard: s.Shards()},
	})
	for i, want := range []engine.Result{engine.Failed, engine.OK, engine.Failed} {
		if out[i].Result != want || (out[i].Err != nil) != (want == engine.Failed) {
			t.Errorf("step %d: got result %d (%v), want %d", i, out[i].Result, out[i].Err, want)
		}
	}
	if _, err := s.Load(t.Context(), engine.Wanted{Shard: s.Shards(), Accounts: []string{"a"}}); err == nil {
		t.Error("Load of a shard that is none succeeded")
	}
	if _, err := s.Due(t.Context(), []int{-1}, 0, 1); err == nil {
		t.Error("Due of a shard that is none succeeded")
	}
	if _, err := s.NextDue(t.Context(), []int{0, s.Shards()}); err == nil {
		t.Error("NextDue of a shard that is none succeeded")
	}
}

func endedContext(t *testing.T, open Peers) {
	s := open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := s.Commit(ctx, []engine.Step{{Moves: move(0, 1), Writes: []engine.Write{put("a", 0, "A")}}})[0]
	if out.Result != engine.Failed || out.Err == nil {
		t.Errorf("got result %d (%v), want Failed with an error", out.Result, out.Err)
	}
	if _, err := s.Load(ctx, engine.Wanted{Accounts: []string{"a"}}); err == nil {
		t.Error("Load with an ended context succeeded")
	}
	// Unknown outcome or not, the repeat is safe.
	must(t, s, engine.Step{Moves: move(0, 1), Writes: []engine.Write{put("a", 0, "A")}})
	wantRecord(t, s, 0, "a", 1, "A", "")
}

// largeStep is past every limit of the scripts' own: unpack, and pieces that do not
// divide evenly.
func largeStep(t *testing.T, open Peers) {
	const n = 4501 // twice as many arguments
	one, two := open(), open()
	accounts := numbered("a", n)
	step := engine.Step{Moves: move(0, n)}
	for i := range 300 {
		step.Moves = append(step.Moves, engine.Move{Partition: engine.Partition{Topic: "many", ID: i}, To: int64(i + 1)})
	}
	for i, account := range accounts {
		w := put(account, 0, account)
		w.Due, w.Profile, w.Tier = int64(i), []byte("P"), "hot"
		step.Writes = append(step.Writes, w)
	}
	must(t, one, step)
	for i, r := range load(t, one, 0, accounts...) {
		if r.Version != 1 || string(r.State) != accounts[i] || string(r.Profile) != "P" {
			t.Fatalf("record %d: got version %d state %q profile %q", i, r.Version, r.State, r.Profile)
		}
	}
	wantDue(t, one, 0, n-1, 1, engine.Due{Account: accounts[0], Tier: "hot"})

	removeAll := engine.Step{}
	for _, account := range accounts {
		removeAll.Writes = append(removeAll.Writes, engine.Write{Account: account, Was: 1})
	}
	must(t, two, removeAll)
	for _, r := range load(t, two, 0, accounts...) {
		if r.Version != 0 {
			t.Fatalf("%s is still stored", r.Account)
		}
	}
	wantDue(t, two, 0, n, 1)
}
