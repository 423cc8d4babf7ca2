package scoring

// ForgetAfter has idle accounts forgotten: who has had no input for so long, in
// milliseconds, as if time itself erased them. It is for before the model is used;
// 0, as at first, is never.
func (m *Model) ForgetAfter(ms int64) { m.forgetAfter = ms }

// Due is the first instant at which time alone does something to the account that
// anybody sees: its next crossing, or its being forgotten above the lowest tier. False: never.
func (m *Model) Due(a *Account) (at int64, ok bool) {
	at, ok = m.NextCrossing(a)
	if forgets, idle := m.forgetsAt(a); idle && m.tier(a) != m.last() && (!ok || forgets < at) {
		return forgets, true
	}
	return at, ok
}

// Lapses reports whether the account is forgotten by the instant t.
func (m *Model) Lapses(a *Account, t int64) bool {
	_, lapses := m.lapse(a, t)
	return lapses
}

// Rests reports whether time alone does nothing to the account until t included.
func (m *Model) Rests(a *Account, t int64) bool {
	_, lapses := m.lapse(a, t)
	return !lapses && m.Quiet(a, t)
}

// forgetsAt is when the account is forgotten if nothing more happens; false: never.
func (m *Model) forgetsAt(a *Account) (int64, bool) {
	if m.forgetAfter == 0 || !a.Begun || a.profile != nil && !a.active() {
		return 0, false
	}
	return max(a.idleSince()+m.forgetAfter, a.Clock), true
}

// active reports whether anything is known that an input but the profile left.
func (a *Account) active() bool {
	return len(a.sums)+len(a.surges)+len(a.people)+len(a.once)+len(a.days)+len(a.held) > 0
}

// idleSince is the clock, or the end of the day at which the latest input arrived where
// that is earlier: crossings and new models move the clock of accounts that are idle.
func (a *Account) idleSince() int64 {
	since := forEver
	for i, d := range a.days {
		if i == 0 || (d.number+1)*Day > since {
			since = (d.number + 1) * Day
		}
	}
	return min(since, a.Clock)
}

// lapse is the instant at which the account is forgotten, if that is not after t; else t.
func (m *Model) lapse(a *Account, t int64) (int64, bool) {
	if at, idle := m.forgetsAt(a); idle && at <= t {
		return at, true
	}
	return t, false
}

// lapsed forgets an account that was idle for too long before an input at t, so that the
// input is its first.
func (m *Model) lapsed(a *Account, t int64, out *Outcome) {
	if _, lapses := m.lapse(a, t); lapses {
		m.advance(a, t, out)
	}
}

// forget erases all but the profile and what belongs to it: the seq, since no number
// ever has two meanings, and with a profile the tier, which what is left may uphold.
func (m *Model) forget(a *Account, at int64, out *Outcome) {
	a.Clock = at
	out.Changed = true
	out.Forgotten.Accounts++
	if a.profile == nil {
		a.taken = nil
		m.end(a, out)
		return
	}
	a.sums, a.surges, a.people, a.once, a.days, a.held, a.suspects = nil, nil, nil, nil, nil, nil, nil
	a.quiet.stir()
	m.evaluate(a, because(CauseErasure), out)
}

// end erases the account at its clock. Above the lowest tier it leaves first, so that
// every enter is matched by one exit.
func (m *Model) end(a *Account, out *Outcome) {
	if m.tier(a) != m.last() {
		var r reading
		m.read(&r, a, a.Clock)
		x := m.move(a, &r, verdict{move: true, to: m.last()}, Cause{Kind: CauseErasure}, out.folio())
		out.Crossings = append(out.Crossings, x)
	}
	a.wipe()
	m.Open(a)
}
