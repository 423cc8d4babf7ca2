package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"tidemark/pkg/failpoint"
)

// Bounds are the offsets that a partition holds: First is there or would be the
// next, End is the next to be written.
type Bounds struct{ First, End int64 }

// Errors of Assign that an operator has to decide about.
var (
	// ErrGap: the log no longer holds the next offset to apply.
	ErrGap = errors.New("input is gone")
	// ErrWiped: the group has read the input, but the store knows nothing of it.
	ErrWiped = errors.New("the store is empty")
	// ErrRecreated: the log ends before the next offset to apply.
	ErrRecreated = errors.New("log is shorter than what was applied")
)

// Assign takes over partitions: it reads where each shard stands and returns the
// offsets to read from: where no shard ever moved, the earliest. committed are
// the group's offsets (-1: none); a store that knows nothing of a group that has
// read is refused.
func (e *Engine) Assign(ctx context.Context, committed map[Partition]int64, bounds map[Partition]Bounds) (map[Partition]int64, error) {
	for _, l := range e.lanes {
		for _, s := range l.shards {
			clear(s.positions)
		}
	}
	if err := e.readPositions(ctx, e.lanes...); err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.Assigned)
	e.Forget()
	clear(e.ends)
	e.walk = walk{}
	e.watermark, e.level = UnknownWatermark, UnknownWatermark
	// What came with a domain before this session may be read again in it, and so
	// may what came before a merge.
	e.loose, e.ragged = true, true
	if err := e.learn(ctx); err != nil {
		return nil, err
	}
	from := make(map[Partition]int64, len(bounds))
	fresh := map[Partition]int64{}
	for p, b := range bounds {
		start, moved, missing := e.lowest(p)
		at, known := committed[p]
		switch {
		case !moved:
			start = b.First
			fresh[p] = start
		case missing && (!known || at < 0):
			// A first Assign that ended in the middle: the group never got to commit.
			fresh[p] = start
		case missing:
			// A shard lost its positions, and so its accounts: all is still to come.
			start = 0
		}
		if start < b.First {
			return nil, fmt.Errorf("%w: %s/%d holds offsets from %d on, the next to apply is %d: retention was shorter than the time away; "+
				"run `tidemark rebuild --switch` to score what is left", ErrGap, p.Topic, p.ID, b.First, start)
		}
		if start > b.End {
			return nil, fmt.Errorf("%w: %s/%d ends at %d, applied up to %d: the topic was recreated; "+
				"restore it, or run `tidemark rebuild --switch` to score what there is now", ErrRecreated, p.Topic, p.ID, b.End, start)
		}
		from[p], e.ends[p] = start, start
	}
	if len(fresh) == 0 {
		return from, nil
	}
	if err := e.wiped(committed); err != nil {
		return nil, err
	}
	return from, e.run(ctx, Round{Ends: fresh, Everywhere: true, Watermark: UnknownWatermark})
}

// wiped refuses a store in which no shard ever moved although the group has read.
func (e *Engine) wiped(committed map[Partition]int64) error {
	for _, l := range e.lanes {
		for _, s := range l.shards {
			if len(s.positions) > 0 {
				return nil
			}
		}
	}
	for p, at := range committed {
		if at > 0 {
			return fmt.Errorf("%w: the group has read %s/%d up to %d, yet no state is stored: Redis lost its data, or the namespace is new; "+
				"restore Redis, or run `tidemark rebuild --switch` to score the whole log again",
				ErrWiped, p.Topic, p.ID, at)
		}
	}
	return nil
}

// lowest is the least of the shards' positions in a partition. moved is false
// where no shard has one, missing true where some shard has none.
func (e *Engine) lowest(p Partition) (low int64, moved, missing bool) {
	low = NoDue
	for _, l := range e.lanes {
		for _, s := range l.shards {
			at, ok := s.positions[p]
			if !ok {
				missing = true
				continue
			}
			low, moved = min(low, at), true
		}
	}
	return low, moved, missing
}

// Covered reports whether some shard moved past the offset: then everything up
// to it was dealt with outside the shards too, dead letters above all.
func (e *Engine) Covered(p Partition, offset int64) bool {
	for _, l := range e.lanes {
		for _, s := range l.shards {
			if s.positions[p] > offset {
				return true
			}
		}
	}
	return false
}

// Checkpoint moves the shards that saw nothing to where the others are, and
// returns the offsets that everything up to is stored. published is as in Round.
func (e *Engine) Checkpoint(ctx context.Context, published map[Partition]int64) (map[Partition]int64, error) {
	ends := maps.Clone(e.ends)
	return ends, e.run(ctx, Round{Ends: ends, Everywhere: true, Published: published, Watermark: UnknownWatermark})
}

// PublishedFrom is from where on a partition of the tier changes may hold what the
// stored states do not know, because a shard was set back. It is as of Assign.
func (e *Engine) PublishedFrom(p Partition) int64 {
	low, _, missing := e.lowest(p)
	if missing {
		return 0
	}
	return low
}

// ErrRewound is returned when the store stands behind what this process stored
// there: it was set back. The session must begin again from where it stands now.
var ErrRewound = errors.New("the store was set back")

// readPositions reads where all shards stand, once, for some lanes.
func (e *Engine) readPositions(ctx context.Context, lanes ...*lane) error {
	var all []map[Partition]int64
	err := e.retry(ctx, "read positions", func() (err error) {
		all, err = e.store.Positions(ctx)
		return err
	})
	for _, l := range lanes {
		if err == nil {
			err = l.stand(all)
		}
	}
	return err
}

// stand takes note of where the lane's shards stand.
func (l *lane) stand(all []map[Partition]int64) error {
	for n, s := range l.shards {
		for p, before := range s.positions {
			if now := all[n][p]; now < before {
				return fmt.Errorf("%w: shard %d stands at %d of %s/%d, it stood at %d", ErrRewound, n, now, p.Topic, p.ID, before)
			}
		}
		s.positions = all[n]
	}
	return nil
}
