package engine

import (
	"context"
	"fmt"
)

// Where shards on one node are set back and those on others are not, a merge may be done on
// one side only. A loser that was set back is an account again, which its heir took already
// and may since have handed on: what names the loser and is applied to it before the merge
// is read again would lie in an estate that the heir leaves, as it has it. The other way
// round, what lies in an estate that a lost heir is still to be offered again would count
// there twice if it came first. In which order several instances read the first time nobody
// remembers, so the times of events are no help.
//
// But it is known which merges are read again: those whose fence stands in an heir's shard,
// or whose place a merged account has, and that some shard stands before. So the partitions
// that hold them are read up to there before all others.

// Fences are the offsets up to which some partitions are to be read before all others, as
// of Assign, whoever reads them. In most assignments there are none.
func (e *Engine) Fences() map[Partition]int64 {
	var all []map[Partition]int64
	fences := map[Partition]int64{}
	put := func(row Partition, offset int64) {
		if p, ok := placeOf(row); ok {
			fences[p] = max(fences[p], offset)
		}
	}
	for _, l := range e.lanes {
		for _, s := range l.shards {
			all = append(all, s.positions)
			for row, at := range s.positions {
				put(row, at)
			}
		}
	}
	for _, to := range e.moved {
		for row, at := range to.from {
			put(row, at+1)
		}
	}
	for p, fence := range fences {
		if past(all, p, fence) {
			delete(fences, p)
		}
	}
	return fences
}

// PastFences reports whether every shard is past fences by now, as stored.
func (e *Engine) PastFences(ctx context.Context, fences map[Partition]int64) (bool, error) {
	all, err := e.store.Positions(ctx)
	if err != nil {
		return false, fmt.Errorf("read positions: %w", err)
	}
	for p, fence := range fences {
		if !past(all, p, fence) {
			return false, nil
		}
	}
	return true, nil
}

// past reports whether all shards' positions in a partition are at an offset or behind it.
func past(all []map[Partition]int64, p Partition, offset int64) bool {
	for _, positions := range all {
		if positions[p] < offset {
			return false
		}
	}
	return true
}
