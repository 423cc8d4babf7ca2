package storetest

import (
	"strconv"
	"sync"
	"testing"

	"tidemark/pkg/engine"
)

func conflict(t *testing.T, open Peers) {
	one, two := open(), open()
	must(t, one, engine.Step{Writes: []engine.Write{put("a", 0, "one"), put("b", 0, "one")}})
	for _, was := range []uint64{0, 2} {
		w := put("b", was, "never")
		w.Due, w.Profile = 1, []byte("never")
		out := commit(t, two, engine.Step{
			Moves: move(0, 10), Writes: []engine.Write{put("new", 0, "never"), w}, Outbox: []engine.Message{{Account: "b"}},
		})
		wantResult(t, out, engine.Conflict)
		if !out.Shared {
			t.Error("a conflict is not shared")
		}
	}
	wantRecord(t, two, 0, "new", 0, "", "")
	wantRecord(t, two, 0, "b", 1, "one", "")
	wantPositions(t, two, 0, nil)
	wantDue(t, two, 0, 10, 10)
	wantOutbox(t, two, 0)
	must(t, two, engine.Step{Moves: move(0, 10), Writes: []engine.Write{put("b", 1, "two")}})
}

func removalConflict(t *testing.T, open Peers) {
	one, two := open(), open()
	must(t, one, engine.Step{Writes: []engine.Write{put("a", 0, "one")}})
	must(t, two, engine.Step{Writes: []engine.Write{put("a", 1, "two")}})
	wantResult(t, commit(t, one, engine.Step{Writes: []engine.Write{{Account: "a", Was: 1}}}), engine.Conflict)
	wantRecord(t, one, 0, "a", 2, "two", "")
	must(t, one, engine.Step{Writes: []engine.Write{{Account: "a", Was: 2}}})
	wantResult(t, commit(t, two, engine.Step{Writes: []engine.Write{put("a", 2, "never")}}), engine.Conflict)
}

func ordered(t *testing.T, open Peers) {
	s := open()
	out := s.Commit(t.Context(), []engine.Step{
		{Shard: 1, Moves: move(0, 1), Writes: []engine.Write{put("a", 0, "1")}},
		{Shard: 0, Moves: move(0, 1), Writes: []engine.Write{put("b", 0, "1")}},
		{Shard: 1, Moves: move(1, 2), Writes: []engine.Write{put("a", 1, "2")}},
		{Shard: 1, Moves: move(2, 3), Writes: []engine.Write{put("a", 2, "3")}},
	})
	for _, o := range out {
		wantResult(t, o, engine.OK)
	}
	wantRecord(t, s, 1, "a", 3, "3", "")
	wantRecord(t, s, 0, "b", 1, "1", "")
	wantPositions(t, s, 1, map[engine.Partition]int64{in: 3})
}

func afterFailed(t *testing.T, open Peers) {
	s := open()
	must(t, s, engine.Step{Moves: move(0, 5), Writes: []engine.Write{put("a", 0, "A"), put("b", 0, "B")}})
	out := s.Commit(t.Context(), []engine.Step{
		{Moves: move(4, 6), Writes: []engine.Write{put("a", 1, "never")}}, // stale
		{Writes: []engine.Write{put("a", 2, "never")}},                    // rests on the one before
		{Writes: []engine.Write{put("b", 1, "BB")}},                       // does not
	})
	for i, want := range []engine.Result{engine.Stale, engine.Conflict, engine.OK} {
		if out[i].Result != want {
			t.Errorf("step %d: got result %d (%v), want %d", i, out[i].Result, out[i].Err, want)
		}
	}
	wantRecord(t, s, 0, "a", 1, "A", "")
	wantRecord(t, s, 0, "b", 2, "BB", "")
}

func alone(t *testing.T, open Peers) {
	s := open()
	must(t, s, engine.Step{Writes: []engine.Write{put("a", 0, "A")}}) // the first may be shared
	for was := uint64(1); was < 5; was++ {
		if out := must(t, s, engine.Step{Writes: []engine.Write{put("a", was, "A")}}); out.Shared {
			t.Errorf("shared at version %d, but nobody else is here", was)
		}
	}
}

