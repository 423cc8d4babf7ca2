package lag

import (
	"context"
	"fmt"
	"slices"

	"tidemark/pkg/engine"
)

// look is what was seen at one moment.
type look struct {
	at      int64
	parts   []engine.Partition
	missing []string // topics that do not exist
	bounds  map[engine.Partition]engine.Bounds
	commits map[engine.Partition]Commit
	// shards are the next offsets by shard; nil where the store was not to be had.
	shards []map[engine.Partition]int64
	fault  error // why the store was not
}

// Watcher looks at one deployment.
type Watcher struct {
	Log   Log
	State State
	Now   func() int64 // Unix milliseconds
}

// look asks once. Without Kafka there is nothing to say; without Redis the group's
// offsets stand for the positions. The group is asked before the store, which is ahead
// of it: in the other order the store could look set back.
func (w *Watcher) look(ctx context.Context) (*look, error) {
	l := &look{}
	var err error
	if l.parts, l.missing, err = w.Log.Partitions(ctx); err != nil {
		return nil, err
	}
	if l.commits, err = w.Log.Committed(ctx, l.parts); err != nil {
		return nil, err
	}
	l.shards, l.fault = w.State.Positions(ctx)
	if l.bounds, err = w.Log.Bounds(ctx, l.parts); err != nil {
		return nil, err
	}
	l.at = w.Now()
	return l, nil
}

// sample is where a partition stands.
func (l *look) sample(p engine.Partition) Sample {
	c := l.commits[p]
	s := Sample{At: l.at, End: l.bounds[p].End, Committed: c.Offset, CommittedAt: c.At}
	if l.fault != nil {
		s.Low = max(c.Offset, 0)
		s.Position = s.Low
		return s
	}
	s.Low, s.Position = stored(l.shards, p, c.Offset, l.bounds[p].First)
	return s
}

// stored are the least and the greatest position of the shards. A shard that has none
// lost it, if the group was told of one; where no shard has, the log was never read.
func stored(shards []map[engine.Partition]int64, p engine.Partition, committed, first int64) (low, high int64) {
	var all []int64
	for _, s := range shards {
		if at, ok := s[p]; ok {
			all = append(all, at)
		} else if committed > 0 {
			all = append(all, 0)
		}
	}
	if len(all) == 0 {
		return first, first
	}
	return slices.Min(all), slices.Max(all)
}

// lost is how many records retention took before they were read.
func (l *look) lost(p engine.Partition) int64 {
	return max(l.bounds[p].First-l.sample(p).Low, 0)
}

// first is the Kafka timestamp of the first record from an offset on; false where there
// is none.
func (w *Watcher) first(ctx context.Context, p engine.Partition, from int64) (at int64, found bool, err error) {
	err = w.Log.Read(ctx, p, from, func(r Record) error {
		at, found = r.Time, true
		return ErrEnough
	})
	if found || err == nil {
		return at, found, nil
	}
	return 0, false, fmt.Errorf("read %s/%d at %d: %w", p.Topic, p.ID, from, err)
}

// samplesOf are where a partition stood in a row of looks. While the store was not to be
// had it stands where it last did: what the group committed is behind that.
func samplesOf(window []*look, p engine.Partition) []Sample {
	var out []Sample
	for _, l := range window {
		if _, ok := l.bounds[p]; !ok {
			continue // a partition that was added
		}
		s := l.sample(p)
		if n := len(out); n > 0 && l.fault != nil {
			s.Low, s.Position = max(s.Low, out[n-1].Low), max(s.Position, out[n-1].Position)
		}
		out = append(out, s)
	}
	return out
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
