package app

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// ShardLeases hand shards to instances for a time.
type ShardLeases interface {
	AcquireShards(ctx context.Context, shards []int, owner string, ttl time.Duration) ([]bool, error)
	ReleaseShards(ctx context.Context, shards []int, owner string) error
}

// relayMargin is how long before its end a lease no longer lets a publish begin: a
// publish lasts no longer, so that the next owner is alone on the shard.
const relayMargin = leaseTTL / 2

// leases keeps this instance's share of the shards: the ones that it sweeps and
// relays. The share follows its part of the partitions, so that instances need
// not know each other.
type leases struct {
	store ShardLeases
	owner string
	log   zerolog.Logger

	start time.Time      // instants are counted from here, by the monotonic clock
	held  []atomic.Int64 // by shard: held until; 0: not held
	// tenures counts, by shard, how often it was taken anew: another may have had it
	// in between.
	tenures []atomic.Uint64
	// giving are shards to be released, and when. Run's goroutine alone uses it.
	giving map[int]time.Duration
	share  func() (mine, all int)
	kick   chan struct{}
}

func newLeases(store ShardLeases, shards int, owner string, share func() (int, int), log zerolog.Logger) *leases {
	return &leases{store: store, owner: owner, log: log, start: time.Now(), held: make([]atomic.Int64, shards), tenures: make([]atomic.Uint64, shards), giving: map[int]time.Duration{}, share: share, kick: make(chan struct{}, 1)}
}

// Owns reports whether the shard is this instance's for long enough to publish.
func (l *leases) Owns(shard int) bool {
	return l.held[shard].Load() > int64(time.Since(l.start)+relayMargin)
}

// Tenure is the number of the time for which the shard is held without a break.
func (l *leases) Tenure(shard int) uint64 { return l.tenures[shard].Load() }

// Kick asks for a renewal now, as the share has changed.
func (l *leases) Kick() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// Run renews what is held and takes what is free, up to the share, until ctx
// ends; then it gives all back.
func (l *leases) Run(ctx context.Context) error {
	ticker := time.NewTicker(leaseTTL / 5)
	defer ticker.Stop()
	for {
		l.renew(ctx)
		select {
		case <-ctx.Done():
			l.giveBack(ctx)
			return nil
		case <-ticker.C:
		case <-l.kick:
		}
	}
}

func (l *leases) renew(ctx context.Context) {
	target := l.target()
	want := l.wanted(target)
	// A lease counts from before the request: it may take effect at once.
	until := int64(time.Since(l.start) + leaseTTL)
	got, err := l.store.AcquireShards(ctx, want, l.owner, leaseTTL)
	if err != nil {
		l.log.Debug().Err(err).Msg("leases not renewed")
		return
	}
	kept := 0
	for i, s := range want {
		switch {
		case !got[i]:
			l.held[s].Store(0)
		case kept < target:
			if l.held[s].Load() < int64(time.Since(l.start)) {
				l.tenures[s].Add(1) // before anybody may act on it
			}
			l.held[s].Store(until)
			kept++
		case l.held[s].Swap(0) > 0:
			l.giving[s] = time.Since(l.start) + relayMargin
		default:
			l.giving[s] = 0 // only just taken: nothing was published by it
		}
	}
	l.give(ctx)
}

// give releases the spare shards, each once a publish that was under way is over.
func (l *leases) give(ctx context.Context) {
	var over []int
	for s, when := range l.giving {
		if time.Since(l.start) >= when {
			over = append(over, s)
			delete(l.giving, s)
		}
	}
	l.release(ctx, over)
}

// target is this instance's share of the shards, rounded up: without partitions
// it is nothing.
func (l *leases) target() int {
	mine, all := l.share()
	if all == 0 {
		return 0
	}
	return (len(l.held)*mine + all - 1) / all
}

// wanted are the shards to ask for: those held first, then, where the share is
// not full, all others.
func (l *leases) wanted(target int) []int {
	var held, rest []int
	for s := range l.held {
		_, giving := l.giving[s]
		switch {
		case giving:
		case l.held[s].Load() > 0:
			held = append(held, s)
		default:
			rest = append(rest, s)
		}
	}
	if len(held) >= target {
		return held
	}
	return append(held, rest...)
}

func (l *leases) release(ctx context.Context, shards []int) {
	if len(shards) == 0 {
		return
	}
	if err := l.store.ReleaseShards(ctx, shards, l.owner); err != nil {
		l.log.Debug().Err(err).Msg("leases not released")
	}
}

// giveBack releases all, though ctx has ended.
func (l *leases) giveBack(ctx context.Context) {
	held := slices.Collect(maps.Keys(l.giving))
	for s := range l.held {
		if l.held[s].Swap(0) > 0 {
			held = append(held, s)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	l.release(ctx, held)
}

func everyShard(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
