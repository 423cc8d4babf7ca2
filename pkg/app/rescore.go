package app

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/streams/codec"
)

// While events come, accounts are put under a new model for one part in so many of the
// time; while none do, all the time, a few between two looks for events.
const rescoreShare = 5

// rescoreLook is the time between two looks at whether other instances, or shards that
// are nobody's yet, have accounts left.
const rescoreLook = 500 * time.Millisecond

// rescoreTold is the time between two lines of the log.
const rescoreTold = time.Minute

// rescorer has the engine put accounts under a new model, a few at a time between rounds.
// A nil one does nothing: all is under one model.
type rescorer struct {
	engine interface {
		Rescore(ctx context.Context, scan engine.Scanner) (more bool, err error)
		Unscored(ctx context.Context) (shards int, err error)
		Adopted() int64
	}
	scan engine.Scanner
	// adopted notes that all accounts are under the model.
	adopted func(ctx context.Context, m store.Model) error
	log     zerolog.Logger

	to    store.Model
	begun time.Time
	told  time.Time
	next  time.Time
	over  bool         // nobody has accounts left
	left  atomic.Int64 // shards that may have
}

func newRescorer(e *engine.Engine, s interface {
	engine.Scanner
	AddModel(ctx context.Context, m store.Model) error
}, r prometheus.Registerer, log zerolog.Logger,
) *rescorer {
	x := &rescorer{engine: e, scan: s, adopted: s.AddModel, log: log, over: true}
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidemark_rescore_shards_left", Help: "Shards that may hold accounts which are not under the model in force yet; 0 but after a change of the model.",
		}, func() float64 { return float64(x.left.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tidemark_rescored_accounts_total", Help: "Accounts that this instance put under the model in force.",
		}, func() float64 { return float64(e.Adopted()) }))
	return x
}

// begin is told of the model in force, before anything is read.
func (r *rescorer) begin(in store.Model) {
	r.to, r.begun, r.told = in, time.Now(), time.Now()
}

// joined begins a session: a shard may have been set back since the last one.
func (r *rescorer) joined() {
	if r != nil {
		r.over, r.next = r.to.Epoch == 0, time.Now()
	}
}

// due is when the next accounts are to be looked at; false: never.
func (r *rescorer) due() (time.Time, bool) {
	if r == nil || r.over {
		return time.Time{}, false
	}
	return r.next, true
}

// step puts some accounts under the model, if it is time. busy says that events wait.
func (r *rescorer) step(ctx context.Context, busy bool) error {
	begun := time.Now()
	if at, due := r.due(); !due || begun.Before(at) {
		return nil
	}
	more, err := r.engine.Rescore(ctx, r.scan)
	if err != nil {
		return hopeless{err}
	}
	switch took := time.Since(begun); {
	case !more:
		r.next = begun.Add(rescoreLook)
		r.look(ctx)
	case busy:
		r.next = begun.Add(rescoreShare * took)
	default:
		r.next = begun
	}
	if now := time.Now(); more && now.Sub(r.told) > rescoreTold {
		r.told = now
		r.look(ctx)
		r.log.Info().Int64("accounts", r.engine.Adopted()).Int64("shards_left", r.left.Load()).Msg("accounts are put under the new model")
	}
	return nil
}

// look finds out whether any instance has accounts left.
func (r *rescorer) look(ctx context.Context) {
	left, err := r.engine.Unscored(ctx)
	if err != nil {
		r.log.Debug().Err(err).Msg("progress of the rescore not read")
		return
	}
	if r.left.Store(int64(left)); left > 0 {
		return
	}
	if !r.to.Adopted {
		done := r.to
		done.Adopted = true
		if err := r.adopted(ctx, done); err != nil {
			r.log.Debug().Err(err).Msg("end of the rescore not noted")
			return
		}
		r.to = done
		r.log.Info().Int64("accounts", r.engine.Adopted()).Dur("took", time.Since(r.begun)).Str("effective", codec.FormatTime(r.to.EffectiveAt)).
			Msg("all accounts are under the new model")
	}
	r.over = true
}

// notes say that accounts are left.
func (r *rescorer) notes() []string {
	if left := r.left.Load(); left > 0 {
		return []string{fmt.Sprintf("a new model: %d shards may hold accounts that are not under it yet", left)}
	}
	return nil
}
