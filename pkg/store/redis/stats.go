package redis

import (
	"maps"
	"sync"

	"tidemark/pkg/engine"
)

// Stats are figures for metrics, counted since Open.
type Stats struct {
	// Commits counts steps by how they ended: ok, shared (ok, but someone else
	// had written too), stale, conflict, failed.
	Commits map[string]uint64
	// Retries counts repeats by the class of the error before them.
	Retries map[Class]uint64
	// Of the connections: in use or idle now, idle now, closed as stale so far,
	// and calls that waited too long for one so far.
	Connections, Idle, Stale, PoolTimeouts uint32
}

// counters guards its maps by a mutex: a call counts once per batch, not per account.
type counters struct {
	mu      sync.Mutex
	commits map[string]uint64
	retries map[Class]uint64
}

func newCounters() counters {
	return counters{commits: map[string]uint64{}, retries: map[Class]uint64{}}
}

func (c *counters) retried(class Class) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retries[class]++
}

func (c *counters) committed(outcomes []engine.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range outcomes {
		c.commits[outcomeName(o)]++
	}
}

func outcomeName(o engine.Outcome) string {
	switch {
	case o.Result == engine.Stale:
		return "stale"
	case o.Result == engine.Conflict:
		return "conflict"
	case o.Result == engine.Failed:
		return "failed"
	case o.Shared:
		return "shared"
	}
	return "ok"
}

// Stats returns a copy of the figures.
func (s *Store) Stats() Stats {
	s.stats.mu.Lock()
	out := Stats{Commits: maps.Clone(s.stats.commits), Retries: maps.Clone(s.stats.retries)}
	s.stats.mu.Unlock()
	p := s.client.PoolStats()
	out.Connections, out.Idle, out.Stale, out.PoolTimeouts = p.TotalConns, p.IdleConns, p.StaleConns, p.Timeouts
	return out
}
