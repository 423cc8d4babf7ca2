package source

import (
	"math"

	"tidemark/scoring"
)

// entry is one input that waits in a queue.
type entry struct {
	event  *scoring.Event
	dead   any
	offset int64
	time   int64 // the event's: where it is read for the merge, the event is no longer at hand to the processor
	stamp  int64 // the record's timestamp
	more   bool  // the next entry is of the same record
	aside  bool
}

// chunk is what came with one answer.
type chunk struct {
	entries []entry
	memory  Memory // where their events are; nil: anywhere
}

// queue is what is read ahead of one partition, and how far.
type queue struct {
	chunks []chunk // none empty
	at     int     // the first waiting entry of chunks[0]
	size   int

	time, stamp int64 // the head's place in the merge, while size > 0

	position int64 // the next offset after what was handed out
	fetched  int64 // the next offset to fetch
	end      int64 // the log's end as last heard; unheard before
	lost     bool  // the last fetch failed
	full     bool  // the fetcher waits for room
	flow     int   // how many inputs went lately
	allowed  int   // how many more records may go, or Unlimited
	consumed int64

	given         Mark
	givenPosition int64
}

// unheard stands for a log's end that must be heard (again) first.
const unheard = int64(math.MaxInt64)

// drained says that nothing waits and that the log was last heard to hold no more.
func (q *queue) drained() bool { return q.size == 0 && q.fetched >= q.end }

// blocks says that nothing may go from any queue before this one was heard.
func (q *queue) blocks() bool { return q.allowed != 0 && q.size == 0 && !q.drained() }

func (q *queue) head() *entry { return &q.chunks[0].entries[q.at] }

func (q *queue) mark() Mark {
	m := Mark{CaughtUp: q.drained() && !q.lost, Consumed: q.consumed, Frontier: q.consumed, End: q.end, Stopped: q.allowed == 0}
	if q.size > 0 {
		m.Frontier = q.time
	}
	if q.end == unheard {
		m.End = -1
	}
	return m
}

// place computes the head's place in the merge.
func (q *queue) place() {
	head := q.head()
	q.stamp = head.stamp
	// A dead letter has no time of its own: it goes as soon as it is first.
	q.time = q.consumed
	if head.event != nil {
		q.time = head.time
	}
}

// drop takes the head away, and returns a chunk of which nothing is left.
func (q *queue) drop() (empty chunk, is bool) {
	q.at++
	q.size--
	if q.at < len(q.chunks[0].entries) {
		return chunk{}, false
	}
	empty = q.chunks[0]
	q.chunks[0] = chunk{}
	q.chunks, q.at = q.chunks[1:], 0
	return empty, true
}

// merger merges the queues of the assigned partitions by (event time, timestamp,
// rank of the topic, partition): queues are in the order of the latter two. It is a plain
// structure, to be guarded by its user.
type merger struct {
	queues []queue
	heap   []int   // queues that have a head that may go; the least is first
	spare  []chunk // to be used again
	taken  []chunk // likewise, once nobody looks at what take returned
	behind int     // queues that are neither drained nor have a head, and may give: nothing may go
	bound  int     // about how many inputs may wait
	flow   int     // how many went lately, of all queues
}

// newMerger makes a merger of queues that begin at these positions, in which about bound
// inputs may wait.
func newMerger(positions []int64, bound int) *merger {
	m := &merger{queues: make([]queue, len(positions)), behind: len(positions), bound: bound}
	for i, p := range positions {
		m.queues[i] = queue{position: p, fetched: p, end: unheard, consumed: math.MinInt64, givenPosition: p, given: Mark{Consumed: math.MinInt64}, allowed: Unlimited}
	}
	return m
}

// chunk is an empty chunk, used before where there is such a one.
func (m *merger) chunk() (c chunk) {
	if last := len(m.spare) - 1; last >= 0 {
		c, m.spare = m.spare[last], m.spare[:last]
	}
	return c
}

// settle says that nobody looks at what take returned any more.
func (m *merger) settle() {
	for i, c := range m.taken {
		m.free(c)
		m.taken[i] = chunk{}
	}
	m.taken = m.taken[:0]
}

// free takes back a chunk whose events nobody looks at.
func (m *merger) free(c chunk) {
	if c.memory != nil {
		c.memory.Free()
	}
	if len(m.spare) < 2*len(m.queues) {
		clear(c.entries)
		m.spare = append(m.spare, chunk{c.entries[:0], c.memory})
	}
}

// push adds what a fetch brought: the entries up to offset fetched, and the log's
// end. It reports whether a taker may find something new.
func (m *merger) push(i int, c chunk, fetched, end int64) bool {
	q := &m.queues[i]
	was := q.mark()
	blocked := q.blocks()
	q.fetched, q.end, q.lost = fetched, end, false
	if len(c.entries) > 0 {
		q.chunks = append(q.chunks, c)
		q.size += len(c.entries)
		if q.size == len(c.entries) {
			q.place()
			if q.allowed != 0 {
				m.add(i)
			}
		}
	}
	if len(c.entries) == 0 && c.memory != nil {
		m.free(c) // an answer without inputs
	}
	if q.size == 0 {
		q.position = fetched
	}
	switch blocks := q.blocks(); {
	case blocked && !blocks:
		m.behind--
	case !blocked && blocks:
		m.behind++
	}
	now := q.mark()
	return len(c.entries) > 0 || now.CaughtUp != was.CaughtUp || blocked && m.behind == 0
}

