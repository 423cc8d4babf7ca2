package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// part relays some of the shards. Whoever holds Relay.working, or was started by who
// does, has it alone; woken and handed are for all.
type part struct {
	r      *Relay
	index  int
	woken  woken
	handed handed
	trims  trims
	inHand atomic.Int64 // entries that are being published

	shards map[int]*shard
	// known is, by shard, the entry up to which the outbox is published. Where it is
	// missing the outbox has to be read.
	known map[int]string
	held  []int // shards that were owned at the latest poll
	calm  int   // polls since something happened
	late  bool  // the latest round was of a backlog
}

// shard is what the relay remembers of a shard with entries.
type shard struct {
	// since is when the relay first knew of the entries that wait.
	since time.Time
	// acked are entries that both topics acknowledged and that are still there: trimming
	// failed, or they settle. They are not published again if they are met again unchanged.
	acked map[string]Entry
	// settles is until when entries stay because a request that held some had no answer.
	settles time.Time
	// retryAt is when entries that were refused are tried again, and pause how
	// long that was put off.
	retryAt time.Time
	pause   time.Duration
}

// plain reports whether there is nothing to mind but what comes.
func (s *shard) plain() bool { return len(s.acked) == 0 && s.settles.IsZero() && s.pause == 0 }

func newPart(r *Relay, index int) *part {
	p := &part{
		r: r, index: index,
		woken:  woken{shards: map[int]time.Time{}, signal: make(chan struct{}, 1)},
		handed: handed{limit: mostHanded / r.config.Abreast, shards: map[int]*queue{}},
		shards: map[int]*shard{}, known: map[int]string{},
	}
	p.trims.failed = p.woken.add // it is to be read
	return p
}

// run relays until ctx ends; what has begun goes on as long as work lives.
func (p *part) run(ctx, work context.Context) {
	defer p.trims.wait()
	poll := time.NewTicker(p.r.config.Poll)
	defer poll.Stop()
	_ = p.look(ctx) // logged, as all that fails here
	for ctx.Err() == nil {
		_ = p.relay(ctx, work, p.woken.take())
		select {
		case <-ctx.Done():
		case <-p.woken.signal:
			p.calm = 0
			p.gather(ctx)
		case <-poll.C:
			if p.looks() && p.look(ctx) != nil {
				p.calm = 0
			}
		}
	}
}

// looks reports whether a poll is to look. Where all was published and no shard came or
// went, most are left out: who commits wakes the relay, and only what a crash left is found
// by looking.
func (p *part) looks() bool {
	owned := p.ownedNow()
	if len(p.shards) > 0 || !slices.Equal(owned, p.held) {
		p.calm = 0
	}
	p.held = owned
	p.calm++
	return p.calm%calmPolls == 1
}

// calmPolls is how many polls go by for one look while all is calm.
const calmPolls = 5

// drain relays until all outboxes are empty or ctx ends.
func (p *part) drain(ctx context.Context) error {
	poll := time.NewTicker(p.r.config.Poll)
	defer poll.Stop()
	var last error
	for {
		p.trims.wait()
		err := p.look(ctx)
		waiting := p.woken.take()
		for _, s := range p.shards {
			s.retryAt = time.Time{} // there is no later to put it off to
		}
		if err == nil && len(waiting) == 0 {
			return nil
		}
		if err = errors.Join(err, p.relay(ctx, ctx, waiting)); err != nil || p.settling() {
			last = err
			select {
			case <-ctx.Done():
			case <-poll.C:
			}
		}
		if ctx.Err() != nil {
			p.trims.wait()
			return fmt.Errorf("drain outboxes: %w", errors.Join(ctx.Err(), last))
		}
	}
}

// settling reports whether entries stay for a while after they were published.
func (p *part) settling() bool {
	for _, s := range p.shards {
		if !s.settles.IsZero() {
			return true
		}
	}
	return false
}

// look wakes the relay for owned shards that have entries, and forgets the others. What
// is being trimmed is left for the next look.
func (p *part) look(ctx context.Context) error {
	p.learn(ctx)
	busy := p.trims.shards()
	owned := p.ownedNow()
	var pending []int
	if len(owned) > 0 {
		var err error
		if pending, err = p.r.outbox.PendingShards(ctx, owned); err != nil {
			p.r.failed(ctx, stageLook, err)
			return err
		}
		p.r.outages.end(stageLook)
	}
	for n := range p.shards {
		if !slices.Contains(pending, n) {
			delete(p.shards, n)
		}
	}
	for _, n := range pending {
		if !busy[n] {
			p.woken.add(n)
		}
	}
	return nil
}

func (p *part) ownedNow() (owned []int) {
	for n := p.index; n < p.r.config.Shards; n += len(p.r.parts) {
		if p.r.config.Owns(n) {
			owned = append(owned, n)
		}
	}
	return owned
}

// learn takes note of how trimming went that nobody waited for.
func (p *part) learn(ctx context.Context) {
	done, failures := p.trims.results()
	for _, f := range failures {
		s := p.shards[f.shard]
		if s == nil {
			s = &shard{since: time.Now()}
			p.shards[f.shard] = s
		}
		s.keep(f.entries)
		delete(p.known, f.shard)
		p.r.failed(ctx, stageTrim, f.err)
	}
	if done && len(failures) == 0 {
		p.r.outages.end(stageTrim)
	}
}

// keep remembers entries that are acknowledged and still there.
func (s *shard) keep(entries []Entry) {
	if s.acked == nil {
		s.acked = make(map[string]Entry, len(entries))
	}
	for _, e := range entries {
		s.acked[e.ID] = e
	}
}
