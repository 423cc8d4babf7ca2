package memory

import (
	"maps"
	"slices"
)

// Save remembers some shards as they are. The function that it returns sets them back to
// that, as a node that loses what it wrote last does, and may be called once.
func (s *Store) Save(shards ...int) (setBack func()) {
	s.space.mu.Lock()
	defer s.space.mu.Unlock()
	saved := map[int]*shard{}
	for _, n := range shards {
		saved[n] = s.space.shards[n].copy()
	}
	return func() {
		s.space.mu.Lock()
		defer s.space.mu.Unlock()
		for n, sh := range saved {
			sh.commits = s.space.shards[n].commits + 1 // nobody takes it for the one that it saw
			s.space.shards[n] = sh
		}
	}
}

// copy is the shard with maps and lists of its own. What they hold is never changed in place.
func (sh *shard) copy() *shard {
	out := *sh
	out.positions, out.records = maps.Clone(sh.positions), maps.Clone(sh.records)
	out.numbers, out.due = maps.Clone(sh.numbers), maps.Clone(sh.due)
	out.outbox = slices.Clone(sh.outbox)
	out.tiers = map[string]map[string]bool{}
	for tier, accounts := range sh.tiers {
		out.tiers[tier] = maps.Clone(accounts)
	}
	return &out
}
