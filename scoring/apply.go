package scoring

import (
	"slices"
	"strings"
)

// Effect is what became of an input.
type Effect uint8

// The effects of an input on its account.
const (
	// Counted: the input took part, even if every once_per window had its event.
	Counted Effect = iota
	// Duplicate: the identity arrived before; nothing changed.
	Duplicate
	// Unmatched: no signal matches the event; nothing changed.
	Unmatched
	// Outdated: a profile older than the present one; nothing changed.
	Outdated
	// Unscored: an outcome; nothing changed.
	Unscored
)

// Outcome is what an input did.
type Outcome struct {
	Effect    Effect
	Crossings []Crossing // in order; publish only after the state is stored
	Forgotten Forgotten
	// Held says of how many events each rule of Holds newly held something back, in
	// declared order; nil for none. It is valid until the account's next input.
	Held []int
	// Released is true when a person showed to be human and what was held of them counts.
	Released bool
	// Changed is false when the account is exactly as it was.
	Changed bool
	// ProfileChanged is true when the profile was replaced or erased.
	ProfileChanged bool

	folios []*folio // what the crossings refer to
	used   int      // of folios
}

// Apply does one input. Crossings due at or before the low watermark happen
// first, and those due at or before the event's own time; then the event counts,
// and the tier is evaluated at the account's clock (SPEC 4, Time). Nothing happens to
// an account that was merged, nor by a KindMerge: that is for Merge and Absorb.
func (m *Model) Apply(a *Account, e *Event, watermark int64) Outcome {
	var out Outcome
	m.apply(a, e, watermark, &out)
	return out
}

// ApplyTo is Apply with memory that is used again: what out said before is gone, its
// crossings and all that they refer to included, so none of it may be kept.
func (m *Model) ApplyTo(out *Outcome, a *Account, e *Event, watermark int64) {
	out.reset()
	m.apply(a, e, watermark, out)
}

func (m *Model) apply(a *Account, e *Event, watermark int64, out *Outcome) {
	if a.into != "" {
		out.Effect = Outdated
		if s, _ := a.Kept(); s != nil && e.Kind == KindTombstone {
			a.Settle() // nothing of people stays
			out.Changed = true
		}
		return
	}
	m.advance(a, watermark, out)
	switch e.Kind {
	case KindProfile:
		m.applyProfile(a, e, out)
	case KindErasure:
		m.applyErasure(a, e, out)
	case KindTombstone:
		m.applyTombstone(a, e, out)
	case KindMerge: // see Model.Merge
	case KindOutcome, KindNotice:
		out.Effect = Unscored
	default:
		m.applyEvent(a, e, out)
	}
}

// Advance does what time alone does to the account until the instant t, t included.
func (m *Model) Advance(a *Account, t int64) Outcome {
	var out Outcome
	m.advance(a, t, &out)
	return out
}

// AdvanceTo is to Advance what ApplyTo is to Apply.
func (m *Model) AdvanceTo(out *Outcome, a *Account, t int64) {
	out.reset()
	m.advance(a, t, out)
}

func (m *Model) advance(a *Account, t int64, out *Outcome) {
	for {
		at, lapses := m.lapse(a, t)
		m.crossings(a, at, out)
		if !lapses {
			return
		}
		// A crossing on the way may have put it off.
		if now, still := m.lapse(a, t); still && now == at {
			m.forget(a, at, out)
		}
	}
}

// crossings makes those that are due until t included.
func (m *Model) crossings(a *Account, t int64, out *Outcome) {
	for !m.Quiet(a, t) {
		at, ok := m.NextCrossing(a)
		if !ok || at > t {
			return
		}
		m.cross(a, at, out)
	}
}

// cross makes the crossing that NextCrossing solved: the instant itself decides,
// whatever the score's last bit there says.
func (m *Model) cross(a *Account, at int64, out *Outcome) {
	since, r := m.borrow(), m.borrow()
	defer m.lend(since)
	defer m.lend(r)
	m.read(since, a, a.Clock)
	m.read(r, a, at)
	f := out.folio()
	out.add(m, a, m.move(a, r, m.decide(a, r, since), Cause{Kind: CauseDecay}, f), f)
}

func (o *Outcome) add(m *Model, a *Account, x Crossing, f *folio) {
	if at, ok := m.Demotion(a); ok {
		f.demotes = at
		x.DemotesAt = &f.demotes
	}
	o.Crossings = append(o.Crossings, x)
	o.Changed = true
}

