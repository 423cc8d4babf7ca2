package engine

import (
	"context"
	"fmt"

	"tidemark/scoring"
)

// touched are the accounts of a shard that a piece of work changed, in order of
// their first change.
type touched struct{ entries []*entry }

func (t *touched) add(e *entry) {
	if !e.touched {
		e.touched = true
		t.entries = append(t.entries, e)
	}
}

// apply scores the round's inputs of a shard and makes the step that stores them.
// Inputs that the shard's positions already cover are left out.
func (l *lane) apply(ctx context.Context, s *shard, r *Round) (*work, error) {
	w := &work{shard: s, step: Step{Shard: s.number}}
	if s.found == nil {
		if err := l.gather(ctx, []*shard{s}); err != nil {
			return nil, err
		}
	}
	inputs := s.unseen
	t := &touched{}
	for i, in := range inputs {
		if err := l.applyOne(ctx, w, t, s.found[i], in); err != nil {
			return nil, err
		}
	}
	w.step.Moves = s.moves(inputs, l.published(s, r))
	return w, l.writeAll(w, t, UnknownWatermark)
}

// published leaves the positions of what was published to the shard's owner.
func (l *lane) published(s *shard, r *Round) *Round {
	if l.e.owns(s.number) {
		return r
	}
	out := *r
	out.Published = nil
	return &out
}

// fresh are the inputs that the shard has not seen.
func (s *shard) fresh() []*Input {
	fresh := s.unseen[:0]
	var at int64
	var of Partition
	for i, in := range s.inputs {
		if i == 0 || in.Partition != of {
			of, at = in.Partition, s.positions[in.Partition]
		}
		if in.Offset >= at {
			fresh = append(fresh, in)
		}
	}
	s.unseen = fresh
	return fresh
}

// moves are the positions that go with the inputs, or all where the round says so.
func (s *shard) moves(inputs []*Input, r *Round) []Move {
	var moves []Move
	add := func(p Partition, ends map[Partition]int64) {
		for _, m := range moves {
			if m.Partition == p {
				return
			}
		}
		from, stored := s.positions[p]
		if to, ended := ends[p]; ended && (to > from || !stored) {
			moves = append(moves, Move{Partition: p, From: from, To: to})
		}
	}
	for i, in := range inputs {
		if i == 0 || in.Partition != inputs[i-1].Partition {
			add(in.Partition, r.Ends)
		}
	}
	if r.Everywhere {
		for p := range r.Ends {
			add(p, r.Ends)
		}
	}
	for p := range r.Published {
		add(p, r.Published)
	}
	return moves
}

func (l *lane) applyOne(ctx context.Context, w *work, t *touched, e *entry, in *Input) error {
	ev := in.Event
	var before *scoring.Profile
	if ev.Kind == scoring.KindProfile || ev.Kind == scoring.KindTombstone {
		before, _ = e.account.Profile()
	}
	out := l.e.model.Apply(e.account, ev, in.watermark)
	w.effects[out.Effect]++
	if ev.Kind == scoring.KindTombstone || out.Effect == scoring.Duplicate || out.Effect == scoring.Outdated {
		// Written even where nothing changed: if what is remembered is old, because
		// another instance made or erased the account, the version says so.
		t.add(e)
	}
	if out.ProfileChanged {
		e.profileChanged = true
		if err := l.e.moveAliases(ctx, ev, before); err != nil {
			return err
		}
	}
	return l.note(w, t, e, &out)
}

// note takes an outcome into the work.
func (l *lane) note(w *work, t *touched, e *entry, out *scoring.Outcome) error {
	if out.Changed {
		t.add(e)
	}
	w.forgotten.Identities += out.Forgotten.Identities
	w.forgotten.Marks += out.Forgotten.Marks
	w.forgotten.People += out.Forgotten.People
	w.hold(l.e.model, out)
	for i := range out.Crossings {
		c := &out.Crossings[i]
		value, err := l.e.encoder.Change(e.name, c)
		if err != nil {
			return fmt.Errorf("encode %s/%d: %w", e.name, c.Seq, err)
		}
		w.step.Outbox = append(w.step.Outbox, Message{Account: e.name, Value: value})
		w.crossings = append(w.crossings, c.Cause.Kind)
	}
	return nil
}

// writeAll adds the stored form of every touched account to the work. Where the
// accounts were swept, it is up to this instant, and the due instants are exact.
func (l *lane) writeAll(w *work, t *touched, swept int64) error {
	w.step.Writes = make([]Write, 0, len(t.entries))
	for _, e := range t.entries {
		write, packed, err := e.write(l.e.model, l.nextVersion(), l.packed, swept)
		if err != nil {
			return err
		}
		l.packed = packed
		e.touched, e.profileChanged = false, false
		w.step.Writes = append(w.step.Writes, write)
	}
	return nil
}

// moveAliases gives the domains of a profile to its account and takes those it
// no longer names. It happens before the commit: done twice, it changes nothing.
func (e *Engine) moveAliases(ctx context.Context, ev *scoring.Event, before *scoring.Profile) error {
	var claims []Alias
	var released []string
	keep := map[string]bool{}
	if ev.Profile != nil {
		for _, d := range ev.Profile.Domains {
			keep[d] = true
			claims = append(claims, Alias{Domain: d, Account: ev.Account, Time: ev.Time})
		}
	}
	if before != nil {
		for _, d := range before.Domains {
			if !keep[d] {
				released = append(released, d)
			}
		}
	}
	return e.retry(ctx, "move aliases", func() error { return e.setAliases(ctx, ev.Account, claims, released) })
}

func (e *Engine) setAliases(ctx context.Context, account string, claims []Alias, released []string) error {
	if len(released) > 0 {
		if err := e.aliases.Release(ctx, account, released); err != nil {
			return err
		}
	}
	if len(claims) > 0 {
		return e.aliases.Claim(ctx, claims)
	}
	return nil
}
