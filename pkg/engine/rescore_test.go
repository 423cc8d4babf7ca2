package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

// stricter is another model of the same signals: its tiers lie higher, and one is new.
func stricter() scoring.Spec {
	s := spec()
	s.Version = 2
	s.Tiers = []scoring.TierSpec{{Name: "S", Min: ptr(85.0)}, {Name: "A", Min: ptr(60.0)}, {Name: "B", Min: ptr(45.0)}, {Name: "C"}}
	return s
}

// populate stores accounts in all tiers and returns their names.
func populate(t testing.TB, s *memory.Store, m *scoring.Model) []string {
	t.Helper()
	e := setup{memory: s, model: m}.engine(t)
	assign(t, e, web)
	var names []string
	var inputs []engine.Input
	for i := range 40 {
		name := fmt.Sprintf("firm%d.example", i)
		names = append(names, name)
		for range i % 5 {
			inputs = append(inputs, visit(web, int64(len(inputs)), name, start))
		}
	}
	process(t, e, round(inputs...))
	checkpoint(t, e)
	return names
}

// once is the past of a model that was changed once.
func once(before *scoring.Model, at int64) engine.Past {
	return engine.Past{Epoch: 1, Models: []engine.Before{{Model: before, Until: at}}}
}

// rescore puts all accounts under the engine's model.
func rescore(e *engine.Engine, scan engine.Scanner) error {
	for {
		more, err := e.Rescore(context.Background(), scan)
		if err != nil || !more {
			return err
		}
	}
}

// Rescoring goes through every account, whatever goes wrong on the way, and a
// repeat, after a crash anywhere, changes nothing more.
func TestRescoreMayBeRepeated(t *testing.T) {
	t.Parallel()
	before, after := compile(t, spec(), spec(), stricter()), compile(t, stricter(), spec(), stricter())
	past := once(before, start+hour)
	clean := memory.New(shards)
	populate(t, clean, before)
	e := setup{memory: clean, model: after}.engine(t)
	e.Inherit(past)
	assign(t, e, web)
	if err := rescore(e, clean); err != nil {
		t.Fatal(err)
	}
	if left, err := e.Unscored(t.Context()); left != 0 || err != nil {
		t.Fatalf("%d shards are left (%v)", left, err)
	}
	want := rawOutbox(t, clean)
	for name, fault := range map[string]faultKind{
		"failed before": failsBefore, "failed after": failsAfter, "conflict": saysConflict, "stale": saysStale,
		"died before": diesBefore, "died after": diesAfter,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memory.New(shards)
				names := populate(t, s, before)
				var n atomic.Int64
				f := &faulty{Store: s, step: func(engine.Step) faultKind {
					if k := n.Add(1); k == 3 || k == 5 || k == 8 || k == 13 {
						return fault
					}
					return fine
				}}
				for attempt := 0; ; attempt++ {
					e := setup{memory: s, store: f, model: after}.engine(t)
					e.Inherit(past)
					_, err := e.Assign(t.Context(), nil, whole(web))
					if err == nil {
						err = rescore(e, s)
					}
					if err == nil {
						break
					}
					if !errors.As(err, new(broken)) || attempt > 20 {
						t.Fatal(err)
					}
				}
				sameOutbox(t, rawOutbox(t, s), want)
				for _, name := range names {
					a, b := standing(t, s, past, after, name), standing(t, clean, past, after, name)
					if (a == nil) != (b == nil) || a != nil && (after.Tier(a) != after.Tier(b) || a.Clock != b.Clock || a.Seq != b.Seq) {
						t.Errorf("%s: got %+v, want %+v", name, a, b)
					}
				}
			})
		})
	}
}

// A shard counts as looked through when its last accounts are, and not before, though an
// engine that crashed has to look through it anew.
func TestRescoreIsResumed(t *testing.T) {
	t.Parallel()
	before, after := compile(t, spec(), spec(), stricter()), compile(t, stricter(), spec(), stricter())
	s := memory.New(2)
	e := setup{memory: s, model: before}.engine(t)
	assign(t, e, web)
	var inputs []engine.Input
	for i := range 1000 {
		inputs = append(inputs, visit(web, int64(i), fmt.Sprintf("firm%d.example", i), start))
	}
	process(t, e, round(inputs...))
	checkpoint(t, e)
	boot := func() *engine.Engine {
		e := setup{memory: s, model: after}.engine(t)
		e.Inherit(once(before, start+hour))
		assign(t, e, web)
		return e
	}
	e = boot()
	for i := range 3 {
		if more, err := e.Rescore(t.Context(), s); err != nil || !more {
			t.Fatalf("call %d: %v, more: %v", i, err, more)
		}
	}
	adopted := e.Adopted()
	if left, err := e.Unscored(t.Context()); left != 2 || err != nil || adopted < 100 || adopted > 600 {
		t.Errorf("%d accounts done, %d shards are left (%v), want both", adopted, left, err)
	}
	e = boot()
	if err := rescore(e, s); err != nil {
		t.Fatal(err)
	}
	if left, err := e.Unscored(t.Context()); left != 0 || err != nil || adopted+e.Adopted() != 1000 {
		t.Errorf("%d and %d accounts done, %d shards are left (%v), want 1000 and none", adopted, e.Adopted(), left, err)
	}
	if n := atEpoch(t, s, 1); n != 1000 {
		t.Errorf("%d states say epoch 1, want 1000", n)
	}
}