// evaluate does the tier rules at the account's clock, where something happened.
func (m *Model) evaluate(a *Account, cause func(*folio) Cause, out *Outcome) {
	r := m.borrow()
	defer m.lend(r)
	m.read(r, a, a.Clock)
	if v := m.decide(a, r, nil); v.move {
		f := out.folio()
		out.add(m, a, m.move(a, r, v, cause(f), f), f)
	} else if m.falling(a) && m.allCooled(a) {
		a.quiet.bound(r.total)
	}
}

func because(kind CauseKind) func(*folio) Cause {
	return func(*folio) Cause { return Cause{Kind: kind} }
}

// enter moves the clock to an input's time, after the crossings on the way.
func (m *Model) enter(a *Account, t int64, out *Outcome) {
	m.advance(a, t, out)
	if !a.Begun || t > a.Clock {
		a.Clock, a.Begun = t, true
	}
	a.quiet.moved()
	a.expireMarks()
	if len(a.held)+len(a.suspects) > 0 {
		m.fade(a)
	}
	out.Changed = true
}

func (m *Model) applyEvent(a *Account, e *Event, out *Outcome) {
	var buf [8]int
	matched := m.matches(buf[:0], e)
	if len(matched) == 0 {
		out.Effect = Unmatched
		return
	}
	m.lapsed(a, e.Time, out)
	if m.repeated(a, e, out) {
		return
	}
	m.enter(a, e.Time, out)
	matched = m.count(a, e, matched, out)
	if !m.steady(a) {
		m.evaluate(a, func(f *folio) Cause { return m.causeOf(e, matched, f) }, out)
	}
}

func (m *Model) repeated(a *Account, e *Event, out *Outcome) bool {
	dup, forgotten := a.seen(fingerprint(Identity(e.Source, e.ID)), e.Arrived)
	out.Forgotten.Identities += forgotten
	if dup {
		out.Effect = Duplicate
	}
	return dup
}

// count adds the event to the sums of its signals, to the committee and to the
// surges of the groups it counts for. It returns the signals that counted it.
func (m *Model) count(a *Account, e *Event, matched []int, out *Outcome) []int {
	who := m.who(e.Contact)
	as := m.titled(e.Contact)
	multiplier := m.multiplier(e.Contact, &as)
	var positive, sooner bool
	var gain float64 // at most what the total gains
	var act *click   // where the event may be part of a burst
	if m.holds != nil {
		matched, act = m.withhold(a, e, who, &as, matched, out)
	}
	counted := matched[:0]
	for _, i := range matched {
		s := &m.signals[i]
		positive = positive || s.points > 0
		if s.oncePer > 0 {
			ok, forgotten := a.first(s.number, who, e.Time, s.oncePer)
			out.Forgotten.Marks += forgotten
			if !ok {
				continue
			}
			a.supersede(s.number, who, e.Time, s.oncePer)
		}
		x := e.Strength
		if s.bySeniority {
			x = float64(e.Strength * multiplier)
		}
		a.add(s.number, x, e.Time, s.halfLife)
		sooner = sooner || s.points < 0
		gain += float64(s.points * x)
		counted = append(counted, i)
		act.count(s.number, x)
	}
	if positive && who != 0 {
		role := m.role(e.Contact, &as)
		forgotten, lost := a.meet(who, role, e.Time)
		if act == nil {
			a.vouch(who, role, e.Time)
		}
		out.Forgotten.People += forgotten
		sooner = sooner || lost
		gain += m.committee.perRole
	}
	for i := range m.surges {
		s := &m.surges[i]
		if slices.ContainsFunc(counted, func(k int) bool { return m.signals[k].group == s.group }) {
			a.surge(s, e.Strength, e.Time)
			// A late one may make the past look stronger, and end a surge sooner.
			sooner = sooner || e.Time < a.Clock
			gain += s.adds
		}
	}
	// More points put a demotion off. They may bring a promotion nearer only where
	// one can come by time alone.
	if sooner || !m.falling(a) || !m.allCooled(a) {
		a.quiet.stir()
	}
	a.quiet.most += gain
	return counted
}

// HashPeople has people kept under another fingerprint than Person, such as one with a
// key, so that nobody who reads a state can try names on it. It is for before the
// model is used, and the same for all models of a state: people that were kept under
// another one are strangers. It must never give 0, which stands for nobody.
func (m *Model) HashPeople(hash func(identity string) uint64) { m.person = hash }

