package relay

import (
	"context"
	"maps"
	"sync"

	"tidemark/pkg/failpoint"
)

// trims removes published entries from their outboxes while others are published already:
// what came in meanwhile goes as soon as the trip before is over.
type trims struct {
	failed func(shard int) // is told of each failure once results has it

	mu       sync.Mutex // guards what follows; nothing blocks while it is held
	waiting  map[int][]Entry
	under    map[int][]Entry // on their way
	ended    chan struct{}   // closed when nothing waits any more; nil: nothing is under way
	done     bool            // something was trimmed since results was asked
	failures []trimFailure
}

// trimFailure is what could not be trimmed, and why.
type trimFailure struct {
	shard   int
	entries []Entry
	err     error
}

// add has entries trimmed.
func (t *trims) add(ctx context.Context, o Outbox, shard int, entries []Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == nil {
		t.waiting = map[int][]Entry{}
	}
	t.waiting[shard] = append(t.waiting[shard], entries...)
	if t.ended == nil {
		t.ended = make(chan struct{})
		go t.work(ctx, o)
	}
}

// work trims until nothing waits.
func (t *trims) work(ctx context.Context, o Outbox) {
	for t.next() {
		failures := trimAll(ctx, o, t.under)
		failpoint.Hit(failpoint.RelayTrimmed)
		t.mu.Lock()
		t.done = true
		t.failures = append(t.failures, failures...)
		t.mu.Unlock()
		for _, f := range failures {
			t.failed(f.shard)
		}
	}
}

// next takes what waits, or ends the work.
func (t *trims) next() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.under, t.waiting = t.waiting, nil
	if len(t.under) == 0 {
		close(t.ended)
		t.ended = nil
		return false
	}
	return true
}

func trimAll(ctx context.Context, o Outbox, shards map[int][]Entry) (failures []trimFailure) {
	var mu sync.Mutex // guards failures
	each(maps.Keys(shards), func(n int) {
		if err := o.Trim(ctx, n, idsOf(shards[n])); err != nil {
			mu.Lock()
			defer mu.Unlock()
			failures = append(failures, trimFailure{n, shards[n], err})
		}
	})
	return failures
}

// wait returns when nothing is being trimmed.
func (t *trims) wait() {
	t.mu.Lock()
	ended := t.ended
	t.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// shards are those of which something is being trimmed.
func (t *trims) shards() map[int]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	busy := map[int]bool{}
	for _, some := range []map[int][]Entry{t.waiting, t.under} {
		for n := range some {
			busy[n] = true
		}
	}
	return busy
}

// results are what failed since they were asked for last, and whether anything was done.
func (t *trims) results() (done bool, failures []trimFailure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	done, failures = t.done, t.failures
	t.done, t.failures = false, nil
	return done, failures
}
