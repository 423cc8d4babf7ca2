package scoring

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Merging says which account goes into which, and why.
type Merging struct {
	From, Into string
	// Event is the account.merged, or the profile of Into that names From among its
	// domains. Of two mergings of From with the same event the second has no effect.
	Event *Event
	// Watermark is the low watermark at its arrival.
	Watermark int64
}

// Estate is what a merged account leaves to another: all that its events made of
// it. It is complete by itself, so it may travel and arrive again.
type Estate struct {
	id        uint64 // by which the heir knows that it has it
	keeper    string // who has it, "" while nobody may
	watermark int64
	cause     Cause
	account   Account // clock, sums, surges, people, windows, identities and estates taken
}

// maxTaken bounds the memory of estates: those of a moment, or of an outage, and of
// what a store that was set back may have lost.
const maxTaken = 64

// Into is the account that this one was merged into, "" for none.
func (a *Account) Into() string { return a.into }

// Estate is what a merged account left and its heir may not have yet, or nil.
func (a *Account) Estate() *Estate {
	if a.estate == nil || a.estate.keeper != "" {
		return nil
	}
	return a.estate
}

// Kept is what a merged account left and keeper took, nil where nothing is kept of it.
func (a *Account) Kept() (s *Estate, keeper string) {
	if a.estate == nil || a.estate.keeper == "" {
		return nil, ""
	}
	return a.estate, a.estate.keeper
}

// Blank reports whether the account had nothing to leave. The heir notes that it has it
// all the same: a loser whose store is set back may meet events before the merge that
// had gone to the heir, and leaves them then.
func (s *Estate) Blank() bool { return !s.account.Begun }

// KeptSince is the clock of what Kept returns.
func (s *Estate) KeptSince() int64 { return s.account.Clock }

// Of reports whether the event is the one by which the account left the estate.
func (s *Estate) Of(e *Event, account string) bool { return s.id == estateID(e, account) }

func estateID(e *Event, account string) uint64 {
	return mix(fnvString(Identity(e.Source, e.ID), account))
}

// Nameless reports whether the account has events and nothing that says who it is.
func (a *Account) Nameless() bool { return a.profile == nil && len(a.sums) > 0 }

// Keep notes that an heir has the estate, stored. It stays, as the heir's store may be
// set back.
func (a *Account) Keep(heir string) {
	if a.estate != nil {
		s := *a.estate // the one that is in use elsewhere stays as it is
		s.keeper = heir
		a.estate = &s
	}
}

// Settle drops the estate: the heir has it for good.
func (a *Account) Settle() { a.estate = nil }

// Merge ends the history of an account that goes into another: crossings due at or
// before the low watermark and the event's time happen first, then the one to the
// lowest tier. What is left is its seq, where it went, and its Estate, which the
// heir must get by Absorb. An account that was merged before stays as it is.
func (m *Model) Merge(a *Account, x Merging) Outcome {
	var out Outcome
	if a.into != "" {
		out.Effect = Duplicate
		return out
	}
	left := Account{into: x.Into}
	if a.Begun {
		m.advance(a, x.Watermark, &out)
		m.enter(a, x.Event.Time, &out)
	}
	left.estate = a.estateOf(&x)
	if a.Begun && m.tier(a) != m.last() {
		var r reading
		m.read(&r, a, a.Clock)
		out.Crossings = append(out.Crossings, m.move(a, &r, verdict{move: true, to: m.last()}, left.estate.cause, out.folio()))
	}
	left.Seq = a.Seq // time alone may have moved it too
	out.Changed, out.ProfileChanged = true, a.profile != nil
	*a = left
	m.Open(a)
	return out
}

func (a *Account) estateOf(x *Merging) *Estate {
	e := x.Event
	return &Estate{
		id:        estateID(e, x.From),
		watermark: x.Watermark,
		cause:     Cause{Kind: CauseMerge, ID: e.ID, Source: e.Source, Type: e.Type},
		account:   Account{Clock: a.Clock, Begun: a.Begun, sums: a.sums, surges: a.surges, people: a.people, once: a.once, days: a.days, held: a.held, taken: a.taken},
	}
}

// Took reports whether the account has an estate, or left it with its own. Where it took
// very many since, nobody can tell: sure is false then.
func (a *Account) Took(s *Estate) (yes, sure bool) { return a.took(s.id) }

// TookBy is Took for what an account left by the event.
func (a *Account) TookBy(e *Event, account string) (yes, sure bool) {
	return a.took(estateID(e, account))
}

func (a *Account) took(id uint64) (yes, sure bool) {
	taken := a.taken
	if a.into != "" && a.estate != nil {
		taken = a.estate.account.taken
	}
	yes = slices.Contains(taken, id)
	return yes, yes || len(taken) < maxTaken
}

