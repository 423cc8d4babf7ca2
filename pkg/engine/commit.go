package engine

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"tidemark/pkg/failpoint"
	"tidemark/scoring"
)

// runSome has lanes apply the round's inputs to their shards and commit them.
func (e *Engine) runSome(ctx context.Context, lanes []*lane, r *Round) error {
	var busy []*shard
	for _, l := range lanes {
		busy = l.busy(busy, r)
	}
	if err := e.gather(ctx, busy); err != nil {
		return err
	}
	err := e.commitAll(ctx, lanes, busy, func(ctx context.Context, s *shard) (*work, error) {
		return e.laneOf(s.number).apply(ctx, s, r)
	})
	if err != nil {
		return err
	}
	for _, l := range lanes {
		l.shrink()
	}
	return nil
}

// commitAll prepares the work of each shard, commits all in one trip, and does
// again what another writer overtook. The shards are those of the lanes.
func (e *Engine) commitAll(ctx context.Context, lanes []*lane, shards []*shard, prepare func(context.Context, *shard) (*work, error)) (err error) {
	defer func() {
		for _, l := range lanes {
			if err != nil {
				l.forgetAll() // some may hold what was not stored
			}
			l.rest()
			l.settleLoans()
		}
	}()
	for attempt := 0; len(shards) > 0; attempt++ {
		failpoint.Hit(failpoint.BeforeApply)
		again, err := e.pass(ctx, shards, prepare)
		if err != nil {
			return err
		}
		if len(again) > 0 {
			if err := e.readPositions(ctx, lanes...); err != nil {
				return err
			}
		}
		shards = again
		if len(again) > 0 && attempt > 2 && !pause(ctx, attempt) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// commitAll is that of the engine, for shards of the lane.
func (l *lane) commitAll(ctx context.Context, shards []*shard, prepare func(context.Context, *shard) (*work, error)) error {
	return l.e.commitAll(ctx, []*lane{l}, shards, prepare)
}

// portion is after how many writes the works of some shards are on their way to the store
// already, while those of the other shards are prepared.
const portion = 1024

// pass prepares the work of each shard once and commits it. It returns the shards whose
// work must be done again.
func (e *Engine) pass(ctx context.Context, shards []*shard, prepare func(context.Context, *shard) (*work, error)) (again []*shard, err error) {
	var ahead errgroup.Group // the portion on its way, one at a time
	send := func(works []*work) error {
		failpoint.Hit(failpoint.Prepared)
		behind, err := e.commit(ctx, works)
		failpoint.Hit(failpoint.Committed)
		again = append(again, behind...)
		return err
	}
	var works []*work
	writes := 0
	for i, s := range shards {
		w, err := prepare(ctx, s)
		if err != nil {
			return nil, errors.Join(err, ahead.Wait())
		}
		if w.empty() {
			continue
		}
		works, writes = append(works, w), writes+len(w.step.Writes)
		if writes < portion || i == len(shards)-1 {
			continue
		}
		if err := ahead.Wait(); err != nil {
			return nil, err
		}
		full := works
		ahead.Go(func() error { return send(full) })
		works, writes = nil, 0
	}
	if err := ahead.Wait(); err != nil {
		return nil, err
	}
	return again, send(works)
}

// commit stores the works. It returns the shards whose work must be done again: what they
// remembered is dropped.
func (e *Engine) commit(ctx context.Context, works []*work) (again []*shard, err error) {
	err = e.retry(ctx, "commit", func() error {
		var failed []*work
		var cause error
		for i, o := range e.store.Commit(ctx, steps(works)) {
			w := works[i]
			switch e.metrics.commit(o.Result); o.Result {
			case OK:
				e.settle(w, o)
			case Failed:
				failed, cause = append(failed, w), o.Err
			case Stale:
				w.shard.forget()
				again = append(again, w.shard)
			case Conflict:
				w.shard.overtaken(w)
				again = append(again, w.shard)
			}
		}
		works = failed
		return cause
	})
	return again, err
}

// settle takes note of what a committed work changed.
func (e *Engine) settle(w *work, o Outcome) {
	s := w.shard
	for _, m := range w.step.Moves {
		s.positions[m.Partition] = m.To
	}
	for _, x := range w.step.Writes {
		if x.Due != KeepDue {
			s.due = min(s.due, x.Due)
		}
	}
	e.metrics.applied(w)
	e.adopted.Add(int64(w.adopted))
	switch {
	case o.Overwritten:
		s.forget()
	case o.Shared || w.step.Check:
		s.meetOthers(w, o.Shared)
	}
	if len(w.step.Outbox) > 0 && e.hooks.Outbox != nil {
		e.hooks.Outbox(s.number, Appended{Messages: w.step.Outbox, IDs: o.Appended, Behind: o.Behind})
	}
}

// meetOthers takes note of what a step told of others that write to the shard. Their
// accounts are not ours to know: what is in memory stays there, but is checked before it is
// written.
func (s *shard) meetOthers(w *work, again bool) {
	if again {
		s.others++
	}
	for i := range w.step.Writes {
		if e := s.accounts[w.step.Writes[i].Account]; e != nil {
			e.checked = s.others
		}
	}
}

// overtaken forgets the accounts of a step of which others changed some.
func (s *shard) overtaken(w *work) {
	s.others++
	for i := range w.step.Writes {
		delete(s.accounts, w.step.Writes[i].Account)
	}
	for _, in := range s.unseen {
		delete(s.accounts, in.Event.Account)
	}
	s.found, s.sweeping = nil, nil
}

// work is what is to be committed for a shard, and what to count once it is.
type work struct {
	shard     *shard
	step      Step
	came      []int32 // of each message of the step, the input that it came with
	effects   [5]int  // by scoring.Effect
	canaries  int
	crossings []scoring.CauseKind
	forgotten scoring.Forgotten
	held      []int // by rule of the model's holds; nil: none
	holdRules []string
	released  int
	adopted   int // accounts that were put under the model in force
}

// hold takes what was held or released into the work.
func (w *work) hold(m *scoring.Model, out *scoring.Outcome) {
	w.forgotten.Held += out.Forgotten.Held
	if out.Released {
		w.released++
	}
	if out.Held == nil {
		return
	}
	if w.held == nil {
		w.holdRules = m.HoldRules()
		w.held = make([]int, len(w.holdRules))
	}
	for i, n := range out.Held {
		w.held[i] += n
	}
}

func (w *work) empty() bool {
	return len(w.step.Moves) == 0 && len(w.step.Writes) == 0 && len(w.step.Outbox) == 0 && len(w.step.Drop) == 0
}

func steps(works []*work) []Step {
	out := make([]Step, len(works))
	for i, w := range works {
		out[i] = w.step
	}
	return out
}
