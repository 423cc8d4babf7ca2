package engine

import (
	"context"
	"fmt"
	"slices"

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
		if err := l.e.gather(ctx, []*shard{s}); err != nil {
			return nil, err
		}
	}
	entries, err := l.group(s)
	if err != nil || len(s.merged) > 0 {
		return w, err
	}
	w.step.Writes = l.lend(len(entries))
	for i, e := range entries {
		if i%ahead == 0 {
			l.touch(entries[i:min(i+ahead, len(entries))], s.unseen)
		}
		if err := l.applyTo(ctx, w, e, s.unseen); err != nil {
			return nil, err
		}
	}
	w.inOrder()
	w.step.Moves = s.moves(s.unseen, l.published(s, r))
	return w, nil
}

// ahead is how many accounts are touched before the first of them is scored.
const ahead = 8

// touch reads a little of accounts at rest and of their inputs, which lie all over memory:
// the processor fetches what is asked for in a row at the same time, where scoring one
// after the other it would wait for each.
func (l *lane) touch(entries []*entry, inputs []*Input) {
	for _, e := range entries {
		if n := len(e.state); n > 0 {
			l.glance += e.state[0] + e.state[n-1]
		}
		for i := e.first; i != 0; i = l.next[i-1] {
			l.glance += byte(inputs[i-1].Event.Kind)
		}
	}
	for _, e := range entries {
		for i := e.first; i != 0; i = l.next[i-1] {
			ev := inputs[i-1].Event
			if l.glance += byte(ev.Arrived); ev.ID != "" {
				l.glance += ev.ID[0]
			}
			if c := ev.Contact; c != nil {
				l.glance += byte(len(c.ID) + len(c.Role))
			}
		}
	}
}

// inOrder puts messages into the order of the inputs that they came with.
func (w *work) inOrder() {
	if slices.IsSorted(w.came) {
		return
	}
	order := make([]int, len(w.came))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(w.came[a] - w.came[b]) })
	sorted := make([]Message, len(order))
	for i, k := range order {
		sorted[i] = w.step.Outbox[k]
	}
	w.step.Outbox = sorted
}

// group strings the fresh inputs of each account together, in their order, and gives
// the accounts in the order of their first. One account after the other is taken in hand
// then, in memory that the processor has at hand too: no input concerns two.
//
// Where inputs name accounts that another instance merged, nothing is to be applied:
// shard.merged has those then.
func (l *lane) group(s *shard) ([]*entry, error) {
	l.next = append(l.next[:0], make([]int32, len(s.unseen))...)
	l.list = l.list[:0]
	for i, e := range s.found {
		if e.last == 0 {
			e.first = int32(i + 1)
			l.list = append(l.list, e)
		} else {
			l.next[e.last-1] = int32(i + 1)
		}
		e.last = int32(i + 1)
		if !e.mayBeMerged() {
			continue
		}
		if err := l.wake(e); err != nil {
			return nil, err
		}
		if into := e.account.Into(); into != "" && forwards(s.unseen[i].Event.Kind) {
			s.meet(e.name, went{into, e.from})
		}
	}
	if len(s.merged) > 0 {
		for _, e := range l.list {
			e.first, e.last = 0, 0
		}
	}
	return l.list, nil
}

