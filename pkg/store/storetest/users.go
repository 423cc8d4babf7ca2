package storetest

import (
	"fmt"
	"slices"
	"testing"

	"tidemark/pkg/store"
)

func swap(t *testing.T, u Users, lost []int, swaps ...store.UserSwap) {
	t.Helper()
	got, err := u.SwapUsers(t.Context(), swaps)
	if err != nil || !slices.Equal(got, lost) {
		t.Errorf("swap %d users: got %v (%v) lost, want %v", len(swaps), got, err, lost)
	}
}

func wantUsers(t *testing.T, u Users, keys []uint64, want ...string) {
	t.Helper()
	got, err := u.LoadUsers(t.Context(), keys)
	if err != nil || len(got) != len(want) {
		t.Fatalf("load %v: got %q (%v), want %q", keys, got, err, want)
	}
	for i := range want {
		if string(got[i]) != want[i] || (got[i] == nil) != (want[i] == "") {
			t.Errorf("user %d: got %q, want %q", keys[i], got[i], want[i])
		}
	}
}

func replacing(key uint64, was, now string) store.UserSwap {
	s := store.UserSwap{Key: key}
	if was != "" {
		s.Was = []byte(was)
	}
	if now != "" {
		s.Now = []byte(now)
	}
	return s
}

func userSwaps(t *testing.T, open func() Extras) {
	s, other := open(), open()
	wantUsers(t, s, nil)
	wantUsers(t, s, []uint64{1}, "")
	swap(t, s, nil)
	swap(t, s, nil, replacing(1, "", "a\n\x00\xff"), replacing(1<<64-1, "", "z"))
	swap(t, s, nil, replacing(1, "", "a\n\x00\xff")) // a repeat
	wantUsers(t, other, []uint64{1<<64 - 1, 2, 1}, "z", "", "a\n\x00\xff")
	// Each by itself: who lost is told, the others are done.
	swap(t, other, []int{0, 2}, replacing(1, "", "b"), replacing(2, "", "two"), replacing(1<<64-1, "y", "b"))
	wantUsers(t, s, []uint64{1, 2, 1<<64 - 1}, "a\n\x00\xff", "two", "z")
	swap(t, other, nil, replacing(2, "two", ""), replacing(1, "a\n\x00\xff", "b"))
	swap(t, other, nil, replacing(2, "two", "")) // a repeat
	swap(t, s, []int{0}, replacing(2, "two", "three"))
	wantUsers(t, s, []uint64{1, 2}, "b", "")
}

func manyUsers(t *testing.T, open func() Extras) {
	const many = 1_200
	s := open()
	keys, swaps, want := make([]uint64, many), make([]store.UserSwap, many), make([]string, many)
	for i := range keys {
		keys[i] = uint64(i) * 0x9e3779b97f4a7c15
		want[i] = fmt.Sprint("record ", i)
		swaps[i] = replacing(keys[i], "", want[i])
	}
	swap(t, s, nil, swaps...)
	wantUsers(t, s, keys, want...)
}
