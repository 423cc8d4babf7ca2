package relay

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"tidemark/pkg/failpoint"
	"tidemark/streams/sink"
)

// Where a round can fail.
const (
	stageLook    = "look"
	stageRead    = "read"
	stagePublish = "publish"
	stageTrim    = "trim"
)

const (
	// trips bounds how many shards are read or trimmed at once.
	trips = 8
	// roundBatches bounds what a round holds in memory, in full batches.
	roundBatches = 8
	// leastShare is how many entries a shard may always give to a round.
	leastShare = 16
	// mostPause bounds the pause after a shard's entries were refused: trying again
	// repeats those in front of the refused one.
	mostPause = time.Minute
)

// batch is what a round takes from one shard.
type batch struct {
	number  int
	shard   *shard
	entries []Entry
	fresh   []Entry // of these, those that are still to be published
	news    []Entry // of those, the ones that nobody was told of as published
	full    bool    // there may be more
	taken   time.Time
	err     error
}

// relay publishes and trims what the shards hold until they are empty or fail, or
// ctx ends; a round that has begun goes on as long as work lives. It returns what
// went wrong; it is logged already.
func (r *Relay) relay(ctx, work context.Context, waiting map[int]time.Time) error {
	for number, since := range waiting {
		if r.shards[number] == nil {
			r.shards[number] = &shard{since: since}
		}
	}
	var faults []error
	next := slices.Sorted(maps.Keys(waiting))
	for len(next) > 0 && ctx.Err() == nil {
		var err error
		next, err = r.round(work, next)
		faults = append(faults, err)
		r.tellAge()
		// A shard that is woken meanwhile must not wait for a long backlog.
		for number, since := range r.woken.take() {
			if r.shards[number] == nil {
				r.shards[number] = &shard{since: since}
			}
			if !slices.Contains(next, number) {
				next = append(next, number)
			}
		}
	}
	r.tellAge()
	return errors.Join(faults...)
}

// round takes one batch of each shard from its outbox to Kafka. It returns the
// shards that have more.
func (r *Relay) round(ctx context.Context, numbers []int) (more []int, err error) {
	batches := r.read(ctx, r.owned(numbers))
	failpoint.Hit(failpoint.RelayRead)
	r.publishAll(ctx, batches)
	failpoint.Hit(failpoint.RelaySecondAck)
	r.trim(ctx, batches)
	failpoint.Hit(failpoint.RelayTrimmed)
	var faults []error
	for _, b := range batches {
		switch {
		case b.err != nil:
			faults = append(faults, b.err)
		case !b.shard.settles.IsZero(): // the next poll looks at it
		case b.full:
			b.shard.since = time.Now()
			more = append(more, b.number)
		default:
			delete(r.shards, b.number)
		}
	}
	return more, errors.Join(faults...)
}

// owned leaves out shards that are not ours, and forgets them. It also leaves out
// those whose pause is not over.
func (r *Relay) owned(numbers []int) []int {
	now := time.Now()
	return slices.DeleteFunc(slices.Clone(numbers), func(number int) bool {
		if r.config.Owns(number) {
			return now.Before(r.shards[number].retryAt)
		}
		delete(r.shards, number)
		return true
	})
}

// read takes the oldest entries of each shard.
func (r *Relay) read(ctx context.Context, numbers []int) []*batch {
	if len(numbers) == 0 {
		return nil
	}
	limit := min(r.config.Batch, max(leastShare, roundBatches*r.config.Batch/len(numbers)))
	batches := make([]*batch, len(numbers))
	for i, number := range numbers {
		batches[i] = &batch{number: number, shard: r.shards[number], taken: time.Now()}
	}
	each(batches, func(b *batch) {
		b.entries, b.err = r.outbox.Outbox(ctx, b.number, "", limit)
		b.full = len(b.entries) >= limit
		b.news = b.shard.unpublished(b.entries)
		b.shard.settle(time.Now())
		b.fresh = b.shard.unpublished(b.entries)
	})
	r.settle(ctx, stageRead, batches)
	return batches
}

// settle has entries published once more whose time to settle is over.
func (s *shard) settle(now time.Time) {
	if !s.settles.IsZero() && !now.Before(s.settles) {
		s.settles, s.acked = time.Time{}, nil
	}
}

