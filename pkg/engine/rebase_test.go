package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
)

// toldOf is what subscribers know of populate's accounts: the truth of most, too
// much of one, too little of another, and of one that the log does not know.
func toldOf(t testing.TB, s *memory.Store, names []string) map[string]engine.Told {
	m := compile(t, spec())
	told := map[string]engine.Told{}
	for i, name := range names {
		if a := account(t, s, m, name); a != nil && a.Seq > 0 {
			told[name] = engine.Told{Seq: a.Seq + uint64(i), Tier: m.Tier(a)}
		}
	}
	told[names[4]] = engine.Told{Seq: 9, Tier: "C"}
	told[names[5]] = engine.Told{Seq: 3, Tier: "A"}
	told["gone.example"] = engine.Told{Seq: 5, Tier: "A"}
	told["quiet.example"] = engine.Told{Seq: 6, Tier: "C"}
	return told
}

// Rebasing gives every account the numbers that were published and corrects what
// differs, whatever goes wrong on the way.
func TestRebase(t *testing.T) {
	t.Parallel()
	m := compile(t, spec())
	at := start + hour
	rebase := func(e *engine.Engine, s *memory.Store, told map[string]engine.Told) (engine.Rebased, error) {
		return e.Rebase(context.Background(), s, told, at, func(int) {})
	}
	clean := memory.New(shards)
	names := populate(t, clean, m)
	told := toldOf(t, clean, names)
	before := rawOutbox(t, clean)
	found, err := rebase(setup{memory: clean, model: m}.engine(t), clean, told)
	if err != nil {
		t.Fatal(err)
	}
	// firm0, firm5, … have no events and no state; firm4 has four visits.
	for correction, n := range map[engine.Correction]int{{Told: "C", Is: "A"}: 1, {Told: "A", Is: "C"}: 2} {
		if found.Corrected[correction] != n {
			t.Errorf("got %v, want %d of %v", found.Corrected, n, correction)
		}
	}
	want := news(rawOutbox(t, clean), before)
	for account, seq := range map[string]uint64{names[4]: 10, names[5]: 4, "gone.example": 6} {
		if len(want[account]) != 1 || seqOf(t, want[account][0]) != seq {
			t.Errorf("%s: got %v, want one message of seq %d", account, want[account], seq)
		}
	}
	if len(want) != 3 {
		t.Errorf("got news of %d accounts, want of 3", len(want))
	}
	if a := account(t, clean, m, "quiet.example"); a == nil || a.Seq != 6 {
		t.Errorf("quiet.example: got %+v, want its seq kept", a)
	}
	for name, fault := range map[string]faultKind{
		"failed before": failsBefore, "failed after": failsAfter, "conflict": saysConflict, "died before": diesBefore, "died after": diesAfter,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memory.New(shards)
				populate(t, s, m)
				before := rawOutbox(t, s)
				var n atomic.Int64
				f := &faulty{Store: s, step: func(engine.Step) faultKind {
					if k := n.Add(1); k%3 == 2 && k < 20 {
						return fault
					}
					return fine
				}}
				for {
					_, err := rebase(setup{memory: s, store: f, model: m}.engine(t), s, told)
					if err == nil {
						break
					}
					if !errors.As(err, new(broken)) {
						t.Fatal(err)
					}
				}
				got := news(rawOutbox(t, s), before)
				for account := range got { // what was done twice is the same twice
					got[account] = slices.Compact(got[account])
				}
				sameOutbox(t, got, want)
			})
		})
	}
}

// news are the messages that came after.
func news(all, before map[string][]string) map[string][]string {
	out := map[string][]string{}
	for account, messages := range all {
		if rest := messages[len(before[account]):]; len(rest) > 0 {
			out[account] = rest
		}
	}
	return out
}
