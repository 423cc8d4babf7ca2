package app

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/store/memory"
)

const testShards = 10

// share is an instance's part of the partitions, as the test sets it.
type share struct{ mine, all int }

func (s *share) get() (int, int) { return s.mine, s.all }

func owned(l *leases) (n int) {
	for s := range testShards {
		if l.Owns(s) {
			n++
		}
	}
	return n
}

// wantDisjoint wants no shard to have two owners.
func wantDisjoint(t *testing.T, a, b *leases) {
	t.Helper()
	for s := range testShards {
		if a.Owns(s) && b.Owns(s) {
			t.Errorf("shard %d has two owners", s)
		}
	}
}

// A second instance gets its share of the shards, never at the same time as the
// first, and not before a publish that was under way is over.
func TestShardsGoOverWithoutOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(testShards)
		first, second := &share{4, 4}, &share{}
		a := newLeases(s, testShards, "a", first.get, zerolog.Nop())
		b := newLeases(s.Peer(), testShards, "b", second.get, zerolog.Nop())
		a.renew(t.Context())
		if got := owned(a); got != testShards {
			t.Fatalf("alone: got %d shards, want all", got)
		}
		first.mine, *second = 2, share{2, 4}
		a.renew(t.Context())
		lost := time.Now()
		for range 40 {
			time.Sleep(500 * time.Millisecond) //nolint:forbidigo // virtual time
			a.renew(t.Context())
			b.renew(t.Context())
			wantDisjoint(t, a, b)
			if owned(b) > 0 && time.Since(lost) < relayMargin {
				t.Fatalf("taken over after %s, a publish may last %s", time.Since(lost), relayMargin)
			}
		}
		if owned(a) != testShards/2 || owned(b) != testShards/2 {
			t.Errorf("got %d and %d shards, want half each", owned(a), owned(b))
		}
	})
}

// An instance that no longer renews stops publishing before its leases run out,
// and the other one takes all.
func TestADeadInstancesShardsAreTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(testShards)
		all := &share{4, 4}
		dead := newLeases(s, testShards, "dead", all.get, zerolog.Nop())
		alive := newLeases(s.Peer(), testShards, "alive", all.get, zerolog.Nop())
		dead.renew(t.Context())
		time.Sleep(leaseTTL - relayMargin) //nolint:forbidigo // virtual time
		if got := owned(dead); got != 0 {
			t.Errorf("a publish of %s would outlast the lease: got %d shards owned", relayMargin, got)
		}
		alive.renew(t.Context())
		if got := owned(alive); got != 0 {
			t.Errorf("got %d shards before the leases ran out", got)
		}
		time.Sleep(relayMargin) //nolint:forbidigo // virtual time
		alive.renew(t.Context())
		if got := owned(alive); got != testShards {
			t.Errorf("got %d shards, want all", got)
		}
	})
}

// Run gives everything back at its end.
func TestLeasesAreGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(testShards)
		all := &share{4, 4}
		a := newLeases(s, testShards, "a", all.get, zerolog.Nop())
		ctx, stop := withCancel(t)
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		synctest.Wait()
		if got := owned(a); got != testShards {
			t.Errorf("got %d shards, want all", got)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		b := newLeases(s.Peer(), testShards, "b", all.get, zerolog.Nop())
		b.renew(t.Context())
		if owned(a) != 0 || owned(b) != testShards {
			t.Errorf("got %d and %d shards, want none and all", owned(a), owned(b))
		}
	})
}
