package relay

import (
	"slices"
	"sync"
)

// mostHanded is how many bytes of handed over entries wait in memory at most. What
// comes beyond it is read from its outbox.
const mostHanded = 8 << 20

// handed are entries that came straight from who appended them.
type handed struct {
	mu     sync.Mutex // guards what follows; nothing blocks while it is held
	limit  int
	bytes  int
	count  int
	shards map[int]*queue
}

// queue is what was handed over of a shard: entries that follow one another.
type queue struct {
	after   string // the entry before the first
	entries []Entry
	doubt   bool // there may be others: the outbox is to be read
}

func (h *handed) add(shard int, after string, entries []Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.shards[shard]
	if q == nil {
		q = &queue{after: after, doubt: after == "" || len(entries) == 0}
		h.shards[shard] = q
	}
	n := size(entries)
	if last := len(q.entries); q.doubt || last > 0 && q.entries[last-1].ID != after || h.bytes+n > h.limit {
		h.drop(q)
		return
	}
	q.entries = append(q.entries, entries...)
	h.bytes += n
	h.count += len(entries)
}

// waiting is how many entries are held.
func (h *handed) waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// doubt says that a shard may have entries that nobody hands over.
func (h *handed) doubt(shard int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.shards[shard]
	if q == nil {
		q = &queue{}
		h.shards[shard] = q
	}
	h.drop(q)
}

// drop forgets the entries of a queue, which are to be read then. The caller holds mu.
func (h *handed) drop(q *queue) {
	h.bytes -= size(q.entries)
	h.count -= len(q.entries)
	q.entries, q.doubt = nil, true
}

// take hands out at most limit entries of a shard that follow the one named by known,
// and whether there are more. ok is false where that can't be told: all is to be read.
func (h *handed) take(shard int, known string, limit int) (entries []Entry, more, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.shards[shard]
	if q == nil {
		return nil, false, false
	}
	h.bytes -= size(q.entries)
	h.count -= len(q.entries)
	delete(h.shards, shard)
	if q.doubt || known == "" {
		return nil, false, false
	}
	if entries = q.entries; known != q.after {
		at := slices.IndexFunc(entries, func(e Entry) bool { return e.ID == known })
		if at < 0 {
			return nil, false, false
		}
		entries = entries[at+1:] // what was read meanwhile
	}
	if len(entries) <= limit {
		return entries, false, true
	}
	rest := entries[limit:]
	h.bytes += size(rest)
	h.count += len(rest)
	h.shards[shard] = &queue{after: entries[limit-1].ID, entries: rest}
	return entries[:limit:limit], true, true
}

func size(entries []Entry) (n int) {
	for i := range entries {
		n += len(entries[i].Account) + len(entries[i].Value) + len(entries[i].Trace)
	}
	return n
}
