package storetest

import (
	"slices"
	"testing"
	"time"
)

const long = time.Hour

func acquire(t *testing.T, l Leases, name, owner string, ttl time.Duration) bool {
	t.Helper()
	got, err := l.Acquire(t.Context(), name, owner, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func leases(t *testing.T, open func() Extras) {
	one, two := open(), open()
	for i, step := range []struct {
		store       Leases
		name, owner string
		want        bool
	}{
		{one, "x", "one", true}, {one, "x", "one", true}, {two, "x", "two", false}, {two, "y", "two", true}, {one, "y", "one", false},
	} {
		if got := acquire(t, step.store, step.name, step.owner, long); got != step.want {
			t.Errorf("step %d: %s acquires %s: got %t, want %t", i, step.owner, step.name, got, step.want)
		}
	}
	if err := two.Release(t.Context(), "x", "two"); err != nil { // not its own
		t.Fatal(err)
	}
	if acquire(t, two, "x", "two", long) {
		t.Error("a lease was released by another")
	}
	if err := one.Release(t.Context(), "x", "one"); err != nil {
		t.Fatal(err)
	}
	if !acquire(t, two, "x", "two", long) {
		t.Error("a released lease is not free")
	}
}

func leaseEnds(t *testing.T, open func() Extras) {
	one, two := open(), open()
	if !acquire(t, one, "x", "one", 30*time.Millisecond) {
		t.Fatal("a free lease is not free")
	}
	eventually(t, "a lease ends", func() bool { return acquire(t, two, "x", "two", long) })
	if acquire(t, one, "x", "one", long) {
		t.Error("a lease that another took over was renewed")
	}
}

func shardLeases(t *testing.T, open func() Extras) {
	one, two := open(), open()
	take := func(l Leases, owner string, shards []int, want ...bool) {
		t.Helper()
		got, err := l.AcquireShards(t.Context(), shards, owner, long)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s takes %v: got %v (%v), want %v", owner, shards, got, err, want)
		}
	}
	take(one, "one", []int{0, 2}, true, true)
	take(two, "two", []int{3, 2, 1, 0}, true, false, true, false)
	if err := one.ReleaseShards(t.Context(), []int{0, 1, 2, 3}, "one"); err != nil {
		t.Fatal(err)
	}
	take(two, "two", []int{0, 2}, true, true)
	take(one, "one", []int{0, 1, 2, 3}, false, false, false, false)
	if _, err := one.AcquireShards(t.Context(), []int{one.Shards()}, "one", long); err == nil {
		t.Error("the lease of a shard that is none was taken")
	}
}