// Revive takes a merge back, of which a circle would come: two accounts went into each
// other at once. The account has again what it left, unless an heir has it, as is noted
// in the account or known to the caller (taken): then it comes back with that one's estate.
// Its profile was given up.
func (m *Model) Revive(a *Account, taken bool) Outcome {
	if a.into == "" {
		return Outcome{Effect: Duplicate}
	}
	s := a.Estate()
	*a = Account{Seq: a.Seq}
	m.Open(a)
	var out Outcome
	if s != nil && !taken {
		out = m.Absorb(a, s)
	}
	out.Changed, out.ProfileChanged = true, true
	return out
}

// Absorb adds what a merged account left to its heir, as if the heir had had those
// events itself: crossings that were due when the merge arrived happen first, the
// clock moves to the merge, the sums are added, the tier is evaluated. An estate
// that was taken before changes nothing.
func (m *Model) Absorb(a *Account, s *Estate) Outcome {
	var out Outcome
	if yes, _ := a.Took(s); yes {
		out.Effect = Duplicate
		return out
	}
	if s.Blank() {
		a.take(s)
		out.Changed = true
		return out
	}
	m.advance(a, s.watermark, &out)
	m.enter(a, s.account.Clock, &out)
	m.inherit(a, &s.account, &out)
	a.take(s)
	a.quiet.stir()
	m.evaluate(a, func(*folio) Cause { return s.cause }, &out)
	return out
}

// take notes that the account has an estate, and those that are part of it.
func (a *Account) take(s *Estate) {
	a.taken = append(append(a.taken, s.account.taken...), s.id)
	if over := len(a.taken) - maxTaken; over > 0 {
		a.taken = slices.Delete(a.taken, 0, over)
	}
}

// inherit adds the sums and memories of another account, whose clock is not ahead.
func (m *Model) inherit(a, from *Account, out *Outcome) {
	for _, s := range from.sums {
		a.add(s.number, s.x, s.at, m.halfLife(s.number))
	}
	for _, p := range from.surges {
		m.inheritSurge(a, p)
	}
	for _, p := range from.people {
		forgotten, _ := a.meet(p.who, p.role, p.at)
		out.Forgotten.People += forgotten
	}
	for _, h := range from.held {
		m.inheritHeld(a, h, out)
	}
	out.Forgotten.Marks += a.inheritMarks(from.once)
	out.Forgotten.Identities += a.inheritDays(from.days)
}

// inheritHeld goes on holding what was held of a person. Of a window one event is held.
func (m *Model) inheritHeld(a *Account, h held, out *Outcome) {
	same := func(x held) bool { return x.who == h.who && x.signal == h.signal && x.end == h.end }
	if h.end != never && slices.ContainsFunc(a.held, same) {
		return
	}
	a.pile(h, m.halfLife(h.signal))
	out.Forgotten.Held += a.boundHeld()
}

// halfLife is that of a signal, never of one that the model does not have.
func (m *Model) halfLife(number uint32) int64 {
	if k, ok := m.signal(number); ok {
		return m.signals[k].halfLife
	}
	return Never
}

func (m *Model) inheritSurge(a *Account, from pair) {
	to := a.pairOf(from.number)
	if to == nil {
		a.surges = append(a.surges, from)
		return
	}
	at := max(to.at, from.at)
	for i := range m.surges {
		if s := &m.surges[i]; s.number == from.number {
			to.short, to.long = s.at(to, at)
			from.short, from.long = s.at(&from, at)
		}
	}
	to.short, to.long, to.at = to.short+from.short, to.long+from.long, at
}

// inheritMarks adds once_per windows. What counted in both accounts stays counted.
func (a *Account) inheritMarks(from []mark) (forgotten int) {
	for _, m := range from {
		if !slices.Contains(a.once, m) {
			a.once = append(a.once, m)
		}
	}
	a.expireMarks()
	if over := len(a.once) - maxMarks; over > 0 {
		slices.SortStableFunc(a.once, func(x, y mark) int { return int(min(max(x.end-y.end, -1), 1)) })
		a.once = slices.Delete(a.once, 0, over)
		return over
	}
	return 0
}

