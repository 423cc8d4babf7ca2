package app

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// ShardLeases hand shards to instances for a time.
type ShardLeases interface {
	AcquireShards(ctx context.Context, shards []int, owner string, ttl time.Duration) ([]bool, error)
	ReleaseShards(ctx context.Context, shards []int, owner string) error
}

// leases keeps this instance's share of the shards: the ones that it sweeps and
// relays. The share follows its part of the partitions, so that instances need
// not know each other.
type leases struct {
	store ShardLeases
	owner string
	ttl   time.Duration
	log   zerolog.Logger

	held  []atomic.Int64 // by shard: held until, Unix milliseconds
	share func() (mine, all int)
	kick  chan struct{}
}

func newLeases(store ShardLeases, shards int, owner string, ttl time.Duration, share func() (int, int), log zerolog.Logger) *leases {
	return &leases{store: store, owner: owner, ttl: ttl, log: log, held: make([]atomic.Int64, shards), share: share, kick: make(chan struct{}, 1)}
}

// Owns reports whether the shard is this instance's now.
func (l *leases) Owns(shard int) bool { return l.held[shard].Load() > time.Now().UnixMilli() }

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
	ticker := time.NewTicker(l.ttl / 5)
	defer ticker.Stop()
	for {
		l.renew(ctx)
		select {
		case <-ctx.Done():
			l.giveBack()
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
	until := time.Now().Add(l.ttl).UnixMilli()
	got, err := l.store.AcquireShards(ctx, want, l.owner, l.ttl)
	if err != nil {
		l.log.Debug().Err(err).Msg("leases not renewed")
		return
	}
	var spare []int
	kept := 0
	for i, s := range want {
		switch {
		case !got[i]:
			l.held[s].Store(0)
		case kept < target:
			l.held[s].Store(until)
			kept++
		default:
			l.held[s].Store(0)
			spare = append(spare, s)
		}
	}
	l.release(ctx, spare)
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
		if l.held[s].Load() > 0 {
			held = append(held, s)
		} else {
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

func (l *leases) giveBack() {
	var held []int
	for s := range l.held {
		if l.held[s].Swap(0) > 0 {
			held = append(held, s)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	l.release(ctx, held)
}
