package storetest

import (
	"slices"
	"testing"

	"tidemark/pkg/engine"
)

func dueInstants(t *testing.T, open Peers) {
	s := open()
	for i, step := range []struct {
		due  int64
		want []engine.Due
	}{
		{engine.KeepDue, nil},
		{100, []engine.Due{{Account: "a", At: 100}}},
		{engine.KeepDue, []engine.Due{{Account: "a", At: 100}}},
		{50, []engine.Due{{Account: "a", At: 50}}},
		{1_700_000_000_123, []engine.Due{{Account: "a", At: 1_700_000_000_123}}},
		{engine.NoDue, nil},
		{engine.NoDue, nil},
		{-7, []engine.Due{{Account: "a", At: -7}}},
		{0, []engine.Due{{Account: "a", At: 0}}},
	} {
		w := put("a", uint64(i), "A")
		w.Due = step.due
		must(t, s, engine.Step{Writes: []engine.Write{w}})
		wantDue(t, s, 0, 2_000_000_000_000, 10, step.want...)
	}
}

func dueOrder(t *testing.T, open Peers) {
	s := open()
	var writes []engine.Write
	for i, account := range []string{"e", "b", "d", "a", "c"} {
		w := put(account, 0, "S")
		w.Due = int64(50 - 10*i) // e 50, b 40, d 30, a 20, c 10
		writes = append(writes, w)
	}
	must(t, s, engine.Step{Writes: writes})
	c, a, d := engine.Due{Account: "c", At: 10}, engine.Due{Account: "a", At: 20}, engine.Due{Account: "d", At: 30}
	wantDue(t, s, 0, 9, 10)
	wantDue(t, s, 0, 10, 10, c) // at the instant itself
	wantDue(t, s, 0, 30, 10, c, a, d)
	wantDue(t, s, 0, 1000, 2, c, a)
	wantDue(t, s, 0, 1000, 0)
	wantDue(t, s, 1, 1000, 10)
}

func nextDue(t *testing.T, open Peers) {
	s := open()
	for shard, due := range map[int][]int64{0: {30, 20}, 2: {5}, 3: {engine.NoDue}} {
		var writes []engine.Write
		for i, at := range due {
			w := put(numbered("a", 2)[i], 0, "S")
			w.Due = at
			writes = append(writes, w)
		}
		must(t, s, engine.Step{Shard: shard, Writes: writes})
	}
	got, err := s.NextDue(t.Context(), []int{2, 3, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{5, engine.NoDue, 20, engine.NoDue}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	lists, err := s.Due(t.Context(), []int{2, 3, 0}, 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{engine.NoDue, engine.NoDue, 30} {
		if lists[i].Next != want {
			t.Errorf("after 20: got %d, want %d", lists[i].Next, want)
		}
	}
}

// manyDue sweeps a shard in which far more is due than is asked for at once: each account
// comes once, none before one that is due earlier, and Next tells when to look again.
func manyDue(t *testing.T, open Peers) {
	s := open()
	accounts := numbered("a", 1500)
	at := func(i int) int64 { return int64(i * 7919 % 1000) }
	earliest := func(met map[string]bool) int64 {
		out := engine.NoDue
		for i, account := range accounts {
			if !met[account] {
				out = min(out, at(i))
			}
		}
		return out
	}
	var writes []engine.Write
	for i, account := range accounts {
		w := put(account, 0, "S")
		w.Due = at(i)
		writes = append(writes, w)
	}
	must(t, s, engine.Step{Writes: writes})
	met, last := map[string]bool{}, int64(-1)
	for upTo := int64(0); upTo < engine.NoDue; {
		lists, err := s.Due(t.Context(), []int{0}, upTo, 40)
		if err != nil {
			t.Fatal(err)
		}
		list := lists[0]
		if len(list.Accounts) > 40 || len(list.Accounts) == 0 && list.Next <= last {
			t.Fatalf("up to %d: got %d accounts, next %d, the last was due at %d", upTo, len(list.Accounts), list.Next, last)
		}
		writes = writes[:0]
		for _, d := range list.Accounts {
			if met[d.Account] || d.At < last || d.At > upTo || d.At > list.Next {
				t.Fatalf("up to %d: got %+v after one that is due at %d, met %t, next %d", upTo, d, last, met[d.Account], list.Next)
			}
			met[d.Account], last = true, d.At
			w := put(d.Account, 1, "S")
			w.Due = engine.NoDue
			writes = append(writes, w)
		}
		must(t, s, engine.Step{Writes: writes})
		if next, err := s.NextDue(t.Context(), []int{0}); err != nil || next[0] < list.Next || next[0] != earliest(met) {
			t.Fatalf("up to %d: next due at %d (%v), want %d, the list said %d", upTo, next[0], err, earliest(met), list.Next)
		}
		if list.Next > upTo {
			upTo = max(list.Next, min(list.Next, 700)+300)
		}
	}
	if len(met) != len(accounts) {
		t.Errorf("met %d accounts, want %d", len(met), len(accounts))
	}
}
