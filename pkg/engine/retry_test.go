package engine_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

// faultEach lets the first attempt at every step go wrong in one way.
func faultEach(f faultKind) func(engine.Step) faultKind {
	var mu sync.Mutex // guards met; lanes commit at once
	met := map[int]int{}
	return func(s engine.Step) faultKind {
		mu.Lock()
		defer mu.Unlock()
		met[s.Shard]++
		if met[s.Shard]%2 == 1 {
			return f
		}
		return fine
	}
}

// Whatever way a step goes wrong, a repeat ends the same: each event counts once,
// each crossing is in the outbox once.
func TestStepsThatGoWrongAreRepeated(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faultKind{
		"failed before its effect": failsBefore, "failed after its effect": failsAfter, "stale": saysStale, "conflict": saysConflict,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memory.New(shards)
				e := setup{memory: s, store: &faulty{Store: s, step: faultEach(fault)}}.engine(t)
				assign(t, e, web)
				firms := apart(3)
				process(t, e, round(
					demo(web, 0, firms[0], start), visit(web, 1, firms[1], start), demo(web, 2, firms[0], start), visit(web, 3, firms[2], start)))
				checkpoint(t, e)
				process(t, e, round(visit(web, 4, firms[1], start+hour), visit(web, 5, firms[2], start+hour)))
				checkpoint(t, e)
				wantScore(t, s, firms[0], start, 90)
				process(t, e, engine.Round{Watermark: start + 10*day})
				changes := outbox(t, s)
				if got, want := path(changes[firms[0]]), "C>B event B>A event A>B decay B>C decay "; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if got, want := path(changes[firms[1]]), "C>B event B>C decay "; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}

// Reads that fail are tried again.
func TestReadsThatFailAreRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(shards)
		var mu sync.Mutex
		failed := map[string]bool{}
		e := setup{memory: s, store: &faulty{Store: s, step: faultEach(saysStale), read: func(what string) error {
			mu.Lock()
			defer mu.Unlock()
			if failed[what] {
				return nil
			}
			failed[what] = true
			return errFlaky
		}}}.engine(t)
		assign(t, e, web)
		process(t, e, round(demo(web, 0, "acme.example", start)))
		process(t, e, engine.Round{Watermark: start + 10*day})
		if got, want := path(outbox(t, s)["acme.example"]), "C>B event B>C decay "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for _, what := range []string{"load", "due", "positions"} {
			if !failed[what] {
				t.Errorf("%s was never called", what)
			}
		}
	})
}

// An error that no repeat heals ends the round, and what was remembered of the
// work that came to nothing is forgotten.
func TestHopelessErrorsEndTheRound(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faultKind{"before its effect": diesBefore, "after its effect": diesAfter} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := memory.New(shards)
			f := &faulty{Store: s}
			e := setup{memory: s, store: f}.engine(t)
			assign(t, e, web)
			process(t, e, round(visit(web, 0, "acme.example", start)))
			f.step = always(fault)
			r := round(visit(web, 1, "acme.example", start))
			if err := e.Process(t.Context(), r); err == nil {
				t.Fatal("got no error")
			}
			f.step = nil
			if held := e.Cached(); held != 0 {
				t.Errorf("got %d accounts in memory, want none", held)
			}
			assign(t, e, web)
			process(t, e, r)
			wantScore(t, s, "acme.example", start, 40)
		})
	}
}

