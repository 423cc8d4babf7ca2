package scoring

import "slices"

// held is what one person's events that are held back would add to a signal: a sum
// like those that count, and added to them on release.
type held struct {
	who    uint64
	signal uint32
	end    int64 // of the once_per window; never where there is none, or it is forgotten
	x      float64
	at     int64
}

const (
	maxHeld    = 256
	maxHolding = maxPeople // people of whom something is held
	// vanished is an intensity that is not worth being held any longer.
	vanished = 1e-9
)

// withhold takes from the matched signals those for which the event is held back.
// Where the event may be part of a burst, it is remembered and returned: earlier
// ones of the burst that it completes are taken back. An event of which nothing is
// held, and that only a human causes, releases what is held of its person.
func (m *Model) withhold(a *Account, e *Event, who uint64, as *titled, matched []int, out *Outcome) (rest []int, act *click) {
	h := m.holds
	rules, bursts := h.rulesFor(e, matched)
	if bursts != 0 && who != 0 {
		act = m.remember(a, e, who, as, bursts)
		if act != nil {
			rules |= m.bursts(a, who, act, out)
		}
	}
	if rules == 0 {
		if who != 0 && len(a.held) > 0 && h.shows(e, matched) {
			m.release(a, who, out)
		}
		act.match(m, matched)
		return matched, act
	}
	multiplier, by := m.multiplier(e.Contact, as), uint64(0)
	rest = matched[:0]
	for _, i := range matched {
		k := slices.IndexFunc(h.bySignal[i], func(r int) bool { return rules&(1<<r) != 0 })
		if k < 0 {
			rest = append(rest, i)
			continue
		}
		by |= 1 << h.bySignal[i][k]
		x := e.Strength
		if m.signals[i].bySeniority {
			x = float64(e.Strength * multiplier)
		}
		m.hold(a, who, i, x, e.Time, out)
	}
	for r := range h.rules {
		if by&(1<<r) != 0 {
			out.held(a, len(h.rules), r, 1)
		}
	}
	act.match(m, rest)
	return rest, act
}

// rulesFor are the expressions that hold for the event, of the rules of its signals,
// and the bursts that it may be part of.
func (h *holds) rulesFor(e *Event, matched []int) (rules, bursts uint64) {
	var asked uint64
	for _, i := range matched {
		for _, r := range h.bySignal[i] {
			bit := uint64(1) << r
			if asked&bit != 0 {
				continue
			}
			asked |= bit
			switch rule := &h.rules[r]; {
			case rule.of > 0:
				bursts |= bit
			case rule.when(e) == True:
				rules |= bit
			}
		}
	}
	return rules, bursts
}

// shows reports whether only a human does this.
func (h *holds) shows(e *Event, matched []int) bool {
	for _, i := range matched {
		if h.released[i] {
			return true
		}
	}
	return h.human != nil && h.human(e) == True
}

// hold adds to what is held of a person for signal i. Of a once_per window, the first
// one is held, and none where one has counted already.
func (m *Model) hold(a *Account, who uint64, i int, x float64, at int64, out *Outcome) {
	s := &m.signals[i]
	a.know(s.number, at)
	end := never
	if s.oncePer > 0 {
		end = windowEnd(at, s.oncePer)
		switch {
		case a.marked(s.number, who, end):
			return
		case end+markMemory <= a.Clock:
			end = never
		case slices.ContainsFunc(a.held, func(h held) bool { return h.who == who && h.signal == s.number && h.end == end }):
			return
		}
	}
	a.pile(held{who, s.number, end, x, at}, s.halfLife)
	out.Forgotten.Held += a.boundHeld()
}

// pile adds a sum to those held, to one of the same person, signal and window if there is one.
func (a *Account) pile(more held, halfLife int64) {
	for i := range a.held {
		h := &a.held[i]
		if h.who != more.who || h.signal != more.signal || h.end != more.end {
			continue
		}
		if more.at >= h.at {
			h.x = float64(h.x*decay(more.at-h.at, halfLife)) + more.x
			h.at = more.at
		} else {
			h.x += float64(more.x * decay(h.at-more.at, halfLife))
		}
		return
	}
	a.held = append(a.held, more)
}