// inheritDays adds identities. Where a day has too many, the latest of both stay.
func (a *Account) inheritDays(from []day) (forgotten int) {
	newest := never
	for _, d := range slices.Concat(a.days, from) {
		newest = max(newest, d.number)
	}
	old := func(d day) bool { return d.number < newest-identityDays }
	a.days = slices.DeleteFunc(a.days, old)
	for _, d := range from {
		if old(d) {
			continue
		}
		i := slices.IndexFunc(a.days, func(x day) bool { return x.number == d.number })
		if i < 0 {
			a.days = append(a.days, day{d.number, slices.Clone(d.ids)}) // memory of accounts is used again
			continue
		}
		fresh := slices.DeleteFunc(slices.Clone(d.ids), func(id uint64) bool { return slices.Contains(a.days[i].ids, id) })
		var lost int
		a.days[i].ids, lost = latest(a.days[i].ids, fresh)
		forgotten += lost
	}
	return forgotten
}

// latest joins two lists of identities, the oldest first, within the bound.
func latest(x, y []uint64) (ids []uint64, forgotten int) {
	over := len(x) + len(y) - maxIdentities
	if over <= 0 {
		return append(x, y...), 0
	}
	keep := max(maxIdentities-len(y), min(len(x), maxIdentities/2))
	x = x[len(x)-keep:]
	y = y[len(y)-(maxIdentities-keep):]
	return slices.Concat(x, y), over
}

// How what a merged account left is written.
const (
	noEstate    = 0
	plainEstate = 1 // nobody has it, and it took none itself
	anEstate    = 2
	blankEstate = 3
)

func (s *Estate) form() byte {
	switch {
	case s == nil:
		return noEstate
	case s.Blank():
		return blankEstate
	case s.keeper == "" && len(s.account.taken) == 0:
		return plainEstate
	}
	return anEstate
}

// merged writes what is left of a merged account.
func (p *packer) merged(m *Model, a *Account) {
	p.text(a.into)
	form, s := a.estate.form(), a.estate
	p.b = append(p.b, form)
	if form == noEstate {
		return
	}
	p.hash(s.id)
	if form != plainEstate {
		p.text(s.keeper)
		p.hashes(s.account.taken)
	}
	if form == blankEstate {
		return
	}
	p.b = binary.AppendVarint(p.b, s.watermark)
	p.text(s.cause.ID)
	p.text(s.cause.Source)
	p.text(s.cause.Type)
	left := s.account
	left.taken = nil
	p.body(m, &left)
}

func (u *unpacker) merged(a *Account, names *Names) {
	a.into = u.text()
	u.failed = u.failed || a.into == ""
	form := u.byte()
	if form == noEstate || form > blankEstate {
		u.failed = u.failed || form > blankEstate
		return
	}
	s := &Estate{id: u.hash()}
	a.estate = s
	if form != plainEstate {
		s.keeper, s.account.taken = u.text(), u.hashes(nil)
	}
	if form == blankEstate {
		return
	}
	s.watermark = u.varint()
	s.cause = Cause{Kind: CauseMerge, ID: u.text(), Source: u.text(), Type: u.text()}
	s.account.Begun = true
	if u.old {
		u.wideBody(&s.account, names)
		u.holds(&s.account, names)
		return
	}
	taken := s.account.taken
	has := u.byte()
	u.failed = u.failed || has >= isMerged
	u.body(&s.account, names, has)
	u.failed = u.failed || has&hasHolds != 0 && len(s.account.taken) > 0
	s.account.taken = taken
}

func (p *packer) hashes(all []uint64) {
	p.count(len(all))
	for _, h := range all {
		p.hash(h)
	}
}

func (u *unpacker) hashes(into []uint64) []uint64 {
	return list(u, into, 8, func(h *uint64) { *h = u.hash() })
}

func (u *unpacker) text() string {
	n := u.uvarint()
	if n > uint64(len(u.b)) {
		u.failed, u.b = true, nil
		return ""
	}
	text := string(u.b[:n])
	u.b = u.b[n:]
	return text
}

// LateIdentification is the model's `identity: {late: true}`.
func (m *Model) LateIdentification() bool { return m.spec.Identity.Late }

// MayMerge says whether a merge that names two accounts makes sense. Each is given
// with those that it went into before, one after the other: the last one of into is
// where the loser, from[0], would go. Where it does not, why is for people, or empty
// where there is nothing to do.
func MayMerge(from, into []string) (ok bool, why string) {
	loser, named := from[0], into[0]
	switch {
	case slices.Contains(from, named):
		return false, "" // so it is already
	case slices.Contains(into, loser):
		return false, fmt.Sprintf("data.into: %q was merged into %q before: an account can't go into one that went into it", named, loser)
	case from[len(from)-1] == into[len(into)-1]:
		return false, "" // both went the same way
	case len(from) > 1:
		return false, fmt.Sprintf("subject: %q was merged into %q before: if that one is meant, name it as the subject", loser, from[1])
	}
	return true, ""
}
