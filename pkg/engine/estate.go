package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tidemark/pkg/failpoint"
	"tidemark/scoring"
)

// What a merged account left lies in its own shard, and its heir in another, which may be
// on another node: when that one's store is set back, the heir no longer has what it
// took, while the merge is done for the loser's shard. So the estate stays with the loser
// for keepFor, and the merge is read again by the heir's position, as everything is
// that its shard lost: then the estate is offered again, in its place among the events.
// The other way round, a loser that was set back gives again, and the heir, which
// remembers what it took, leaves it.

// keepFor is for how long an estate stays with the loser once the heir has it. A store
// that is set back by more of event time than this is for `rebuild`.
const keepFor = scoring.Day

// placed is the row of a merged account's positions that says at which offset its merge
// stands. No topic's name has the sign.
func placed(p Partition) Partition { return Partition{Topic: "@" + p.Topic, ID: p.ID} }

func placeOf(row Partition) (Partition, bool) {
	topic, ok := strings.CutPrefix(row.Topic, "@")
	return Partition{Topic: topic, ID: row.ID}, ok
}

// placeIn are the positions of a merged account: those of its shard, and the place of the
// merge. The shard's own fences, and what it keeps as an heir's, are of other merges.
func placeIn(positions map[Partition]int64, in *Input) map[Partition]int64 {
	from := maps.Clone(positions)
	maps.DeleteFunc(from, func(row Partition, _ int64) bool {
		_, fence := placeOf(row)
		return fence || isReached(row)
	})
	from[placed(in.Partition)] = in.Offset
	return from
}

// reached is the row of a merged account's positions that says where a row of the heir's
// shard stood before the merge, if that is further than what the loser's own shard had seen.
// The heir's shard has it too, once the estate is taken: a loser that is set back behind the
// merge has forgotten it, and its events may be stored nowhere still. No topic's name has the
// sign.
func reached(row Partition) Partition { return Partition{Topic: "<" + row.Topic, ID: row.ID} }

func isReached(row Partition) bool { return strings.HasPrefix(row.Topic, "<") }

// keepReached are the moves by which an heir's shard keeps what it had reached before a merge.
func (s *shard) keepReached(at map[Partition]int64) (moves []Move) {
	for row, offset := range at {
		if before := s.positions[row]; isReached(row) && offset > before {
			moves = append(moves, Move{Partition: row, From: before, To: offset})
		}
	}
	return moves
}

// reachedBefore adds to the positions of a loser that was set back what its heir's shard
// kept of the merge, or of others whose losers lie there: their events too are known by
// their identities then.
func (e *Engine) reachedBefore(from map[Partition]int64, loser *shard, heir string) {
	of := ">" + strconv.Itoa(loser.number)
	for row, at := range e.shardOf(heir).positions {
		if isReached(row) && strings.HasSuffix(row.Topic, of) {
			from[row] = at
		}
	}
}

// ahead adds to a loser's positions what its heir's shard has of others whose names lie
// where the loser does: a round that was cut may have moved that row past events of the
// loser that are stored nowhere yet.
func (e *Engine) ahead(from map[Partition]int64, loser *shard, heir string) {
	to := e.shardOf(heir)
	if to == loser {
		return
	}
	for row, at := range to.positions {
		topic, number, ok := strings.Cut(row.Topic, ">")
		if !ok || isReached(row) {
			continue
		}
		seen := row
		if number == strconv.Itoa(loser.number) {
			seen = Partition{Topic: topic, ID: row.ID}
		}
		if at > from[seen] {
			from[reached(row)] = at
		}
	}
}

// bequeath brings the estate of a merged account to its heir, if it waits. named is the
// account that the merge named as the heir, "" if that is not known any more: it may
// have been merged itself since it took the estate.
func (e *Engine) bequeath(ctx context.Context, from, named string) error {
	a, err := e.look(ctx, from)
	if err != nil {
		return err
	}
	if a.account.Into() == "" {
		delete(e.moved, from)
		return nil
	}
	e.moved[from] = went{a.account.Into(), a.from}
	estate := a.account.Estate()
	if estate == nil {
		return e.breakCircle(ctx, from)
	}
	return e.deliver(ctx, from, cmp.Or(named, a.account.Into()), estate)
}

// deliver has the heir take an estate, or whoever that one went into, and the loser
// know it.
func (e *Engine) deliver(ctx context.Context, from, heir string, estate *scoring.Estate) error {
	at := e.moved[from].from
	for passed := []string{from}; ; {
		if slices.Contains(passed, heir) {
			if err := e.unknot(ctx, passed[slices.Index(passed, heir):]); err != nil {
				return err
			}
			return e.bequeath(ctx, from, "")
		}
		passed = append(passed, heir)
		next, err := e.endow(ctx, heir, estate, at)
		if err != nil {
			return err
		}
		if next == "" {
			break
		}
		heir = next
	}
	failpoint.Hit(failpoint.EstateTaken)
	return e.change(ctx, from, func(_ *lane, _ *work, t *touched, a *entry) error {
		if a.account.Into() != "" {
			a.account.Keep(heir)
			t.add(a)
		}
		return nil
	})
}

