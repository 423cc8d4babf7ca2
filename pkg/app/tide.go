package app

import (
	"context"
	"fmt"
	"math"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/streams/source"
)

// Watermarks is where instances tell each other how far they are.
type Watermarks interface {
	PutWatermarks(ctx context.Context, marks map[engine.Partition]store.Watermark) error
	Watermarks(ctx context.Context) (map[engine.Partition]store.Watermark, error)
}

// tide keeps the low watermark: the least, over all input partitions of every
// instance, of "now" where the partition is caught up and the time of its latest
// consumed event where it is not (SPEC 4).
type tide struct {
	marks   Watermarks
	maxLead int64 // milliseconds

	mine   []engine.Partition
	others []engine.Partition // partitions of other instances
	own    []source.Mark
	theirs map[engine.Partition]store.Watermark
	level  int64
	asOf   int64 // the instant that the own marks vouch for, Unix milliseconds
}

func newTide(m Watermarks, maxLead int64) *tide {
	return &tide{marks: m, maxLead: maxLead, level: engine.UnknownWatermark}
}

// assign begins a session. The level begins anew: the store may have been set
// back, or partitions taken over that are far behind.
func (t *tide) assign(mine, all []engine.Partition) {
	t.mine, t.own, t.others, t.theirs = mine, nil, nil, nil
	t.level = engine.UnknownWatermark
	owned := make(map[engine.Partition]bool, len(mine))
	for _, p := range mine {
		owned[p] = true
	}
	for _, p := range all {
		if !owned[p] {
			t.others = append(t.others, p)
		}
	}
}

// alone reports whether all partitions are this instance's.
func (t *tide) alone() bool { return len(t.others) == 0 }

// rise takes the marks after a batch and returns the low watermark. It falls only
// where the clock was set back: what is due by a clock that was wrong is not due.
func (t *tide) rise(marks []source.Mark, now int64) int64 {
	t.own, t.asOf = marks, now
	t.level = min(t.level, now)
	low := int64(math.MaxInt64)
	for _, m := range marks {
		low = min(low, consumed(m, now))
	}
	for _, p := range t.others {
		w, ok := t.theirs[p]
		if !ok {
			return t.level
		}
		low = min(low, w.Consumed)
	}
	if low == math.MaxInt64 {
		return t.level
	}
	t.level = max(t.level, low)
	return t.level
}

func consumed(m source.Mark, now int64) int64 {
	if m.CaughtUp {
		return now
	}
	return min(m.Consumed, now)
}

// frontier is the time before which the partition has nothing more to give. One
// that is stopped gives nothing: nobody is to wait for it.
func frontier(m source.Mark, now int64) int64 {
	if m.CaughtUp || m.Stopped {
		return now
	}
	return max(m.Frontier, m.Consumed)
}

// limit is the latest event time that may be applied: no instance runs more than
// max_lead ahead of the others. The bound is taken from what waits next, not from
// what was consumed, so that the least event anywhere may always be applied.
func (t *tide) limit() int64 {
	low := int64(math.MaxInt64)
	for _, p := range t.others {
		w, ok := t.theirs[p]
		if !ok {
			return math.MinInt64
		}
		low = min(low, w.Frontier)
	}
	if low > math.MaxInt64-t.maxLead {
		return math.MaxInt64
	}
	return low + t.maxLead
}

// exchange tells the others where this instance is, and asks where they are.
func (t *tide) exchange(ctx context.Context) error {
	if err := t.note(ctx); err != nil {
		return err
	}
	theirs, err := t.marks.Watermarks(ctx)
	if err != nil {
		return fmt.Errorf("read watermarks: %w", err)
	}
	t.theirs = theirs
	return nil
}

// note stores where this instance is: for others, and for its own next start. It
// is as of the latest batch, however long ago that was. The frontier is noted as
// soon as it is known, since it lets others go on; what was consumed stays as it
// was stored before while nothing is.
func (t *tide) note(ctx context.Context) error {
	mine := make(map[engine.Partition]store.Watermark, len(t.mine))
	for i, m := range t.own {
		w := store.Watermark{Consumed: consumed(m, t.asOf), Frontier: frontier(m, t.asOf)}
		if stored, ok := t.theirs[t.mine[i]]; ok && w.Consumed == math.MinInt64 {
			w.Consumed = stored.Consumed
		}
		if w.Frontier != math.MinInt64 {
			mine[t.mine[i]] = w
		}
	}
	if len(mine) == 0 {
		return nil
	}
	if err := t.marks.PutWatermarks(ctx, mine); err != nil {
		return fmt.Errorf("put watermarks: %w", err)
	}
	return nil
}
