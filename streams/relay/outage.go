package relay

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// outages are logged once, and their ends.
type outages struct {
	log   zerolog.Logger
	mu    sync.Mutex           // guards since
	since map[string]time.Time // by stage
}

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
		r.outages.end(stage)
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
	if stage == stagePublish && errors.Is(err, context.DeadlineExceeded) {
		return
	}
	r.outages.begin(stage, err)
}

func (o *outages) begin(stage string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.since[stage]; known {
		return
	}
	o.since[stage] = time.Now()
	o.log.Error().Err(err).Str("stage", stage).Msg("outboxes are not relayed, it is tried until it works")
}

func (o *outages) end(stage string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	since, known := o.since[stage]
	if !known {
		return
	}
	delete(o.since, stage)
	o.log.Info().Str("stage", stage).Dur("lasted", time.Since(since)).Msg("outboxes are relayed again")
}

// ages are how long the oldest entry of each part has waited.
type ages struct {
	mu sync.Mutex // guards of
	of []time.Duration
}

// tellAge tells how long the oldest entry has waited.
func (p *part) tellAge() {
	r := p.r
	if r.config.Hooks.OldestAge == nil {
		return
	}
	var age time.Duration
	for _, s := range p.shards {
		age = max(age, time.Since(s.since))
	}
	r.ages.mu.Lock()
	defer r.ages.mu.Unlock()
	r.ages.of[p.index] = age
	r.config.Hooks.OldestAge(slices.Max(r.ages.of))
}