// boundHeld forgets the oldest of what is held where it is too much, and the people
// whose latest is the oldest where they are too many.
func (a *Account) boundHeld() (forgotten int) {
	if len(a.held) > maxHeld {
		oldest := 0
		for i := range a.held {
			if a.held[i].at < a.held[oldest].at {
				oldest = i
			}
		}
		a.held = slices.Delete(a.held, oldest, oldest+1)
		forgotten = 1
	}
	if len(a.held) <= maxHolding {
		return forgotten
	}
	type latest struct {
		who uint64
		at  int64
	}
	var buf [maxHolding + 1]latest
	people := buf[:0]
	for i := range a.held {
		h := &a.held[i]
		k := slices.IndexFunc(people, func(p latest) bool { return p.who == h.who })
		if k < 0 {
			people = append(people, latest{h.who, h.at})
		} else {
			people[k].at = max(people[k].at, h.at)
		}
	}
	if len(people) <= maxHolding {
		return forgotten
	}
	oldest := people[0]
	for _, p := range people {
		if p.at < oldest.at || p.at == oldest.at && p.who < oldest.who {
			oldest = p
		}
	}
	before := len(a.held)
	a.held = slices.DeleteFunc(a.held, func(h held) bool { return h.who == oldest.who })
	return forgotten + before - len(a.held)
}

// release counts what is held of a person, as if it had counted from the beginning.
func (m *Model) release(a *Account, who uint64, out *Outcome) {
	kept := a.held[:0]
	for _, h := range a.held {
		if h.who != who {
			kept = append(kept, h)
			continue
		}
		out.Released = true
		k, ok := m.signal(h.signal)
		if !ok {
			continue
		}
		s := &m.signals[k]
		if h.end != never && s.oncePer > 0 {
			first, forgotten := a.first(s.number, who, h.at, s.oncePer)
			out.Forgotten.Marks += forgotten
			if !first {
				continue
			}
		}
		a.add(s.number, h.x, h.at, s.halfLife)
	}
	a.held = kept
	if out.Released {
		a.quiet.stir()
	}
}

// supersede drops what is held of a once_per window in which something counts now.
func (a *Account) supersede(signal uint32, who uint64, at, per int64) {
	if len(a.held) == 0 {
		return
	}
	end := windowEnd(at, per)
	a.held = slices.DeleteFunc(a.held, func(h held) bool { return h.signal == signal && h.who == who && h.end == end })
}

// fade forgets what is held and has decayed to nothing, windows that are over for
// good, and events that are too old to begin a burst.
func (m *Model) fade(a *Account) {
	all := a.held
	a.held = a.held[:0]
	for _, h := range all {
		if k, ok := m.signal(h.signal); ok {
			halfLife := m.signals[k].halfLife
			if h.end != never && h.end+markMemory <= a.Clock {
				h.end = never
			}
			if h.end != never || h.x*decay(max(a.Clock-h.at, 0), halfLife) >= vanished {
				a.pile(h, halfLife)
			}
			continue
		}
		a.held = append(a.held, h)
	}
	m.fadeSuspects(a)
}

// withheld is the intensity that is held back of a signal.
func (a *Account) withheld(s *signal, t int64) float64 {
	x := 0.0
	for i := range a.held {
		if h := &a.held[i]; h.signal == s.number {
			x += h.x * decay(max(t-h.at, 0), s.halfLife)
		}
	}
	return x
}

// know has a signal that was seen among the sums, though nothing may count yet.
func (a *Account) know(number uint32, at int64) {
	if !slices.ContainsFunc(a.sums, func(s sum) bool { return s.number == number }) {
		a.sums = append(a.sums, sum{number: number, at: at})
	}
}

// held counts events that a rule newly holds.
func (o *Outcome) held(a *Account, rules, rule, events int) {
	if o.Held == nil {
		a.heldBy = slices.Grow(a.heldBy[:0], rules)[:rules]
		clear(a.heldBy)
		o.Held = a.heldBy
	}
	o.Held[rule] += events
}

func windowEnd(at, per int64) int64 { return (floorDiv(at, per) + 1) * per }

// marked reports whether something has counted in a once_per window.
func (a *Account) marked(signal uint32, who uint64, end int64) bool {
	return slices.Contains(a.once, mark{signal, who, end})
}
