package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

// Commit implements engine.Store. It never leaves a step without an outcome but
// for a ctx that has ended or a shard that is none, and then nothing was written.
func (s *Store) Commit(ctx context.Context, steps []engine.Step) []engine.Outcome {
	out := make([]engine.Outcome, len(steps))
	disturbed := map[int]bool{} // by shard, in this call
	for i, step := range steps {
		if err := s.lock(ctx, step.Shard); err != nil {
			out[i] = engine.Outcome{Result: engine.Failed, Err: err}
			continue
		}
		if err := store.CheckStep(step); err != nil {
			out[i] = engine.Outcome{Result: engine.Failed, Err: refusedStep{err}}
			s.space.mu.Unlock()
			continue
		}
		step.Check = step.Check || disturbed[step.Shard] || s.disturbed[step.Shard]
		out[i] = s.commit(step)
		disturbed[step.Shard] = disturbed[step.Shard] || out[i].Result != engine.OK || out[i].Shared
		s.space.mu.Unlock()
	}
	s.space.mu.Lock()
	defer s.space.mu.Unlock()
	for shard, is := range disturbed {
		s.disturbed[shard] = is
	}
	return out
}

// refusedStep is what no repetition heals.
type refusedStep struct{ error }

func (refusedStep) Retryable() bool { return false }

func (s *Store) commit(step engine.Step) engine.Outcome {
	sh := s.space.shards[step.Shard]
	shared := sh.commits != s.seen[step.Shard]
	switch sh.standing(step.Moves) {
	case behind:
		return engine.Outcome{Shared: true, Overwritten: true}
	case elsewhere:
		return engine.Outcome{Result: engine.Stale, Shared: shared}
	}
	if sh.holds(step.Writes) { // an attempt that came through before, whose answer was lost
		return engine.Outcome{Shared: shared || s.shared[step.Shard], Overwritten: shared}
	}
	// As in Redis, versions are looked at only where they may differ.
	check := shared || step.Check
	for _, w := range step.Writes {
		if check && sh.records[w.Account].Version != w.Was {
			return engine.Outcome{Result: engine.Conflict, Shared: true}
		}
	}
	for _, w := range step.Writes {
		sh.write(w)
	}
	sh.outbox = slices.DeleteFunc(sh.outbox, func(e store.Entry) bool { return slices.Contains(step.Drop, e.ID) })
	for _, m := range step.Outbox {
		sh.entries++
		sh.outbox = append(sh.outbox, store.Entry{
			ID: strconv.FormatUint(sh.entries, 10), Account: m.Account, Value: bytes.Clone(m.Value), Appended: m.Appended, Trace: m.Trace,
		})
	}
	for _, m := range step.Moves {
		sh.positions[m.Partition] = m.To
	}
	sh.commits++
	s.seen[step.Shard], s.shared[step.Shard] = sh.commits, shared
	return engine.Outcome{Shared: shared}
}

// holds reports whether all of some writes are what is stored.
func (sh *shard) holds(writes []engine.Write) bool {
	for _, w := range writes {
		if w.State == nil || w.Now == 0 || sh.records[w.Account].Version != w.Now {
			return false
		}
	}
	return len(writes) > 0
}

// standing says where the stored positions are beside a step's moves.
type standing int

const (
	before    standing = iota // where the step begins
	behind                    // where it ends: it was done
	elsewhere                 // at neither
)

func (sh *shard) standing(moves []engine.Move) standing {
	begins, ends, moving := true, true, false
	for _, m := range moves {
		at := sh.positions[m.Partition]
		begins = begins && at == m.From
		ends = ends && at == m.To
		moving = moving || m.From != m.To
	}
	switch {
	case ends && moving:
		return behind
	case begins:
		return before
	}
	return elsewhere
}

func (sh *shard) write(w engine.Write) {
	if w.State == nil {
		delete(sh.records, w.Account)
		delete(sh.numbers, w.Account)
		delete(sh.due, w.Account)
		for _, accounts := range sh.tiers {
			delete(accounts, w.Account)
		}
		return
	}
	r := sh.records[w.Account]
	r.Account, r.Version, r.State = w.Account, cmp.Or(w.Now, w.Was+1), bytes.Clone(w.State)
	if w.Profile != nil {
		r.Profile = nil
		if len(w.Profile) > 0 {
			r.Profile = bytes.Clone(w.Profile)
		}
	}
	sh.records[w.Account] = r
	if sh.numbers[w.Account] == 0 {
		sh.numbered++
		sh.numbers[w.Account] = sh.numbered
	}
	switch w.Due {
	case engine.KeepDue:
	case engine.NoDue:
		delete(sh.due, w.Account)
	default:
		sh.due[w.Account] = w.Due
	}
	if w.Tier == w.TierWas {
		return
	}
	delete(sh.tiers[w.TierWas], w.Account)
	if w.Tier != "" {
		if sh.tiers[w.Tier] == nil {
			sh.tiers[w.Tier] = map[string]bool{}
		}
		sh.tiers[w.Tier][w.Account] = true
	}
}
