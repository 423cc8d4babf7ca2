package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

// Store is one process's view of a namespace in memory. Its methods may be called
// by several goroutines. They fail only when ctx has ended.
type Store struct {
	space *space
	// By shard, guarded by space.mu: the commit that was this Store's last, whether someone
	// else had written before it, and whether its last step there ended otherwise than plainly
	// stored.
	seen      []uint64
	shared    []bool
	disturbed []bool
}

var _ engine.Store = (*Store)(nil)

// space is what all Stores of a namespace share.
type space struct {
	// mu guards everything below and every Store's seen. Commits of whole batches
	// are one critical section; nothing blocks inside.
	mu         sync.Mutex
	shards     []*shard
	leases     map[string]lease
	aliases    map[string]store.Alias
	users      map[uint64][]byte
	names      []string
	watermarks map[engine.Partition]store.Watermark
	models     []store.Model
	listeners  map[chan int]struct{}
}

// shard is what Redis keeps under one hash tag.
type shard struct {
	commits   uint64 // how many there were; its value names the last one
	positions map[engine.Partition]int64
	records   map[string]engine.Record
	numbers   map[string]uint64 // of the stored accounts, in the order of their first write
	numbered  uint64
	due       map[string]int64
	tiers     map[string]map[string]bool
	outbox    []store.Entry
	entries   uint64 // how many there ever were: the next entry's number
}

type lease struct {
	owner string
	until time.Time
}

// New makes an empty namespace.
func New(shards int) *Store {
	s := &space{
		leases: map[string]lease{}, aliases: map[string]store.Alias{}, users: map[uint64][]byte{},
		watermarks: map[engine.Partition]store.Watermark{}, listeners: map[chan int]struct{}{},
	}
	for range shards {
		s.shards = append(s.shards, &shard{
			positions: map[engine.Partition]int64{}, records: map[string]engine.Record{},
			numbers: map[string]uint64{}, due: map[string]int64{}, tiers: map[string]map[string]bool{},
		})
	}
	return newStore(s, shards)
}

// Peer makes another Store on the same namespace, as another process has it.
func (s *Store) Peer() *Store {
	return newStore(s.space, len(s.seen))
}

func newStore(s *space, shards int) *Store {
	return &Store{space: s, seen: make([]uint64, shards), shared: make([]bool, shards), disturbed: make([]bool, shards)}
}

// Shards is what New was given.
func (s *Store) Shards() int { return len(s.space.shards) }

// lock begins a critical section on a shard, or says why there is none.
func (s *Store) lock(ctx context.Context, shards ...int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, n := range shards {
		if n < 0 || n >= s.Shards() {
			return fmt.Errorf("shard %d is not between 0 and %d", n, s.Shards()-1)
		}
	}
	s.space.mu.Lock()
	return nil
}

// Positions implements engine.Store.
func (s *Store) Positions(ctx context.Context) ([]map[engine.Partition]int64, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	out := make([]map[engine.Partition]int64, s.Shards())
	for i, sh := range s.space.shards {
		out[i] = maps.Clone(sh.positions)
	}
	return out, nil
}

// Load implements engine.Store.
func (s *Store) Load(ctx context.Context, wanted ...engine.Wanted) ([]engine.Record, error) {
	shards := make([]int, len(wanted))
	for i := range wanted {
		shards[i] = wanted[i].Shard
	}
	if err := s.lock(ctx, shards...); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	var out []engine.Record
	for _, w := range wanted {
		for _, account := range w.Accounts {
			r := s.space.shards[w.Shard].records[account]
			r.Account = account
			out = append(out, clone(r))
		}
	}
	return out, nil
}

func clone(r engine.Record) engine.Record {
	r.State, r.Profile = bytes.Clone(r.State), bytes.Clone(r.Profile)
	return r
}

// Due implements engine.Store. Of one instant, accounts come in the order of their bytes.
func (s *Store) Due(ctx context.Context, shards []int, upTo int64, limit int) ([]engine.DueList, error) {
	if err := s.lock(ctx, shards...); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	out := make([]engine.DueList, len(shards))
	for i, n := range shards {
		sh, list := s.space.shards[n], engine.DueList{Next: engine.NoDue}
		for account, at := range sh.due {
			if at <= upTo {
				list.Accounts = append(list.Accounts, engine.Due{Account: account, At: at, Tier: sh.tierOf(account)})
			} else {
				list.Next = min(list.Next, at)
			}
		}
		slices.SortFunc(list.Accounts, func(a, b engine.Due) int {
			return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Account, b.Account))
		})
		if room := max(limit, 0); len(list.Accounts) > room {
			list.Accounts, list.Next = list.Accounts[:room], list.Accounts[room].At
		}
		out[i] = list
	}
	return out, nil
}

// tierOf is the listing in which an account is, "" for none.
func (sh *shard) tierOf(account string) string {
	for tier, accounts := range sh.tiers {
		if accounts[account] {
			return tier
		}
	}
	return ""
}

// NextDue implements engine.Store.
func (s *Store) NextDue(ctx context.Context, shards []int) ([]int64, error) {
	if err := s.lock(ctx, shards...); err != nil {
		return nil, err
	}
	defer s.space.mu.Unlock()
	out := make([]int64, len(shards))
	for i, n := range shards {
		out[i] = engine.NoDue
		for _, at := range s.space.shards[n].due {
			out[i] = min(out[i], at)
		}
	}
	return out, nil
}
