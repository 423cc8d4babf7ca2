package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/pkg/engine"
)

// Session is the time during which this instance owns its partitions. Next is for
// one caller at a time; the other methods may be called by any.
type Session struct {
	source *Source
	member member
	parts  []engine.Partition

	// ctx ends with the generation or with Close, whichever is first.
	ctx      context.Context
	end      context.CancelFunc
	released chan struct{} // closed by Close: the group may go on without us
	once     sync.Once
	fetching sync.WaitGroup
	gather   gatherer
	wake     chan struct{} // told when the merge may have something new

	mu       sync.Mutex // guards what follows; nothing blocks while it is held
	merge    *merger    // nil before Start
	fetchers []*fetcher
	inputs   []Input // memory of the latest batch
	answered []int64 // by partition: wall instant of the latest answer, Unix milliseconds
	handed   []int64 // by partition: the next offset that was never handed out
	failure  error
}

// member is as whom a session commits.
type member struct {
	generation int
	id         string
}

func newSession(s *Source, gen *kafka.Generation) *Session {
	ctx, end := context.WithCancel(context.Background())
	se := &Session{
		source:   s,
		member:   member{int(gen.ID), gen.MemberID},
		parts:    assigned(s.cfg.Topics, gen.Assignments),
		ctx:      ctx,
		end:      end,
		released: make(chan struct{}),
		wake:     make(chan struct{}, 1),
	}
	// The generation ends when this function returns, and the group cannot go on
	// before it has: it waits for Close, so that nobody gets a partition while its events
	// are still being applied here.
	gen.Start(func(generation context.Context) {
		select {
		case <-generation.Done():
		case <-se.ctx.Done():
		}
		se.end()
		<-se.released
	})
	return se
}

// assigned lists partitions by rank of the topic and number.
func assigned(topics []string, assignments map[string][]kafka.PartitionAssignment) (parts []engine.Partition) {
	for _, topic := range topics {
		first := len(parts)
		for _, a := range assignments[topic] {
			parts = append(parts, engine.Partition{Topic: topic, ID: a.ID})
		}
		slices.SortFunc(parts[first:], func(a, b engine.Partition) int { return a.ID - b.ID })
	}
	return parts
}

// Partitions are the assigned partitions, by rank of the topic and number; there
// may be none. The caller does not change the slice.
func (se *Session) Partitions() []engine.Partition { return se.parts }

// Committed returns the group's committed offsets of the assigned partitions, -1
// where there is none.
func (se *Session) Committed(ctx context.Context) (map[engine.Partition]int64, error) {
	return retry(ctx, se, func(ctx context.Context) (map[engine.Partition]int64, error) {
		return se.source.committed(ctx, se.parts)
	})
}

// Bounds returns what the logs of the assigned partitions hold.
func (se *Session) Bounds(ctx context.Context) (map[engine.Partition]Bounds, error) {
	return retry(ctx, se, func(ctx context.Context) (map[engine.Partition]Bounds, error) {
		return se.source.bounds(ctx, se.parts)
	})
}

// Start begins to fetch each assigned partition from the offset given for it, -1
// for the earliest. It is called once. An offset that the log does not hold is an
// OffsetError for each such partition, joined, and nothing is fetched.
func (se *Session) Start(ctx context.Context, from map[engine.Partition]int64) error {
	bounds, err := se.Bounds(ctx)
	if err != nil {
		return fmt.Errorf("start reading: %w", err)
	}
	positions := make([]int64, len(se.parts))
	var faults []error
	for i, p := range se.parts {
		offset, ok := from[p]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("start reading: no offset is given for %s/%d", p.Topic, p.ID))
		case offset == -1:
			positions[i] = bounds[p].First
		default:
			positions[i] = offset
			faults = append(faults, bounds[p].check(p, offset))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return se.launch(positions)
}

func (se *Session) launch(positions []int64) error {
	se.mu.Lock()
	defer se.mu.Unlock()
	if se.merge != nil {
		return errors.New("start reading: the session is started already")
	}
	if se.ctx.Err() != nil {
		return ErrEnded
	}
	se.merge = newMerger(positions, se.source.cfg.BufferEvents)
	se.answered = make([]int64, len(positions))
	se.handed = se.source.handedOut(se.parts)
	for i, p := range se.parts {
		f := &fetcher{session: se, index: i, partition: p, offset: positions[i], hear: true, room: make(chan struct{}, 1)}
		se.fetchers = append(se.fetchers, f)
		se.fetching.Go(func() { f.run(se.ctx) })
	}
	return nil
}

