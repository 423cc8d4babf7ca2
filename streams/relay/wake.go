package relay

import (
	"sync"
	"time"
)

// woken are the shards that are known to have entries.
type woken struct {
	mu     sync.Mutex // guards shards; held for no longer than it takes to copy them
	shards map[int]time.Time
	signal chan struct{} // holds one when a shard was added
}

func (w *woken) add(shard int) {
	w.mu.Lock()
	if _, known := w.shards[shard]; !known {
		w.shards[shard] = time.Now()
	}
	w.mu.Unlock()
	select {
	case w.signal <- struct{}{}:
	default: // one is waiting already, and it is for all
	}
}

// take returns the shards and when each was first added, and forgets them.
func (w *woken) take() map[int]time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.shards) == 0 {
		return nil
	}
	taken := w.shards
	w.shards = make(map[int]time.Time, len(taken))
	return taken
}
