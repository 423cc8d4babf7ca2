package engine_test

import (
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

func forgetful(t *testing.T) *scoring.Model {
	m := compile(t, spec())
	m.ForgetAfter(30 * day)
	return m
}

func stored(t *testing.T, s engine.Store, name string) engine.Record {
	t.Helper()
	records, err := s.Load(t.Context(), engine.WantedOf([]string{name}, s.Shards())...)
	if err != nil {
		t.Fatal(err)
	}
	return records[0]
}

// reap goes through all accounts once, in so many calls.
func reap(t *testing.T, e *engine.Engine, scan engine.Scanner) (calls int64) {
	t.Helper()
	for more := true; more; calls++ {
		var err error
		if more, err = e.Reap(t.Context(), scan); err != nil {
			t.Fatal(err)
		}
	}
	return calls
}

// So many calls are foreseen as there are.
func TestCallsOfReapAreForeseen(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s, model: forgetful(t)}.engine(t)
	assign(t, e, web)
	process(t, e, round(visit(web, 0, "one", start), visit(web, 1, "other", start)))
	if calls, want := reap(t, e, s), e.ReapCalls(2); calls != want {
		t.Errorf("%d calls of Reap, %d were foreseen", calls, want)
	}
	guest := setup{memory: s, model: forgetful(t), hooks: engine.Hooks{Owns: func(shard int) bool { return shard == 0 }}}.engine(t)
	if got := guest.ReapCalls(shards * 1000); got != 3 {
		t.Errorf("%d calls for the 1,000 accounts of one shard, want 3", got)
	}
}

// An account that was never in a tier goes without a trace; of one that was, the seq
// stays; a profile stays, with its domains. A sweep ends, and nothing is due after it.
func TestIdleAccountsGo(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s, model: forgetful(t)}.engine(t)
	assign(t, e, web, profiles)
	process(t, e, round(
		visit(web, 0, "quiet", start), demo(web, 1, "hot", start), profile(profiles, 0, "known", start, "known.example"), demo(web, 2, "known", start), visit(web, 3, "busy", start)))
	process(t, e, engine.Round{Watermark: start + 29*day})
	process(t, e, round(visit(web, 4, "busy", start+29*day)))
	process(t, e, engine.Round{Watermark: start + 32*day})
	reap(t, e, s)
	if r := stored(t, s, "quiet"); r.Version != 0 || r.State != nil {
		t.Errorf("got %+v, want nothing", r)
	}
	if a := account(t, s, forgetful(t), "hot"); a == nil || a.Begun || int(a.Seq) != len(outbox(t, s)["hot"]) || a.Seq == 0 {
		t.Errorf("got %+v, want the seq alone", a)
	}
	wantScore(t, s, "known", start+32*day, 0)
	if p, _ := account(t, s, forgetful(t), "known").Profile(); p == nil {
		t.Error("the profile is gone")
	}
	if a := account(t, s, forgetful(t), "busy"); a == nil || !a.Begun {
		t.Error("an account that was not idle is gone")
	}
	if due := e.NextDue(); due != engine.NoDue {
		t.Errorf("got next due on day %d, want none: accounts in the lowest tier cost no entry", (due-start)/day)
	}
	for _, name := range []string{"quiet", "hot", "known.example"} { // all begin again
		process(t, e, round(guest(web, 10+int64(len(name)), name, start+33*day)))
	}
	wantScore(t, s, "quiet", start+33*day, 20)
	wantScore(t, s, "hot", start+33*day, 20)
	wantScore(t, s, "known", start+33*day, 20)
}

// Another instance that remembers a forgotten account from before does not bring it back.
func TestAForgottenAccountIsNotBroughtBack(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	one := setup{memory: s, model: forgetful(t)}.engine(t)
	two := setup{memory: s.Peer(), model: forgetful(t)}.engine(t)
	assign(t, one, web)
	assign(t, two, profiles)
	process(t, two, round(visit(profiles, 0, "quiet", start)))
	if err := one.RefreshDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	process(t, one, engine.Round{Watermark: start + 31*day})
	reap(t, one, s)
	if r := stored(t, s, "quiet"); r.State != nil {
		t.Fatalf("got %+v, want nothing", r)
	}
	process(t, two, round(visit(profiles, 1, "quiet", start+31*day)))
	wantScore(t, s, "quiet", start+31*day, 20)
}
