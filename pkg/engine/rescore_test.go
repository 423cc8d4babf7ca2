package engine_test

import (
	"context"
	"errors"
	"fmt"
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

func rescore(e *engine.Engine, scan engine.Scanner, before *scoring.Model, at int64) error {
	return e.Rescore(context.Background(), scan, before, at, func(int, int) {})
}

// Rescoring goes through every account, whatever goes wrong on the way, and a
// repeat at the same instant, after a crash anywhere, changes nothing more.
func TestRescoreMayBeRepeated(t *testing.T) {
	t.Parallel()
	before, after := compile(t, spec(), spec(), stricter()), compile(t, stricter(), spec(), stricter())
	at := start + hour
	clean := memory.New(shards)
	populate(t, clean, before)
	if err := rescore(setup{memory: clean, model: after}.engine(t), clean, before, at); err != nil {
		t.Fatal(err)
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
					if k := n.Add(1); k == 3 || k == 9 || k == 17 || k == 30 {
						return fault
					}
					return fine
				}}
				for attempt := 0; ; attempt++ {
					err := rescore(setup{memory: s, store: f, model: after}.engine(t), s, before, at)
					if err == nil {
						break
					}
					if !errors.As(err, new(broken)) || attempt > 20 {
						t.Fatal(err)
					}
				}
				sameOutbox(t, rawOutbox(t, s), want)
				for _, name := range names {
					a, b := account(t, s, after, name), account(t, clean, after, name)
					if (a == nil) != (b == nil) || a != nil && (after.Tier(a) != after.Tier(b) || a.Clock != b.Clock || a.Seq != b.Seq) {
						t.Errorf("%s: got %+v, want %+v", name, a, b)
					}
				}
			})
		})
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
	if err := rescore(e, s, before, start+hour); err != nil {
		t.Fatal(err)
	}
	assign(t, e, web)
	var inputs []engine.Input
	for i, name := range names {
		inputs = append(inputs, visit(web, int64(1000+i), name, start+hour))
	}
	process(t, e, round(inputs...))
	if held := e.Cached(); held > 10 {
		t.Errorf("got %d accounts in memory, want at most 10", held)
	}
}