// lose notes that a fetch failed. The order goes on with what was heard, so that one
// broker's outage does not stop the others' events, but the mark does not vouch for the
// partition. It reports whether a taker may find something new.
func (m *merger) lose(i int) bool {
	q := &m.queues[i]
	was := q.mark()
	q.lost = true
	return was.CaughtUp
}

// room reports whether more inputs may wait of a queue. The merge goes until one of the
// queues runs out, so each may hold as much of the bound as lately went of it, and a little
// whatever went: all of them last about as long then, however much busier one is.
func (m *merger) room(i int) bool {
	q := &m.queues[i]
	even := m.bound / len(m.queues)
	if m.flow == 0 {
		return q.size < max(even, 1)
	}
	little := even / 8
	return q.size < max(little+(m.bound-little*len(m.queues))*q.flow/m.flow, 1)
}

// ebb has what went count for half once twice the bound went.
func (m *merger) ebb() {
	if m.flow < 2*m.bound {
		return
	}
	m.flow = 0
	for i := range m.queues {
		q := &m.queues[i]
		q.flow /= 2
		m.flow += q.flow
	}
}

// pause notes that the fetcher waits for room: when it goes on, what it heard of the
// log's end is old, so it has to hear again before the queue counts as drained. It
// returns false if there is room.
func (m *merger) pause(i int) bool {
	q := &m.queues[i]
	q.full = !m.room(i)
	if q.full {
		q.end = unheard
	}
	return q.full
}

// allow bounds how many more records of a queue may go. A queue of which none may
// is as if it were not there: the others do not wait for it, and its mark tells that
// it is not caught up as long as something waits.
func (m *merger) allow(i, records int) {
	m.queues[i].allowed = records
	m.heap, m.behind = m.heap[:0], 0
	for i := range m.queues {
		q := &m.queues[i]
		if q.blocks() {
			m.behind++
		}
		if q.size > 0 && q.allowed != 0 {
			m.add(i)
		}
	}
}

// take moves inputs to the end of out until it holds limit or none may go. It may
// be over by the rest of a record.
func (m *merger) take(out []Input, limit int, notAfter int64) []Input {
	for len(out) < limit && m.behind == 0 && len(m.heap) > 0 && !m.held(notAfter) {
		out = m.pop(out)
	}
	m.ebb()
	return out
}

// held says that the least head is an event later than notAfter.
func (m *merger) held(notAfter int64) bool {
	q := &m.queues[m.heap[0]]
	return q.time > notAfter && q.head().event != nil
}

// pop takes the whole record of the least head.
func (m *merger) pop(out []Input) []Input {
	i := m.heap[0]
	q := &m.queues[i]
	for more := true; more; {
		e := q.head()
		more = e.more
		if e.event != nil {
			q.consumed = max(q.consumed, e.time)
		}
		out = append(out, Input{Event: e.event, Part: i, Offset: e.offset, Dead: e.dead, Aside: e.aside})
		q.position = e.offset + 1
		q.flow++
		m.flow++
		if empty, is := q.drop(); is {
			m.taken = append(m.taken, empty)
		}
	}
	if q.allowed > 0 {
		q.allowed--
	}
	if q.size > 0 {
		q.place()
	} else {
		q.position = q.fetched
	}
	if q.size == 0 || q.allowed == 0 {
		m.heap[0] = m.heap[len(m.heap)-1]
		m.heap = m.heap[:len(m.heap)-1]
	}
	if q.blocks() {
		m.behind++
	}
	m.down()
	return out
}

// news says whether the marks tell more than they did when last given: a partition
// was caught up or fell behind, or everything that waits is held back and what waits is other.
func (m *merger) news(notAfter int64) bool {
	stalled := m.behind == 0 && len(m.heap) > 0 && m.held(notAfter)
	for i := range m.queues {
		q := &m.queues[i]
		now := q.mark()
		if now.CaughtUp != q.given.CaughtUp || stalled && now.Frontier != q.given.Frontier {
			return true
		}
	}
	return false
}

// give returns the marks, and calls moved for each queue whose position is new.
func (m *merger) give(moved func(i int, position int64)) []Mark {
	marks := make([]Mark, len(m.queues))
	for i := range m.queues {
		q := &m.queues[i]
		q.given = q.mark()
		marks[i] = q.given
		if q.position != q.givenPosition {
			q.givenPosition = q.position
			moved(i, q.position)
		}
	}
	return marks
}

// waiting is how many inputs all queues hold.
func (m *merger) waiting() (n int) {
	for i := range m.queues {
		n += m.queues[i].size
	}
	return n
}

func (m *merger) less(a, b int) bool {
	p, q := &m.queues[a], &m.queues[b]
	if p.time != q.time {
		return p.time < q.time
	}
	if p.stamp != q.stamp {
		return p.stamp < q.stamp
	}
	return a < b
}

// add puts a queue into the heap.
func (m *merger) add(i int) {
	m.heap = append(m.heap, i)
	for c := len(m.heap) - 1; c > 0; {
		parent := (c - 1) / 2
		if !m.less(m.heap[c], m.heap[parent]) {
			return
		}
		m.heap[c], m.heap[parent] = m.heap[parent], m.heap[c]
		c = parent
	}
}

// down puts the first of the heap where it belongs.
func (m *merger) down() {
	for p := 0; ; {
		least := p
		for c := 2*p + 1; c <= 2*p+2 && c < len(m.heap); c++ {
			if m.less(m.heap[c], m.heap[least]) {
				least = c
			}
		}
		if least == p {
			return
		}
		m.heap[p], m.heap[least] = m.heap[least], m.heap[p]
		p = least
	}
}