// atEpoch is how many states name an epoch.
func atEpoch(t *testing.T, s *memory.Store, epoch uint64) (n int) {
	t.Helper()
	for shard := range s.Shards() {
		records, _, err := s.Scan(t.Context(), shard, 0, math.MaxInt)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if engine.EpochOf(r.State) == epoch {
				n++
			}
		}
	}
	return n
}

// A state that was set back to before a change of the model goes on from what was
// published: from after the change it is under the new model, and is not moved by it a second
// time; from before it still will be.
func TestWhatWasPublishedTellsHowFarAChangeWent(t *testing.T) {
	t.Parallel()
	before, after := compile(t, spec(), spec(), stricter()), compile(t, stricter(), spec(), stricter())
	for name, c := range map[string]struct {
		at    int64
		epoch uint64
		path  string // of what follows
	}{
		"after":  {start + 2*hour, 1, ""},
		"before": {start + hour/2, 0, "B>C model "}, // 40 is not enough any more
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := memory.New(1)
			e := setup{memory: s, model: before}.engine(t)
			assign(t, e, web)
			process(t, e, round(visit(web, 0, "acme.example", start), visit(web, 1, "acme.example", start)))
			checkpoint(t, e)
			e = setup{memory: s, model: after}.engine(t)
			e.Inherit(once(before, start+hour))
			assign(t, e, web)
			published := engine.Published{Account: "acme.example", Seq: 3, To: "B", At: c.at, Value: []byte(`{"Account":"acme.example","Seq":3}`)}
			if n, err := e.Reconcile(t.Context(), []engine.Published{published}); n != 1 || err != nil {
				t.Fatalf("%d behind (%v), want one", n, err)
			}
			if n := atEpoch(t, s, c.epoch); n != 1 {
				t.Errorf("%d states say epoch %d, want one", n, c.epoch)
			}
			if err := rescore(e, s); err != nil {
				t.Fatal(err)
			}
			var got []line
			for _, v := range rawOutbox(t, s)["acme.example"][2:] {
				var l line
				if err := unmarshal([]byte(v), &l); err != nil {
					t.Fatal(err)
				}
				got = append(got, l)
			}
			if path(got) != c.path || len(got) > 0 && got[0].Seq != 4 {
				t.Errorf("then it went %q, %+v, want %q", path(got), got, c.path)
			}
		})
	}
}

// Who still has an earlier model must not touch what stands under a later one.
func TestALaterModelIsRefused(t *testing.T) {
	t.Parallel()
	before, after := compile(t, spec(), spec(), stricter()), compile(t, stricter(), spec(), stricter())
	s := memory.New(1)
	populate(t, s, before)
	zombie := setup{memory: s, store: s.Peer(), model: before, accounts: 1}.engine(t)
	assign(t, zombie, web)
	e := setup{memory: s, model: after}.engine(t)
	e.Inherit(once(before, start+hour))
	assign(t, e, web)
	if err := rescore(e, s); err != nil {
		t.Fatal(err)
	}
	err := zombie.Process(t.Context(), round(visit(web, 1000, "firm7.example", start+2*hour)))
	if !errors.Is(err, engine.ErrLaterModel) {
		t.Errorf("got %v, want a refusal", err)
	}
}

// sameOutbox wants the same messages of every account, in the same order.
func sameOutbox(t testing.TB, got, want map[string][]string) {
	t.Helper()
	for account := range want {
		for i := range max(len(got[account]), len(want[account])) {
			switch {
			case i >= len(got[account]):
				t.Errorf("%s: missing: %s", account, want[account][i])
			case i >= len(want[account]):
				t.Errorf("%s: too much: %s", account, got[account][i])
			case got[account][i] != want[account][i]:
				t.Errorf("%s: message %d\n got %s\nwant %s", account, i, got[account][i], want[account][i])
			}
		}
	}
	for account := range got {
		if want[account] == nil {
			t.Errorf("%s: too much: %s", account, got[account])
		}
	}
}

// After a rescore the engine's memory is counted rightly and bounded as before.
func TestRescoreKeepsMemoryBounded(t *testing.T) {
	t.Parallel()
	before, after := compile(t, spec(), spec(), stricter()), compile(t, stricter(), spec(), stricter())
	s := memory.New(shards)
	names := populate(t, s, before)
	e := setup{memory: s, model: after, accounts: 10}.engine(t)
	e.Inherit(once(before, start+hour))
	assign(t, e, web)
	if err := rescore(e, s); err != nil {
		t.Fatal(err)
	}
	var inputs []engine.Input
	for i, name := range names {
		inputs = append(inputs, visit(web, int64(1000+i), name, start+hour))
	}
	process(t, e, round(inputs...))
	if held := e.Cached(); held > 10 {
		t.Errorf("got %d accounts in memory, want at most 10", held)
	}
}
