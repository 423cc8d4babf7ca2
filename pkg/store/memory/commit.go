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
	for i, step := range steps {
		if err := s.lock(ctx, step.Shard); err != nil {
			out[i] = engine.Outcome{Result: engine.Failed, Err: err}
			continue
		}
		out[i] = s.commit(step)
		s.space.mu.Unlock()
	}
	return out
}

func (s *Store) commit(step engine.Step) engine.Outcome {
	sh := s.space.shards[step.Shard]
	shared := sh.commits != s.seen[step.Shard]
	switch sh.standing(step.Moves) {
	case behind:
		return engine.Outcome{Shared: true, Overwritten: true}
	case elsewhere:
		return engine.Outcome{Result: engine.Stale, Shared: shared}
	}
	for _, w := range step.Writes {
		if sh.records[w.Account].Version != w.Was {
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
	s.seen[step.Shard] = sh.commits
	return engine.Outcome{Shared: shared}
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
