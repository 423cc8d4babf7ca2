package relay

import (
	"bytes"
	"context"
	"errors"
	"iter"
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
	direct  bool    // they were handed over, and not read
	taken   time.Time
	err     error
}

// relay publishes and trims what the shards hold until they are empty or fail, or
// ctx ends; a round that has begun goes on as long as work lives. It returns what
// went wrong; it is logged already.
func (p *part) relay(ctx, work context.Context, waiting map[int]time.Time) error {
	p.remember(waiting)
	var faults []error
	next := slices.Sorted(maps.Keys(waiting))
	for len(next) > 0 && ctx.Err() == nil {
		var err error
		next, err = p.round(work, next)
		faults = append(faults, err)
		p.tellAge()
		if p.late && len(next) == 0 {
			break // what came meanwhile can wait for more
		}
		// A shard that is woken meanwhile must not wait for a long backlog.
		woken := p.woken.take()
		p.remember(woken)
		for number := range woken {
			if !slices.Contains(next, number) {
				next = append(next, number)
			}
		}
	}
	p.tellAge()
	return errors.Join(faults...)
}

// remember takes note of shards that have entries.
func (p *part) remember(waiting map[int]time.Time) {
	for number, since := range waiting {
		if p.shards[number] == nil {
			p.shards[number] = &shard{since: since}
		}
	}
}

// round takes one batch of each shard from its outbox to Kafka. It returns the
// shards that have more.
func (p *part) round(ctx context.Context, numbers []int) (more []int, err error) {
	p.learn(ctx)
	batches := p.take(ctx, p.owned(numbers))
	failpoint.Hit(failpoint.RelayRead)
	for _, b := range batches {
		p.inHand.Add(int64(len(b.fresh)))
	}
	p.publishAll(ctx, batches)
	p.inHand.Store(0)
	failpoint.Hit(failpoint.RelaySecondAck)
	p.trim(ctx, batches)
	failpoint.Hit(failpoint.RelayTrimmed)
	var faults []error
	for _, b := range batches {
		p.note(b)
		switch {
		case b.err != nil:
			faults = append(faults, b.err)
		case !b.shard.settles.IsZero() || b.direct && len(b.shard.acked) > 0: // the next poll looks at it
		case b.full:
			b.shard.since = time.Now()
			more = append(more, b.number)
		default:
			delete(p.shards, b.number)
		}
	}
	return more, errors.Join(faults...)
}

// note remembers up to where a shard's outbox is published now, if that is known.
func (p *part) note(b *batch) {
	switch {
	case b.err != nil || !b.shard.plain():
		delete(p.known, b.number)
	case len(b.entries) > 0:
		p.known[b.number] = b.entries[len(b.entries)-1].ID
	}
}

// owned leaves out shards that are not ours, and forgets them. It also leaves out
// those whose pause is not over.
func (p *part) owned(numbers []int) []int {
	now := time.Now()
	return slices.DeleteFunc(slices.Clone(numbers), func(number int) bool {
		if p.r.config.Owns(number) {
			paused := now.Before(p.shards[number].retryAt)
			if paused { // what it holds waits in its outbox, and takes no room from others
				p.handed.doubt(number)
			}
			return paused
		}
		delete(p.shards, number)
		delete(p.known, number)
		p.handed.doubt(number)
		return true
	})
}

// take takes the oldest entries of each shard: those that were handed over, and of the
// other shards what their outboxes hold.
func (p *part) take(ctx context.Context, numbers []int) []*batch {
	if len(numbers) == 0 {
		return nil
	}
	config := &p.r.config
	limit := min(config.Batch, max(leastShare, roundBatches*config.Batch/config.Abreast/len(numbers)))
	batches := make([]*batch, len(numbers))
	var read []*batch
	for i, number := range numbers {
		b := &batch{number: number, shard: p.shards[number], taken: time.Now()}
		if batches[i] = b; !p.takeHanded(b, limit) {
			read = append(read, b)
		}
	}
	p.read(ctx, read, limit)
	p.late = backlogged(batches, time.Now())
	return batches
}

// takeHanded takes what was handed over. It returns false if the outbox has to be read.
func (p *part) takeHanded(b *batch, limit int) bool {
	entries, more, ok := p.handed.take(b.number, p.known[b.number], limit)
	if !ok || !b.shard.plain() || p.r.config.Admit == nil {
		return false
	}
	if len(entries) > 0 && !p.r.config.Admit(b.number, entries) {
		return false
	}
	b.entries, b.fresh, b.news, b.full, b.direct = entries, entries, entries, more, true
	return true
}

