package storetest

import (
	"context"
	"testing"
	"time"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

// Outbox is what a relay needs.
type Outbox interface {
	Outbox(ctx context.Context, shard int, after string, limit int) ([]store.Entry, error)
	Trim(ctx context.Context, shard int, ids []string) (removed int, err error)
	OutboxDepth(ctx context.Context) (int64, error)
	PendingShards(ctx context.Context, shards []int) ([]int, error)
	Wake(ctx context.Context, shard int) error
	Wakes(ctx context.Context) (<-chan int, func())
}

// Leases is what several instances need to share work.
type Leases interface {
	Acquire(ctx context.Context, name, owner string, ttl time.Duration) (bool, error)
	Release(ctx context.Context, name, owner string) error
	AcquireShards(ctx context.Context, shards []int, owner string, ttl time.Duration) ([]bool, error)
	ReleaseShards(ctx context.Context, shards []int, owner string) error
}

// Aliases is what resolves domains to accounts.
type Aliases interface {
	ResolveAliases(ctx context.Context, domains []string) (map[string]string, error)
	ClaimAliases(ctx context.Context, claims []store.Alias) error
	ReleaseAliases(ctx context.Context, account string, domains []string) error
}

// Users is what is known of users.
type Users interface {
	LoadUsers(ctx context.Context, users []uint64) ([][]byte, error)
	SwapUsers(ctx context.Context, swaps []store.UserSwap) ([]int, error)
}

// Dictionary is what all instances know together: names, watermarks, models.
type Dictionary interface {
	Names(ctx context.Context, want []string) ([]string, error)
	PutWatermarks(ctx context.Context, marks map[engine.Partition]store.Watermark) error
	Watermarks(ctx context.Context) (map[engine.Partition]store.Watermark, error)
	AddModel(ctx context.Context, m store.Model) error
	Models(ctx context.Context) ([]store.Model, error)
	LatestModel(ctx context.Context) (m store.Model, found bool, err error)
}

// Listing is what consoles and rescoring walk.
type Listing interface {
	AccountsByTier(ctx context.Context, tier, cursor string, limit int) ([]string, string, error)
	Scan(ctx context.Context, shard int, cursor uint64, limit int) ([]engine.Record, uint64, error)
}

// Extras is everything beside the contract.
type Extras interface {
	engine.Store
	Outbox
	Leases
	Aliases
	Users
	Dictionary
	Listing
}

// RunExtras checks the extras as Run checks the contract.
func RunExtras(t *testing.T, fresh func(t *testing.T) func() Extras) {
	for name, test := range map[string]func(*testing.T, func() Extras){
		"the outbox is in the order of commits":              outboxOrder,
		"the outbox is read in pages and trimmed":            outboxPages,
		"a step takes entries out of the outbox, or nothing": outboxDrops,
		"pending shards and depth":                           outboxDepth,
		"a wake reaches all who listen":                      wakes,
		"wakes end with their context":                       wakesEnd,
		"a lease has one owner, who renews it":               leases,
		"a lease ends by itself":                             leaseEnds,
		"leases of shards in one call":                       shardLeases,
		"the later claim of a domain has it":                 aliasClaims,
		"a domain is released by who has it":                 aliasRelease,
		"users are swapped if they are what they were":       userSwaps,
		"many users are swapped at once":                     manyUsers,
		"names are numbered once":                            names,
		"names appended at once have one number":             namesAtOnce,
		"watermarks are replaced by partition":               watermarks,
		"models are a list without repeats":                  models,
		"listings by tier follow the writes":                 tiers,
		"an account that is removed leaves every listing":    tierRemoval,
		"a due instant goes along from tier to tier":         dueByTier,
		"a listing in pages has each account once, in order": tierPages,
		"a scan meets every account":                         scan,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// within is how long the suites wait for what another goroutine or a clock does.
const within = 10 * time.Second

// eventually asks again and again until ok: for what only a clock brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
