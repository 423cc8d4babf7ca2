package engine

import (
	"context"
	"errors"
	"fmt"
)

// Bounds are the offsets that a partition holds: First is there or would be the
// next, End is the next to be written.
type Bounds struct{ First, End int64 }

// Errors of Assign that an operator has to decide about.
var (
	// ErrGap: the log no longer holds the next offset to apply.
	ErrGap = errors.New("input is gone")
	// ErrRecreated: the log ends before the next offset to apply.
	ErrRecreated = errors.New("log is shorter than what was applied")
)

// Assign takes over partitions: it reads where each shard stands and returns the
// offsets to read from. committed are the group's offsets (-1: none), which
// decide where no shard ever moved.
func (e *Engine) Assign(ctx context.Context, committed map[Partition]int64, bounds map[Partition]Bounds) (map[Partition]int64, error) {
	for _, l := range e.lanes {
		if err := l.readPositions(ctx); err != nil {
			return nil, err
		}
	}
	e.Forget()
	clear(e.ends)
	from := make(map[Partition]int64, len(bounds))
	fresh := map[Partition]int64{}
	for p, b := range bounds {
		start, moved := e.lowest(p)
		if !moved {
			start = max(committed[p], b.First)
			fresh[p] = start
		}
		if start < b.First {
			return nil, fmt.Errorf("%w: %s/%d holds offsets from %d on, the next to apply is %d: retention was shorter than the time away; "+
				"`tidemark rebuild` starts anew from what is left", ErrGap, p.Topic, p.ID, b.First, start)
		}
		if start > b.End {
			return nil, fmt.Errorf("%w: %s/%d ends at %d, applied up to %d: the topic was recreated; "+
				"use another namespace, or restore the topic", ErrRecreated, p.Topic, p.ID, b.End, start)
		}
		from[p], e.ends[p] = start, start
	}
	if len(fresh) == 0 {
		return from, nil
	}
	return from, e.run(ctx, Round{Ends: fresh, Everywhere: true, Watermark: UnknownWatermark})
}

// lowest is the least of the shards' positions in a partition; false where no
// shard ever moved. A shard without a position has everything still to come.
func (e *Engine) lowest(p Partition) (int64, bool) {
	low, moved := NoDue, false
	for _, l := range e.lanes {
		for _, s := range l.shards {
			at, ok := s.positions[p]
			low, moved = min(low, at), moved || ok
		}
	}
	return low, moved
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
// returns the offsets that everything up to is stored.
func (e *Engine) Checkpoint(ctx context.Context) (map[Partition]int64, error) {
	ends := make(map[Partition]int64, len(e.ends))
	for p, end := range e.ends {
		ends[p] = end
	}
	return ends, e.run(ctx, Round{Ends: ends, Everywhere: true, Watermark: UnknownWatermark})
}
