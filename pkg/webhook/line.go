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
		entries := l.claim(ctx, held)
		for range held - len(entries) {
			free <- struct{}{}
		}
		for _, e := range entries {
			attempts.Go(func() {
				defer func() { free <- struct{}{} }()
				l.attempt(ctx, e)
			})
		}
		if len(entries) == 0 {
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

func (l *line) claim(ctx context.Context, most int) []Entry {
	if most == 0 {
		return nil
	}
	now := time.Now()
	until := now.Add(l.target.Timeout() + margin)
	entries, err := l.queue.Claim(ctx, l.Name, now.UnixMilli(), until.UnixMilli(), most)
	if err != nil && ctx.Err() == nil {
		l.log.Warn().Err(err).Msg("queue not read, trying again")
		l.rest(ctx, time.Second)
	}
	return entries
}

// attempt makes one attempt and settles it.
func (l *line) attempt(ctx context.Context, e Entry) {
	var answer outbound.Answer
	m, err := l.message(&e)
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
	if err := l.settle(ctx, &e, &answer); err != nil {
		l.log.Warn().Err(err).Msg("outcome not stored, the event will be sent again")
	}
}

func (l *line) settle(ctx context.Context, e *Entry, a *outbound.Answer) error {
	now := time.Now()
	if a.Result == outbound.Delivered {
		l.through(now)
		l.metrics.delivered(l.Name, e, now)
		return l.done(ctx, now, e)
	}
	e.Attempts++
	if e.First == 0 {
		e.First = now.UnixMilli()
	}
	l.tell(e, a)
	if a.Result == outbound.Gone {
		l.disable(ctx, "the receiver answered 410 Gone")
	}
	pause, again := wait(e.Attempts)
	if !again {
		return l.giveUp(ctx, now, e)
	}
	if a.RetryAfter > 0 {
		l.hush(now.Add(a.RetryAfter))
	}
	return l.queue.Later(ctx, l.Name, now.Add(max(l.jitter(pause), a.RetryAfter)).UnixMilli(), *e)
}

// done removes an entry and looks for what waited behind it.
func (l *line) done(ctx context.Context, now time.Time, e *Entry) error {
	err := l.queue.Done(ctx, l.Name, now.UnixMilli(), *e)
	l.wake(l.Name)
	return err
}

// giveUp drops an event after its last attempt, and disables the endpoint if nothing
// was through since its first.
func (l *line) giveUp(ctx context.Context, now time.Time, e *Entry) error {
	l.metrics.givenUp.WithLabelValues(l.Name).Inc()
	l.log.Warn().Str("key", e.Key).Uint64("seq", e.Seq).Int("attempts", e.Attempts).Msg("event given up, it can be replayed")
	l.mu.Lock()
	dead := l.succeeded.UnixMilli() <= e.First
	l.mu.Unlock()
	if dead {
		l.disable(ctx, "every attempt of a day failed")
	}
	return l.done(ctx, now, e)
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