func shared(t *testing.T, open Peers) {
	one, two := open(), open()
	must(t, one, engine.Step{Writes: []engine.Write{put("a", 0, "one")}})
	must(t, two, engine.Step{Writes: []engine.Write{put("b", 0, "two")}})
	for i, want := range []bool{true, false} {
		if out := must(t, one, engine.Step{Writes: []engine.Write{put("a", uint64(i)+1, "one")}}); out.Shared != want {
			t.Errorf("commit %d after another's: shared is %t, want %t", i+1, out.Shared, want)
		}
	}
}

func sharedByShard(t *testing.T, open Peers) {
	one, two := open(), open()
	for shard := range 2 {
		must(t, one, engine.Step{Shard: shard, Writes: []engine.Write{put("a", 0, "one")}})
	}
	must(t, two, engine.Step{Shard: 1, Writes: []engine.Write{put("b", 0, "two")}})
	out := one.Commit(t.Context(), []engine.Step{
		{Shard: 0, Writes: []engine.Write{put("a", 1, "one")}}, {Shard: 1, Writes: []engine.Write{put("a", 1, "one")}},
	})
	for shard, want := range []bool{false, true} {
		wantResult(t, out[shard], engine.OK)
		if out[shard].Shared != want {
			t.Errorf("shard %d: shared is %t, want %t", shard, out[shard].Shared, want)
		}
	}
}

// preparedBefore: a batch is being prepared from old records while the commit that
// will learn of the other writer is under way.
func preparedBefore(t *testing.T, open Peers) {
	one, two := open(), open()
	must(t, one, engine.Step{Writes: []engine.Write{put("a", 0, "one"), put("b", 0, "one")}})
	must(t, one, engine.Step{}) // what the first commit of all met is over
	must(t, two, engine.Step{Writes: []engine.Write{put("b", 1, "two")}})
	if out := must(t, one, engine.Step{Writes: []engine.Write{put("a", 1, "one")}}); !out.Shared {
		t.Fatal("another's write is not shared")
	}
	wantResult(t, commit(t, one, engine.Step{Writes: []engine.Write{put("b", 1, "never")}}), engine.Conflict)
	wantRecord(t, one, 0, "b", 2, "two", "")
}

func preparedTogether(t *testing.T, open Peers) {
	one, two := open(), open()
	must(t, one, engine.Step{Writes: []engine.Write{put("a", 0, "one"), put("b", 0, "one"), put("c", 0, "one")}})
	must(t, one, engine.Step{}) // what the first commit of all met is over
	must(t, two, engine.Step{Writes: []engine.Write{put("c", 1, "two")}})
	out := one.Commit(t.Context(), []engine.Step{
		{Writes: []engine.Write{put("a", 1, "one")}}, {Writes: []engine.Write{put("b", 1, "one")}}, {Writes: []engine.Write{put("c", 1, "never")}},
	})
	for i, want := range []engine.Result{engine.OK, engine.OK, engine.Conflict} {
		if out[i].Result != want {
			t.Errorf("step %d: got result %d (%v), want %d", i, out[i].Result, out[i].Err, want)
		}
	}
	wantRecord(t, one, 0, "c", 2, "two", "")
}

// noLostWrite lets processes count up the same accounts, each from what it loads.
func noLostWrite(t *testing.T, open Peers) {
	const processes, each = 3, 15
	var wg sync.WaitGroup
	for p := range processes {
		s := open()
		account := "common"
		wg.Go(func() {
			for done := 0; done < each; {
				records, err := s.Load(t.Context(), engine.Wanted{Accounts: []string{account}})
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(records[0].State))
				out := s.Commit(t.Context(), []engine.Step{{Writes: []engine.Write{
					put(account, records[0].Version, strconv.Itoa(n+1)),
				}, Outbox: []engine.Message{{Account: account, Value: []byte(strconv.Itoa(p))}}}})[0]
				switch out.Result {
				case engine.OK:
					done++
				case engine.Conflict:
				default:
					t.Errorf("got result %d (%v)", out.Result, out.Err)
					return
				}
			}
		})
	}
	wg.Wait()
	wantRecord(t, open(), 0, "common", processes*each, strconv.Itoa(processes*each), "")
}