// unpublished are the entries that are not acknowledged yet, and those of the same
// accounts behind them: an account's topics must end with its latest. (A store that
// is set back may bring earlier entries back before one that is acknowledged.)
func (s *shard) unpublished(entries []Entry) []Entry {
	if len(s.acked) == 0 {
		return entries
	}
	var fresh []Entry
	again := map[string]bool{}
	for _, e := range entries {
		was, ok := s.acked[e.ID]
		if again[e.Account] || !ok || was.Account != e.Account || !bytes.Equal(was.Value, e.Value) {
			again[e.Account] = true
			fresh = append(fresh, e)
		}
	}
	return fresh
}

// publishAll publishes the fresh entries of all batches at once. If they are
// refused, each shard goes on its own, so that one whose entry no broker takes does
// not hold up the others. What is repeated thereby has the same bytes.
func (r *Relay) publishAll(ctx context.Context, batches []*batch) {
	var good []*batch
	var entries []Entry
	for _, b := range batches {
		if b.err != nil || len(b.fresh) == 0 {
			continue
		}
		// A shard that was lost while it was read is the new owner's to publish.
		if !r.config.Owns(b.number) {
			b.entries, b.fresh, b.full = nil, nil, false
			continue
		}
		good = append(good, b)
		entries = append(entries, b.fresh...)
	}
	if len(good) == 0 {
		return
	}
	unsure := r.publish.Unsure()
	err := r.publishBoth(ctx, entries)
	if refused(err) && len(good) > 1 {
		err = nil
		for _, b := range good {
			// Out of time for one is out of time for all that follow.
			if b.err = err; err == nil {
				if b.err = r.publishBoth(ctx, b.fresh); b.err != nil && !refused(b.err) {
					err = b.err
				}
			}
		}
	} else {
		for _, b := range good {
			b.err = err
		}
	}
	for _, b := range good {
		r.published(b)
		if r.publish.Unsure() != unsure {
			b.shard.settles = time.Now().Add(r.config.Settle)
		}
	}
	r.settle(ctx, stagePublish, good)
}

// refused tells an error that Kafka answered from one of time running out.
func refused(err error) bool {
	return err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
}

// published notes how publishing went for one shard.
func (r *Relay) published(b *batch) {
	if refused(b.err) {
		b.shard.pause = min(max(2*b.shard.pause, r.config.Poll), mostPause)
		b.shard.retryAt = time.Now().Add(b.shard.pause)
		return
	}
	if b.err == nil {
		b.shard.pause = 0
		if r.config.Hooks.Published != nil {
			r.config.Hooks.Published(b.news)
		}
		if r.config.Hooks.Traced != nil && traced(b.fresh) {
			r.config.Hooks.Traced(b.fresh, b.taken)
		}
	}
}

// publishBoth publishes entries to both topics at once.
func (r *Relay) publishBoth(ctx context.Context, entries []Entry) error {
	ctx, cancel := context.WithTimeout(ctx, r.config.PublishTimeout)
	defer cancel()
	messages := make([]sink.Message, len(entries))
	for i, e := range entries {
		messages[i] = sink.Message{Key: []byte(e.Account), Value: e.Value, Headers: headers(e.Trace)}
	}
	var tiers error
	var wait sync.WaitGroup
	if r.config.Topics.Tiers != "" {
		wait.Go(func() { tiers = r.publish.Publish(ctx, r.config.Topics.Tiers, messages) })
	}
	changes := r.publish.Publish(ctx, r.config.Topics.Changes, messages)
	failpoint.Hit(failpoint.RelayFirstAck)
	wait.Wait()
	return errors.Join(changes, tiers)
}

// trim removes what is acknowledged, but for what settles. What stays is remembered, so
// that it is not published at every poll.
func (r *Relay) trim(ctx context.Context, batches []*batch) {
	good := slices.DeleteFunc(slices.Clone(batches), func(b *batch) bool { return b.err != nil || len(b.entries) == 0 })
	each(good, func(b *batch) {
		ids := make([]string, len(b.entries))
		for i, e := range b.entries {
			ids[i] = e.ID
		}
		if b.shard.acked = nil; b.shard.settles.IsZero() {
			if b.err = r.outbox.Trim(ctx, b.number, ids); b.err == nil {
				return
			}
		}
		b.shard.acked = make(map[string]Entry, len(b.entries))
		for _, e := range b.entries {
			b.shard.acked[e.ID] = e
		}
	})
	r.settle(ctx, stageTrim, good)
}

// each calls f for every batch, a few at once, and waits for all.
func each(batches []*batch, f func(*batch)) {
	slots := make(chan struct{}, trips)
	var wait sync.WaitGroup
	for _, b := range batches {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			f(b)
		})
	}
	wait.Wait()
}
