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
