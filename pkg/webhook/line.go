package webhook

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/outbound"
)

// margin is how long after the end of an attempt its outcome must be stored. An entry that
// is not settled by then, as its process died, is tried again.
const margin = 10 * time.Second

// run claims what is due whenever an attempt may begin.
func (l *line) run(ctx context.Context) {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	free := make(chan struct{}, l.concurrency)
	for range l.concurrency {
		free <- struct{}{}
	}
	for ctx.Err() == nil {
		if !l.ready(ctx) {
			continue
		}
		held := hold(ctx, free)
		sends := l.claim(ctx, held)
		for range held - len(sends) {
			free <- struct{}{}
		}
		for _, entries := range sends {
			attempts.Go(func() {
				defer func() { free <- struct{}{} }()
				l.attempt(ctx, entries)
			})
		}
		if len(sends) == 0 {
			l.rest(ctx, time.Minute)
		}
	}
}

// ready reports whether an attempt may begin, else waits a while.
func (l *line) ready(ctx context.Context) bool {
	l.mu.Lock()
	disabled, pause := l.status.Disabled != "", time.Until(l.pause)
	l.mu.Unlock()
	switch {
	case disabled:
		l.rest(ctx, time.Minute)
	case pause > 0:
		l.rest(ctx, pause)
	default:
		return true
	}
	return false
}

// rest waits until woken, or for a time.
func (l *line) rest(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.woken:
	case <-timer.C:
	}
}

// hold waits for one place and takes all that are free.
func hold(ctx context.Context, free chan struct{}) int {
	select {
	case <-ctx.Done():
		return 0
	case <-free:
	}
	for n := 1; ; n++ {
		select {
		case <-free:
		default:
			return n
		}
	}
}

// claim takes what at most so many attempts send, each what goes into one request.
func (l *line) claim(ctx context.Context, most int) (sends [][]Entry) {
	for len(sends) < most {
		more, err := l.claimOnce(ctx, most)
		if err != nil && ctx.Err() == nil {
			l.log.Warn().Err(err).Msg("queue not read, trying again")
			l.rest(ctx, time.Second)
		}
		sends = append(sends, more...)
		if len(more) == 0 || l.batch.max == 1 {
			break
		}
	}
	return sends
}

func (l *line) claimOnce(ctx context.Context, most int) (sends [][]Entry, err error) {
	now := time.Now()
	until := now.Add(l.target.Timeout() + margin)
	if l.batch.max > 1 {
		entries, err := l.queue.ClaimBatch(ctx, l.Name, now.UnixMilli(), until.UnixMilli(), l.batch.max, l.batch.wait.Milliseconds())
		if len(entries) > 0 {
			sends = append(sends, entries)
		}
		return sends, err
	}
	entries, err := l.queue.Claim(ctx, l.Name, now.UnixMilli(), until.UnixMilli(), most)
	for i := range entries {
		sends = append(sends, entries[i:i+1])
	}
	return sends, err
}

// attempt makes one attempt and settles it.
func (l *line) attempt(ctx context.Context, entries []Entry) {
	var answer outbound.Answer
	m, err := l.message(entries)
	if err != nil {
		answer = outbound.Answer{Result: outbound.Body, Err: err}
	} else {
		answer = l.sender.Send(ctx, m)
	}
	if ctx.Err() != nil && answer.Result != outbound.Delivered {
		return // cut off by the stop: tried again
	}
	l.metrics.attempts.WithLabelValues(l.Name, string(answer.Result)).Inc()
	// What is settled is stored although ctx may have ended: a delivery that is not would
	// be repeated.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), margin)
	defer cancel()
	if err := l.settle(ctx, m.ID, entries, &answer); err != nil {
		l.log.Warn().Err(err).Msg("outcome not stored, the event will be sent again")
	}
}

// settle stores what came of an attempt. What was sent together is tried again together.
func (l *line) settle(ctx context.Context, id string, entries []Entry, a *outbound.Answer) error {
	now := time.Now()
	if a.Result == outbound.Delivered {
		l.through(now)
		for i := range entries {
			l.metrics.delivered(l.Name, &entries[i], now)
		}
		return l.done(ctx, now, entries)
	}
	l.tell(&entries[0], a)
	if len(entries) > 1 && mayBeOne(a) {
		return l.halve(ctx, now, entries)
	}
	attempts, first := 0, now.UnixMilli()
	for _, e := range entries {
		attempts = max(attempts, e.Attempts+1)
		if e.First != 0 {
			first = min(first, e.First)
		}
	}
	for i := range entries {
		entries[i].Attempts, entries[i].First = attempts, first
		if l.batch.max > 1 {
			entries[i].Batch = id
		}
	}
	if a.Result == outbound.Gone {
		l.disable(ctx, "the receiver answered 410 Gone")
	}
	pause, again := wait(attempts)
	if !again {
		return l.giveUp(ctx, now, entries)
	}
	if a.RetryAfter > 0 {
		l.hush(now.Add(a.RetryAfter))
	}
	return l.queue.Later(ctx, l.Name, now.Add(max(l.jitter(pause), a.RetryAfter)).UnixMilli(), entries...)
}

// done removes entries and looks for what waited behind them.
func (l *line) done(ctx context.Context, now time.Time, entries []Entry) error {
	err := l.queue.Done(ctx, l.Name, now.UnixMilli(), entries...)
	l.wake(l.Name)
	return err
}

// giveUp drops events after their last attempt, and disables the endpoint if nothing
// was through since the first.
func (l *line) giveUp(ctx context.Context, now time.Time, entries []Entry) error {
	for _, e := range entries {
		l.metrics.givenUp.WithLabelValues(l.Name).Inc()
		l.log.Warn().Str("key", e.Key).Uint64("seq", e.Seq).Int("attempts", e.Attempts).Msg("event given up, it can be replayed")
	}
	l.mu.Lock()
	dead := l.succeeded.UnixMilli() <= entries[0].First
	l.mu.Unlock()
	if dead {
		l.disable(ctx, "every attempt of a day failed")
	}
	return l.done(ctx, now, entries)
}

// hush pauses all attempts until the receiver wants more.
func (l *line) hush(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.pause) {
		l.pause = until
	}
}

// disable stops the endpoint and remembers why.
func (l *line) disable(ctx context.Context, why string) {
	s := Status{Disabled: why, Since: time.Now().UnixMilli()}
	l.mu.Lock()
	already := l.status.Disabled != ""
	if !already {
		l.status = s
	}
	l.mu.Unlock()
	if already {
		return
	}
	l.log.Warn().Str("reason", why).Msg("endpoint disabled: tidemark webhooks enable brings it back")
	if err := l.queue.SetStatus(ctx, l.Name, s); err != nil {
		l.log.Warn().Err(err).Msg("endpoint's status not stored")
	}
}

// through notes a success, and says so after failures.
func (l *line) through(now time.Time) {
	l.mu.Lock()
	failed := l.failing
	l.failing, l.succeeded = false, now
	l.mu.Unlock()
	if failed {
		l.log.Info().Msg("endpoint takes events again")
	}
}

// tell logs the first failure after a success; further ones are for whoever debugs.
func (l *line) tell(e *Entry, a *outbound.Answer) {
	l.mu.Lock()
	first := !l.failing
	l.failing = true
	l.mu.Unlock()
	level := zerolog.DebugLevel
	if first {
		level = zerolog.WarnLevel
	}
	l.log.WithLevel(level).Str("key", e.Key).Uint64("seq", e.Seq).Str("result", string(a.Result)).Int("status", a.Status).Err(a.Err).Msg("event not delivered, trying again")
}
