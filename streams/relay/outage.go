package relay

import (
	"context"
	"errors"
	"time"
)

// settle notes how a stage went for all shards that took part.
func (r *Relay) settle(ctx context.Context, stage string, batches []*batch) {
	var faults []error
	for _, b := range batches {
		if b.err != nil {
			faults = append(faults, b.err)
		}
	}
	if len(faults) > 0 {
		r.failed(ctx, stage, faults[0])
	} else if len(batches) > 0 {
		r.worked(stage)
	}
}

// failed counts a failure, and logs it where an outage begins with it. The end of
// our own context is no failure. A publisher that ran out of time has told so itself.
func (r *Relay) failed(ctx context.Context, stage string, err error) {
	if ctx.Err() != nil {
		return
	}
	if r.config.Hooks.Failed != nil {
		r.config.Hooks.Failed(stage)
	}
	if _, known := r.outages[stage]; known || stage == stagePublish && errors.Is(err, context.DeadlineExceeded) {
		return
	}
	r.outages[stage] = time.Now()
	r.log.Error().Err(err).Str("stage", stage).Msg("outboxes are not relayed, it is tried until it works")
}

func (r *Relay) worked(stage string) {
	since, known := r.outages[stage]
	if !known {
		return
	}
	delete(r.outages, stage)
	r.log.Info().Str("stage", stage).Dur("lasted", time.Since(since)).Msg("outboxes are relayed again")
}

// tellAge tells how long the oldest entry has waited.
func (r *Relay) tellAge() {
	if r.config.Hooks.OldestAge == nil {
		return
	}
	var age time.Duration
	for _, s := range r.shards {
		age = max(age, time.Since(s.since))
	}
	r.config.Hooks.OldestAge(age)
}