// endow gives an estate to an heir, or says which account that one was merged into if
// it had not taken the estate by then.
func (e *Engine) endow(ctx context.Context, heir string, estate *scoring.Estate, at map[Partition]int64) (next string, err error) {
	err = e.change(ctx, heir, func(l *lane, w *work, t *touched, a *entry) error {
		if next = a.account.Into(); next != "" {
			if taken, _ := a.account.Took(estate); taken {
				next = ""
			}
			return nil
		}
		t.add(a) // taken before or not: the version says whether what is remembered is true
		if taken, sure := a.account.Took(estate); !taken && !sure && e.shardOf(heir).passed(at) {
			return nil // so long ago that the heir forgot that it took it
		}
		w.step.Moves = append(l.e.fence(w.shard, at), w.shard.keepReached(at)...)
		out := l.e.model.Absorb(a.account, estate)
		return l.note(w, t, a, &out, 0)
	})
	return next, err
}

// fence moves a row of the heir's shard past the place of a merge. Set back behind it, the
// shard refuses to pass the merge without the estate, as if it had been taken. Who does
// not read the partition leaves the row alone, as all positions.
func (e *Engine) fence(s *shard, at map[Partition]int64) []Move {
	for row, offset := range at {
		p, ok := placeOf(row)
		if _, ours := e.ends[p]; ok && ours {
			return []Move{{Partition: row, From: s.positions[row], To: max(s.positions[row], offset+1)}}
		}
	}
	return nil
}

// fenced is the fence before which a partition's position stands, if one does.
func (s *shard) fenced(p Partition) (fence Move, ok bool) {
	row := placed(p)
	at := s.positions[row]
	return Move{Partition: row, From: at, To: at}, at > s.positions[p]
}

// passed reports whether the shard is past the place of a merge, as it is in a
// merged account's positions.
func (s *shard) passed(from map[Partition]int64) bool {
	for row, offset := range from {
		if p, ok := placeOf(row); ok {
			return s.positions[p] > offset
		}
	}
	return false
}

// offerAgain brings the estate of an account that the input merged to its heir once
// more, where that one stands before the input again or never had it.
func (e *Engine) offerAgain(ctx context.Context, in *Input, loser string) error {
	a, err := e.look(ctx, loser)
	if err != nil {
		return err
	}
	if estate := a.account.Estate(); estate != nil && estate.Of(in.Event, loser) {
		return e.bequeath(ctx, loser, "")
	}
	estate, keeper := a.account.Kept()
	if estate == nil || !estate.Of(in.Event, loser) || e.shardOf(keeper).positions[in.Partition] > in.Offset {
		return nil
	}
	e.moved[loser] = went{a.account.Into(), a.from}
	return e.deliver(ctx, loser, keeper, estate)
}

// keptTooLong reports whether an account keeps what its heir has for longer than needed.
func (e *Engine) keptTooLong(a *scoring.Account) bool {
	s, _ := a.Kept()
	return s != nil && s.KeptSince() < e.watermark-keepFor
}

func (e *Engine) dropKept(ctx context.Context, account string) error {
	return e.change(ctx, account, func(_ *lane, _ *work, t *touched, a *entry) error {
		if e.keptTooLong(a.account) {
			a.account.Settle()
			t.add(a)
		}
		return nil
	})
}

// breakCircle looks whether the way of a merged account leads back into itself, which
// happens where several instances merged accounts into each other at once.
func (e *Engine) breakCircle(ctx context.Context, from string) error {
	way, err := e.way(ctx, from)
	if err != nil {
		return err
	}
	last, err := e.look(ctx, way[len(way)-1])
	if err != nil || last.account.Into() == "" {
		return err
	}
	if err := e.unknot(ctx, way[slices.Index(way, last.account.Into()):]); err != nil {
		return err
	}
	return e.bequeath(ctx, from, "")
}

// unknot opens a circle of merged accounts: the one whose name sorts first stays an
// account, so that whoever finds the circle does the same. What is known of them may be
// old, so that there is no circle.
func (e *Engine) unknot(ctx context.Context, circle []string) error {
	stays := slices.Min(circle)
	first, err := e.look(ctx, stays)
	if err != nil {
		return err
	}
	estate, taken := first.account.Estate(), false
	for _, name := range circle {
		a, err := e.look(ctx, name)
		if err != nil {
			return err
		}
		if estate != nil && name != stays {
			// Before that one gave: the note of it may be on its way.
			had, _ := a.account.Took(estate)
			taken = taken || had
		}
		into := a.account.Into()
		if into == "" {
			delete(e.moved, name)
			return nil
		}
		if e.moved[name] = (went{into, a.from}); !slices.Contains(circle, into) {
			return nil
		}
	}
	err = e.change(ctx, stays, func(l *lane, w *work, t *touched, a *entry) error {
		if a.account.Into() == "" {
			return nil
		}
		out := l.e.model.Revive(a.account, taken)
		a.from, a.profileChanged = nil, true
		t.add(a)
		return l.note(w, t, a, &out, 0)
	})
	if err == nil {
		e.outage.log.Warn().Strs("accounts", circle).Str("stays", stays).Msg("accounts were merged into each other at once")
		delete(e.moved, stays)
	}
	return err
}

// untangle opens the circles among the merged accounts that are known: what another
// instance did was met just now.
func (e *Engine) untangle(ctx context.Context) error {
	for name := range e.moved {
		for passed := []string{name}; ; {
			next, ok := e.moved[passed[len(passed)-1]]
			if !ok {
				break
			}
			if i := slices.Index(passed, next.into); i >= 0 {
				if err := e.unknot(ctx, passed[i:]); err != nil {
					return err
				}
				break
			}
			passed = append(passed, next.into)
		}
	}
	return nil
}