// who is the person's fingerprint, 0 for nobody.
func (m *Model) who(c *Contact) uint64 {
	switch {
	case c == nil:
		return 0
	case c.ID != "":
		return fingerprint(m.person(c.ID))
	case c.Email != "":
		return fingerprint(m.person(strings.ToLower(c.Email)))
	}
	return 0
}

func (m *Model) causeOf(e *Event, matched []int, f *folio) Cause {
	c := Cause{Kind: CauseEvent, ID: e.ID, Source: e.Source, Type: e.Type, Signals: f.names(len(matched))}
	for _, i := range matched {
		c.Signals = append(c.Signals, m.signals[i].name)
	}
	return c
}

func (m *Model) applyProfile(a *Account, e *Event, out *Outcome) {
	if a.profile != nil && e.Time < a.profileTime {
		out.Effect = Outdated
		return
	}
	m.lapsed(a, e.Time, out)
	if m.repeated(a, e, out) {
		return
	}
	m.enter(a, e.Time, out)
	a.profile, a.profileTime = e.Profile, e.Time
	a.standing = m.stand(a.profile)
	a.quiet.stir()
	out.ProfileChanged = true
	m.evaluate(a, because(CauseProfile), out)
}

func (m *Model) applyErasure(a *Account, e *Event, out *Outcome) {
	m.lapsed(a, e.Time, out)
	if m.repeated(a, e, out) {
		return
	}
	m.enter(a, e.Time, out)
	for _, identity := range e.Erased() {
		a.forget(fingerprint(m.person(identity)))
	}
	a.quiet.stir()
	m.evaluate(a, because(CauseErasure), out)
}

// applyTombstone erases the account.
func (m *Model) applyTombstone(a *Account, e *Event, out *Outcome) {
	if !a.Begun {
		return
	}
	m.enter(a, e.Time, out)
	out.ProfileChanged = a.profile != nil
	m.end(a, out)
}

// Adopt puts the account under this model at instant t, the instant it takes
// effect; before was in force until then, and the account is open under it.
// Crossings due before t are the model before's. Intensities stay, so new points,
// limits and tiers apply to history at once; a changed half-life applies from t on.
func (m *Model) Adopt(a *Account, before *Model, t int64) Outcome {
	var out Outcome
	if !a.Begun {
		m.Open(a)
		return out
	}
	before.advance(a, t, &out)
	m.Succeed(a, before, t)
	out.Changed = true
	if _, kept := m.tierOf[a.tier]; a.tiered && !kept {
		m.rehome(a, before, &out)
	} else {
		m.evaluate(a, because(CauseModel), &out)
	}
	return out
}

// Succeed is Adopt of an account of which it is known what the change led to: its tier is
// not decided.
func (m *Model) Succeed(a *Account, before *Model, t int64) {
	if a.Begun {
		a.Clock = max(a.Clock, t)
		before.settle(a)
		a.suspects = nil
	}
	m.Open(a)
}

// settle brings every sum to the account's clock, so that another half-life
// applies from there on.
func (m *Model) settle(a *Account) {
	for i := range a.sums {
		s := &a.sums[i]
		if k, ok := m.signal(s.number); ok {
			s.x *= decay(a.Clock-s.at, m.signals[k].halfLife)
			s.at = a.Clock
		}
	}
	for i := range m.surges {
		if p := a.pairOf(m.surges[i].number); p != nil {
			p.short, p.long = m.surges[i].at(p, a.Clock)
			p.at = a.Clock
		}
	}
	for i := range a.held {
		h := &a.held[i]
		if k, ok := m.signal(h.signal); ok {
			h.x *= decay(a.Clock-h.at, m.signals[k].halfLife)
			h.at = a.Clock
		}
	}
}

// rehome moves an account whose tier this model does not have to the best tier
// that it attains: who entered the old tier must see it left.
func (m *Model) rehome(a *Account, before *Model, out *Outcome) {
	var r reading
	m.read(&r, a, a.Clock)
	v := verdict{move: true, to: m.last(), byScore: true}
	for i := range m.last() {
		if m.attained(i, &r, nil) && m.cooled(a, i, r.at) {
			v.to = i
			break
		}
	}
	old := before.tiers[before.tier(a)]
	f := out.folio()
	x := m.move(a, &r, v, Cause{Kind: CauseModel}, f)
	x.Up = m.tiers[v.to].min > old.min
	x.MQA = m.tiers[v.to].mqa && !old.mqa
	x.Threshold = nil
	if v.to != m.last() {
		x.Threshold = &m.tiers[v.to].min
	}
	out.add(m, a, x, f)
}