// Next returns the next inputs of the merged sequence. It waits only while there
// is nothing to tell: neither an input, nor a partition that was caught up or fell behind,
// nor, where want.NotAfter holds back all that waits, another input that waits first.
// At want.Deadline it returns what there is.
//
// After ErrEnded, and after any error but ctx's own, only Close makes sense.
func (se *Session) Next(ctx context.Context, want Want) (*Batch, error) {
	var deadline <-chan time.Time
	if !want.Deadline.IsZero() {
		t := time.NewTimer(time.Until(want.Deadline))
		defer t.Stop()
		deadline = t.C
	}
	for due := false; ; {
		if err := se.over(); err != nil {
			return nil, err
		}
		if b := se.batch(want, due); b != nil {
			return b, nil
		}
		select {
		case <-se.wake:
		case <-deadline:
			due = true
		case <-se.ctx.Done():
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Unlimited lets all records of a topic go.
const Unlimited = -1

// Allow bounds how many more records of each partition of a topic are handed out, 0
// for none. What is held back stays in the log and, up to the bound of the read-ahead, in the
// buffer; the other partitions go on without it. A session begins with Unlimited.
// It is for the caller of Next, after Start.
func (se *Session) Allow(topic string, records int) {
	se.mu.Lock()
	for i, p := range se.parts {
		if p.Topic == topic && se.merge != nil {
			se.merge.allow(i, max(records, Unlimited))
		}
	}
	se.mu.Unlock()
	se.tell()
}

// over is why there is nothing more to come, or nil.
func (se *Session) over() error {
	se.mu.Lock()
	defer se.mu.Unlock()
	switch {
	case se.failure != nil:
		return se.failure
	case se.ctx.Err() != nil:
		return ErrEnded
	case se.merge == nil:
		return errors.New("the session is not started")
	}
	return nil
}

// batch takes what may go, or returns nil if nothing would be news.
func (se *Session) batch(want Want, due bool) *Batch {
	limit := max(want.Max, 1)
	se.mu.Lock()
	defer se.mu.Unlock()
	se.merge.settle()
	clear(se.inputs)
	se.inputs = se.inputs[:0]
	if se.merge.behind == 0 && len(se.merge.heap) > 0 {
		se.inputs = se.merge.take(slices.Grow(se.inputs, min(limit, se.merge.waiting())), limit, want.NotAfter)
	}
	inputs := se.inputs
	if len(inputs) == 0 && !due && !se.merge.news(want.NotAfter) {
		return nil
	}
	b := &Batch{Inputs: inputs, Ends: make(map[engine.Partition]int64)}
	b.Marks = se.merge.give(func(i int, position int64) { b.Ends[se.parts[i]] = position })
	se.doubt(b.Marks)
	se.makeRoom()
	se.source.metrics.count(inputs, se.handed)
	return b
}

// doubt takes "caught up" from partitions whose log has not answered lately, as
// after a pause of the process: what came meanwhile is not known yet.
func (se *Session) doubt(marks []Mark) {
	oldest := time.Now().Add(-se.source.cfg.FetchMaxWait - silence).UnixMilli()
	for i := range marks {
		marks[i].CaughtUp = marks[i].CaughtUp && se.answered[i] >= oldest
	}
}

// silence is how much longer than a fetch waits a log may be silent before it no
// longer counts as caught up.
const silence = 500 * time.Millisecond

// makeRoom lets go on the fetchers whose buffers are no longer full.
func (se *Session) makeRoom() {
	for i, f := range se.fetchers {
		if q := &se.merge.queues[i]; q.full && se.merge.room(i) {
			q.full = false
			f.room <- struct{}{} // has room for one, and full is told once
		}
	}
}

// chunk has room for n entries.
func (se *Session) chunk(n int) chunk {
	se.mu.Lock()
	c := se.merge.chunk()
	se.mu.Unlock()
	if memory := se.source.cfg.Memory; c.memory == nil && memory != nil {
		c.memory = memory()
	}
	c.entries = slices.Grow(c.entries, n)
	return c
}

// push adds what a fetch brought, and reports whether the merge is to be told.
func (se *Session) push(i int, c chunk, fetched, end int64) (news bool) {
	se.mu.Lock()
	defer se.mu.Unlock()
	se.answered[i] = time.Now().UnixMilli()
	return se.merge.push(i, c, fetched, end)
}

func (se *Session) fail(err error) {
	if setup := setupError(err); setup != nil {
		err = setup
	}
	se.mu.Lock()
	if se.failure == nil {
		se.failure = err
	}
	se.mu.Unlock()
	se.tell()
}

func (se *Session) tell() {
	select {
	case se.wake <- struct{}{}:
	default:
	}
}

// Commit writes offsets as the group's: for the tools that watch it and for a first
// start elsewhere. Best effort: a failed commit needs no retry, as the next one covers it.
// It never takes effect once the generation is over.
func (se *Session) Commit(ctx context.Context, offsets map[engine.Partition]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	if se.ctx.Err() != nil {
		return ErrEnded
	}
	ctx, cancel := context.WithTimeout(ctx, se.source.cfg.RequestTimeout)
	defer cancel()
	return se.source.commit(ctx, se.member, offsets)
}

// Close stops fetching, waits for the fetchers to end, and lets the group go on:
// to the next generation if this one is over, else by leaving it early. It is to be called
// when all that came from the session is done or given up. It may be called again.
func (se *Session) Close() {
	// Under the lock, so that a Start under way either sees the end or has its
	// fetchers waited for.
	se.mu.Lock()
	se.end()
	se.mu.Unlock()
	se.fetching.Wait()
	se.once.Do(func() {
		se.mu.Lock()
		se.source.noteHanded(se.parts, se.handed)
		se.mu.Unlock()
		close(se.released)
	})
}
