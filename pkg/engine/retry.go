package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// outage tells the log once that the store does not answer, and once that it does
// again, whichever lane meets it.
type outage struct {
	log   zerolog.Logger
	since atomic.Int64 // Unix milliseconds; 0: none
}

func (o *outage) begin(what string, err error) {
	if o.since.CompareAndSwap(0, time.Now().UnixMilli()) {
		o.log.Warn().Err(err).Str("step", what).Msg("the store does not answer, trying again")
	}
}

func (o *outage) end() {
	if since := o.since.Swap(0); since != 0 {
		o.log.Info().Dur("lasted", time.Since(time.UnixMilli(since))).Msg("the store answers again")
	}
}

// retry does f until it succeeds, ctx ends or the error can't heal.
func (e *Engine) retry(ctx context.Context, what string, f func() error) error {
	for attempt := 0; ; attempt++ {
		err := f()
		if err == nil {
			e.outage.end()
			return nil
		}
		if hopeless(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if ctx.Err() == nil {
			e.outage.begin(what, err)
		}
		if !pause(ctx, attempt) {
			return fmt.Errorf("%s: %w", what, errors.Join(context.Cause(ctx), err))
		}
	}
}

// hopeless reports whether an error of a Store says of itself that no repeat can
// help before somebody changes something.
func hopeless(err error) bool {
	var e interface{ Retryable() bool }
	return errors.As(err, &e) && !e.Retryable()
}

// pause waits before another attempt, longer each time; false when ctx ended.
func pause(ctx context.Context, attempt int) bool {
	wait := min(time.Duration(10<<min(attempt, 8))*time.Millisecond, 2*time.Second)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