// Two engines on one store: what one remembers never overwrites what the other wrote.
func TestWhatIsRememberedGivesWay(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	other := engine.Partition{Topic: "engagement", ID: 1}
	a, b := setup{memory: s}.engine(t), setup{memory: s.Peer()}.engine(t)
	assign(t, a, web)
	assign(t, b, other)
	for i := range int64(4) {
		process(t, a, round(visit(web, i, "acme.example", start)))
		process(t, b, round(visit(other, i, "acme.example", start)))
	}
	m := compile(t, spec())
	if got := account(t, s, m, "acme.example"); got == nil || got.Seq != 2 {
		t.Fatalf("got %+v, want seq 2", got)
	}
	wantScore(t, s, "acme.example", start, 90)
	if got, want := path(outbox(t, s)["acme.example"]), "C>B event B>A event "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// An engine that lost its partition without noticing does nothing twice, whether
// it is behind the new owner, level with it or before it.
func TestAZombieIsFenced(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	zombie, owner := setup{memory: s}.engine(t), setup{memory: s.Peer()}.engine(t)
	assign(t, zombie, web)
	inputs := make([]engine.Input, 6)
	for i := range inputs {
		inputs[i] = visit(web, int64(i), apart(3)[i%3], start)
	}
	process(t, zombie, round(inputs[:2]...))
	from := assign(t, owner, web)
	process(t, owner, round(inputs[from[web]:4]...))
	process(t, zombie, round(inputs[2:3]...))
	process(t, zombie, round(inputs[3:6]...))
	process(t, owner, round(inputs[4:5]...))
	checkpoint(t, zombie)
	process(t, owner, round(inputs[5:]...))
	checkpoint(t, owner)
	for _, name := range apart(3) {
		wantScore(t, s, name, start, 40)
	}
	outbox(t, s)
}

// A tombstone erases the account even where the engine remembers a time when
// there was nothing to erase.
func TestATombstoneIsNotLostToAnOldMemory(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	a, b := setup{memory: s}.engine(t), setup{memory: s.Peer()}.engine(t)
	assign(t, a, profiles)
	assign(t, b, web)
	tombstone := func(offset, at int64) engine.Input {
		in := profile(profiles, offset, "acme.example", at)
		in.Event.Kind, in.Event.Profile = scoring.KindTombstone, nil
		return in
	}
	process(t, a, round(tombstone(0, start)))
	process(t, a, round(tombstone(1, start)))
	process(t, b, round(demo(web, 0, "acme.example", start)))
	process(t, a, round(tombstone(2, start+hour)))
	if got := account(t, s, compile(t, spec()), "acme.example"); got != nil && got.Begun {
		t.Error("the account is still there")
	}
	if got, want := path(outbox(t, s)["acme.example"]), "C>B event B>C erasure "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// An account that was erased and came again is not overwritten by what another
// engine remembers from before.
func TestWhatWasErasedStaysErased(t *testing.T) {
	t.Parallel()
	s := memory.New(1)
	a, b := setup{memory: s}.engine(t), setup{memory: s.Peer()}.engine(t)
	assign(t, a, web)
	assign(t, b, profiles)
	process(t, a, round(visit(web, 0, "beta.example", start)))
	process(t, a, round(visit(web, 1, "acme.example", start)))
	erase := profile(profiles, 0, "acme.example", start)
	erase.Event.Kind, erase.Event.Profile = scoring.KindTombstone, nil
	process(t, b, round(erase))
	process(t, b, round(profile(profiles, 1, "acme.example", start)))
	process(t, a, round(visit(web, 2, "acme.example", start)))
	wantScore(t, s, "acme.example", start, 20)
	got := account(t, s, compile(t, spec()), "acme.example")
	if p, _ := got.Profile(); p == nil {
		t.Error("the profile that came after the erasure is lost")
	}
}

// Whether an event is a repeat is judged by what is stored, not by what an engine
// remembers from before an erasure.
func TestARepeatIsJudgedByWhatIsStored(t *testing.T) {
	t.Parallel()
	s := memory.New(1)
	a, b := setup{memory: s}.engine(t), setup{memory: s.Peer()}.engine(t)
	assign(t, a, web)
	assign(t, b, profiles)
	process(t, a, round(visit(web, 0, "beta.example", start)))
	process(t, a, round(visit(web, 1, "acme.example", start)))
	erase := profile(profiles, 0, "acme.example", start)
	erase.Event.Kind, erase.Event.Profile = scoring.KindTombstone, nil
	process(t, b, round(erase))
	again := visit(web, 2, "acme.example", start)
	again.Event.ID = visit(web, 1, "acme.example", start).Event.ID
	process(t, a, round(again))
	wantScore(t, s, "acme.example", start, 20)
}