// read takes the oldest entries of each shard from its outbox.
func (p *part) read(ctx context.Context, batches []*batch, limit int) {
	if len(batches) == 0 {
		return
	}
	// What is being trimmed would be met once more.
	p.trims.wait()
	p.learn(ctx)
	each(slices.Values(batches), func(b *batch) {
		b.entries, b.err = p.r.outbox.Outbox(ctx, b.number, "", limit)
		b.full = len(b.entries) >= limit
		b.news = b.shard.unpublished(b.entries)
		b.shard.settle(time.Now())
		b.fresh = b.shard.unpublished(b.entries)
	})
	p.r.settle(ctx, stageRead, batches)
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
func (p *part) publishAll(ctx context.Context, batches []*batch) {
	var good []*batch
	var entries []Entry
	for _, b := range batches {
		if b.err != nil || len(b.fresh) == 0 {
			continue
		}
		// A shard that was lost while it was read is the new owner's to publish.
		if !p.r.config.Owns(b.number) {
			b.entries, b.fresh, b.full = nil, nil, false
			continue
		}
		good = append(good, b)
		entries = append(entries, b.fresh...)
	}
	if len(good) == 0 {
		return
	}
	unsure := p.r.publish.Unsure()
	err := p.publishBoth(ctx, entries)
	if refused(err) && len(good) > 1 {
		err = nil
		for _, b := range good {
			// Out of time for one is out of time for all that follow.
			if b.err = err; err == nil {
				if b.err = p.publishBoth(ctx, b.fresh); b.err != nil && !refused(b.err) {
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
		p.published(b)
		if p.r.publish.Unsure() != unsure {
			b.shard.settles = time.Now().Add(p.r.config.Settle)
		}
	}
	p.r.settle(ctx, stagePublish, good)
}

// refused tells an error that Kafka answered from one of time running out.
func refused(err error) bool {
	return err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
}

// published notes how publishing went for one shard.
func (p *part) published(b *batch) {
	if refused(b.err) {
		b.shard.pause = min(max(2*b.shard.pause, p.r.config.Poll), mostPause)
		b.shard.retryAt = time.Now().Add(b.shard.pause)
		return
	}
	if b.err == nil {
		b.shard.pause = 0
		if p.r.config.Hooks.Published != nil {
			p.r.config.Hooks.Published(b.news)
		}
		if p.r.config.Hooks.Traced != nil && traced(b.fresh) {
			p.r.config.Hooks.Traced(b.fresh, b.taken)
		}
	}
}

// publishBoth publishes entries to both topics at once.
func (p *part) publishBoth(ctx context.Context, entries []Entry) error {
	ctx, cancel := context.WithTimeout(ctx, p.r.config.PublishTimeout)
	defer cancel()
	messages := messagesOf(entries)
	var tiers error
	var wait sync.WaitGroup
	if p.r.config.Topics.Tiers != "" {
		wait.Go(func() { tiers = p.r.publish.Publish(ctx, p.r.config.Topics.Tiers, messages) })
	}
	changes := p.r.publish.Publish(ctx, p.r.config.Topics.Changes, messages)
	failpoint.Hit(failpoint.RelayFirstAck)
	wait.Wait()
	return errors.Join(changes, tiers)
}

// messagesOf are entries as messages, whose keys lie one behind another.
func messagesOf(entries []Entry) []sink.Message {
	size := 0
	for i := range entries {
		size += len(entries[i].Account)
	}
	keys, messages := make([]byte, 0, size), make([]sink.Message, len(entries))
	for i := range entries {
		e := &entries[i]
		at := len(keys)
		keys = append(keys, e.Account...)
		messages[i] = sink.Message{Key: keys[at:len(keys):len(keys)], Value: e.Value, Headers: headers(e.Trace)}
	}
	return messages
}

// trim removes what is acknowledged, but for what settles. What stays is remembered, so
// that it is not published at every poll. Nobody waits for what was handed over: what
// follows it is known.
func (p *part) trim(ctx context.Context, batches []*batch) {
	var good []*batch
	for _, b := range batches {
		switch {
		case b.err != nil || len(b.entries) == 0:
		case b.direct && b.shard.settles.IsZero():
			p.trims.add(ctx, p.r.outbox, b.number, b.entries)
		default:
			good = append(good, b)
		}
	}
	each(slices.Values(good), func(b *batch) {
		if b.shard.acked = nil; b.shard.settles.IsZero() {
			if b.err = p.r.outbox.Trim(ctx, b.number, idsOf(b.entries)); b.err == nil {
				return
			}
		}
		b.shard.keep(b.entries)
	})
	p.r.settle(ctx, stageTrim, good)
}

// idsOf are the names of entries.
func idsOf(entries []Entry) []string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids
}

// each calls f for every item, a few at once, and waits for all.
func each[T any](items iter.Seq[T], f func(T)) {
	slots := make(chan struct{}, trips)
	var wait sync.WaitGroup
	for item := range items {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			f(item)
		})
	}
	wait.Wait()
}
