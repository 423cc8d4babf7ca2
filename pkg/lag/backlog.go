package lag

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tidemark/pkg/engine"
	"tidemark/scoring"
)

// backlog is what was read of what waits.
type backlog struct {
	// waiting counts the records that wait; first is the oldest's Kafka timestamp by
	// partition, as offsets go, where one waits.
	waiting map[engine.Partition]int64
	first   map[engine.Partition]int64
	events  []*scoring.Event // of records that wait, with their accounts
	read    int64            // records that wait and were read
	all     int64            // records that wait
}

// readBacklog reads at most limit records of what may wait, an equal part of each
// partition, the oldest first. What it does not get to counts as waiting, from where
// no shard stands behind.
func (w *Watcher) readBacklog(ctx context.Context, l *look, limit int64) (*backlog, error) {
	b := &backlog{waiting: map[engine.Partition]int64{}, first: map[engine.Partition]int64{}}
	parts := slices.Clone(l.parts)
	slices.SortStableFunc(parts, func(x, y engine.Partition) int { return int(l.open(x) - l.open(y)) })
	for i, p := range parts {
		if l.open(p) == 0 {
			continue
		}
		share := max(limit/int64(len(parts)-i), 1)
		taken, err := w.readOne(ctx, l, b, p, share)
		if err != nil {
			return nil, err
		}
		limit -= taken
	}
	return b, nil
}

// open is how many records of the partition may wait.
func (l *look) open(p engine.Partition) int64 {
	return max(l.bounds[p].End-max(l.sample(p).Low, l.bounds[p].First), 0)
}

// readOne reads at most limit records of one partition.
func (w *Watcher) readOne(ctx context.Context, l *look, b *backlog, p engine.Partition, limit int64) (taken int64, err error) {
	s, end := l.sample(p), l.bounds[p].End
	var records []Record
	err = w.Log.Read(ctx, p, s.Low, func(r Record) error {
		if r.Offset >= end || taken >= limit {
			return ErrEnough
		}
		taken++
		records = append(records, r)
		return nil
	})
	if err != nil && !errors.Is(err, ErrEnough) {
		return taken, fmt.Errorf("read %s/%d from %d: %w", p.Topic, p.ID, s.Low, err)
	}
	if l.fault == nil {
		if err := w.name(ctx, records); err != nil {
			return taken, err
		}
	}
	next := s.Low
	for _, r := range records {
		next = r.Offset + 1
		events, waits := l.waits(p, &r)
		if !waits {
			continue
		}
		if _, met := b.first[p]; !met {
			b.first[p] = r.Time
		}
		b.waiting[p]++
		b.read++
		b.all++
		b.events = append(b.events, events...)
	}
	if taken < limit {
		return taken, nil // all of it
	}
	rest := max(end-max(next, s.Position), 0)
	b.waiting[p] += rest
	b.all += rest
	return taken, nil
}

// waits reports whether a record is still to be stored, and which of its events are. One
// without events is dealt with once some shard is past it.
func (l *look) waits(p engine.Partition, r *Record) (events []*scoring.Event, waits bool) {
	if len(r.Events) == 0 || l.fault != nil {
		return r.Events, r.Offset >= l.sample(p).Position
	}
	for _, e := range r.Events {
		if at, ok := l.shards[engine.ShardOf(e.Account, len(l.shards))][p]; !ok || r.Offset >= at {
			events = append(events, e)
		}
	}
	return events, len(events) > 0
}

// name finds the accounts of events that came with a domain only.
func (w *Watcher) name(ctx context.Context, records []Record) error {
	domains := map[string]bool{}
	for _, r := range records {
		for _, e := range r.Events {
			if e.Account == "" {
				domains[e.Domain] = true
			}
		}
	}
	if len(domains) == 0 {
		return nil
	}
	accounts, err := w.State.ResolveAliases(ctx, slices.Sorted(maps.Keys(domains)))
	if err != nil {
		return err
	}
	for _, r := range records {
		for i, e := range r.Events {
			if e.Account == "" {
				named := *e
				if named.Account = accounts[e.Domain]; named.Account == "" {
					named.Account = e.Domain
				}
				r.Events[i] = &named
			}
		}
	}
	return nil
}