// applyTo scores the inputs of one account and adds what is to be stored of it.
func (l *lane) applyTo(ctx context.Context, w *work, e *entry, inputs []*Input) error {
	if e.account == nil {
		if err := e.wake(&l.e.models, &l.hand); err != nil {
			return err
		}
	}
	t := &touched{l.one[:0]}
	if err := l.adopt(w, t, e); err != nil {
		return err
	}
	for i := e.first; i != 0; i = l.next[i-1] {
		if err := l.applyOne(ctx, w, t, e, inputs[i-1]); err != nil {
			return err
		}
		for len(w.came) < len(w.step.Outbox) {
			w.came = append(w.came, i)
		}
	}
	l.one, e.first, e.last = t.entries, 0, 0
	if err := l.writeAll(w, t, UnknownWatermark); err != nil {
		return err
	}
	l.lay(e)
	return nil
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
	var known [8]Move // positions that were looked up: of one input after the other the partition is another
	n := 0
	at := func(p Partition) int64 {
		for i := range known[:min(n, len(known))] {
			if m := &known[i]; m.Partition == p {
				return m.From
			}
		}
		from := s.positions[p]
		known[n%len(known)] = Move{Partition: p, From: from}
		n++
		return from
	}
	for _, in := range s.inputs {
		if _, is := in.row(); !is && in.Offset >= at(in.Partition) || is && s.unseenRow(in) {
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
			if fence, ok := s.fenced(p); ok {
				moves = append(moves, fence)
			}
		}
	}
	for i, in := range inputs {
		if i == 0 || in.Partition != inputs[i-1].Partition {
			add(in.Partition, r.Ends)
		}
	}
	for _, p := range s.passing {
		add(p, r.Ends)
	}
	moves = append(moves, s.rows(inputs, r)...)
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
	if ev.Kind == scoring.KindMerge { // done by identify
		if !in.refused {
			w.effects[scoring.Counted]++
		}
		return nil
	}
	if IsCanary(ev) {
		w.returned(ev)
		return nil
	}
	var before *scoring.Profile
	if ev.Kind == scoring.KindProfile || ev.Kind == scoring.KindTombstone {
		before, _ = e.account.Profile()
	}
	out := &l.out
	l.e.model.ApplyTo(out, e.account, ev, in.watermark)
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
	first := len(w.step.Outbox)
	if err := l.note(w, t, e, out, ev.Arrived); err != nil {
		return err
	}
	if in.Letter != nil && l.e.hooks.Scored != nil {
		l.e.hooks.Scored(in, w.step.Outbox[first:])
	}
	return nil
}

// note takes an outcome into the work. appended is when the input that led to it was
// appended to Kafka, 0 where none did.
func (l *lane) note(w *work, t *touched, e *entry, out *scoring.Outcome, appended int64) error {
	if out.Changed {
		t.add(e)
	}
	w.forgotten.Identities += out.Forgotten.Identities
	w.forgotten.Marks += out.Forgotten.Marks
	w.forgotten.People += out.Forgotten.People
	w.forgotten.Accounts += out.Forgotten.Accounts
	e.forgotten = e.forgotten || out.Forgotten.Accounts > 0
	w.hold(l.e.model, out)
	for i := range out.Crossings {
		c := &out.Crossings[i]
		value, err := l.encode(e.name, c)
		if err != nil {
			return fmt.Errorf("encode %s/%d: %w", e.name, c.Seq, err)
		}
		m := Message{Account: e.name, Value: value}
		if byInput(c.Cause.Kind) {
			m.Appended = appended
		}
		w.step.Outbox = append(w.step.Outbox, m)
		w.crossings = append(w.crossings, c.Cause.Kind)
	}
	return nil
}

// byInput reports whether a crossing came with an input, and not by time before it.
func byInput(c scoring.CauseKind) bool {
	return c == scoring.CauseEvent || c == scoring.CauseProfile || c == scoring.CauseErasure || c == scoring.CauseMerge
}

// writeAll adds the stored form of every touched account to the work. Where the
// accounts were swept, it is up to this instant, and the due instants are exact.
func (l *lane) writeAll(w *work, t *touched, swept int64) error {
	w.step.Writes = slices.Grow(w.step.Writes, len(t.entries))
	for _, e := range t.entries {
		write, err := e.write(&l.e.models, l.nextVersion(), &l.states, swept)
		if err != nil {
			return err
		}
		e.touched, e.profileChanged, e.forgotten = false, false, false
		w.step.Check = w.step.Check || e.checked != w.shard.others
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
