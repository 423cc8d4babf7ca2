package scoring

import "slices"

// suspect is a person whose latest events may be the beginning of a burst. It is
// remembered so that the first events of a burst can be taken back once it is one.
type suspect struct {
	who uint64
	// base is when and as whom the person acted last, the clicks left out.
	acted  bool
	at     int64
	role   string
	clicks []click // in order of arrival
}

// click is an event that a burst may begin with.
type click struct {
	at       int64
	strength float64
	role     string
	rules    uint64 // the bursts that it may be part of
	parts    []part // the signals that it matches and is not held for
}

// part is what a click did for a signal.
type part struct {
	signal  uint32
	counted bool // false: another event of its once_per window had
	x       float64
}

const (
	maxSuspects = maxPeople
	maxClicks   = maxBurst // of a person
	// clickMemory is how late the events of a burst may be.
	clickMemory = 48 * Hour
)

// remember notes an event that may be part of a burst; nil where it is older than what
// is remembered.
func (m *Model) remember(a *Account, e *Event, who uint64, as *titled, bursts uint64) *click {
	if e.Time+clickMemory <= a.Clock {
		return nil
	}
	s := a.suspectOf(who)
	newest := e.Time
	for i := range s.clicks {
		newest = max(newest, s.clicks[i].at)
	}
	m.dropClicks(s, newest-m.holds.longest)
	if e.Time < newest-m.holds.longest {
		return nil
	}
	if len(s.clicks) >= maxClicks {
		oldest := 0
		for i := range s.clicks {
			if s.clicks[i].at < s.clicks[oldest].at {
				oldest = i
			}
		}
		m.dropClick(s, oldest)
	}
	// The one behind the end keeps the memory of its parts.
	n := len(s.clicks)
	s.clicks = slices.Grow(s.clicks, 1)[:n+1]
	c := &s.clicks[n]
	*c = click{at: e.Time, strength: e.Strength, role: m.role(e.Contact, as), rules: bursts, parts: c.parts[:0]}
	return c
}

// suspectOf is the person's memory, a new one if need be.
func (a *Account) suspectOf(who uint64) *suspect {
	for i := range a.suspects {
		if a.suspects[i].who == who {
			return &a.suspects[i]
		}
	}
	if len(a.suspects) >= maxSuspects {
		oldest := 0
		for i := range a.suspects {
			x, o := a.suspects[i].latest(), a.suspects[oldest].latest()
			if x < o || x == o && a.suspects[i].who < a.suspects[oldest].who {
				oldest = i
			}
		}
		a.drop(oldest)
	}
	n := len(a.suspects)
	a.suspects = slices.Grow(a.suspects, 1)[:n+1]
	s := &a.suspects[n]
	*s = suspect{who: who, clicks: s.clicks[:0]}
	for i := range a.people {
		if p := &a.people[i]; p.who == who {
			s.acted, s.at, s.role = true, p.at, p.role
		}
	}
	return s
}

func (s *suspect) latest() int64 {
	at := never
	for i := range s.clicks {
		at = max(at, s.clicks[i].at)
	}
	return at
}

// drop forgets a suspect, and keeps the memory for the next.
func (a *Account) drop(i int) {
	gone, last := a.suspects[i], len(a.suspects)-1
	copy(a.suspects[i:], a.suspects[i+1:])
	a.suspects[last] = suspect{clicks: gone.clicks}
	a.suspects = a.suspects[:last]
}

// acquit forgets that a person was a suspect.
func (a *Account) acquit(who uint64) {
	for i := range a.suspects {
		if a.suspects[i].who == who {
			a.drop(i)
			return
		}
	}
}

// vouch notes that a person acted otherwise than by a click.
func (a *Account) vouch(who uint64, role string, at int64) {
	for i := range a.suspects {
		if a.suspects[i].who == who {
			a.suspects[i].act(role, at)
			return
		}
	}
}

func (s *suspect) act(role string, at int64) {
	if !s.acted || at > s.at || at == s.at && role > s.role {
		s.acted, s.at, s.role = true, at, role
	}
}

// fadeSuspects forgets clicks that are too old by the clock, and people without any.
func (m *Model) fadeSuspects(a *Account) {
	for i := len(a.suspects) - 1; i >= 0; i-- {
		m.dropClicks(&a.suspects[i], a.Clock-clickMemory+1)
		if len(a.suspects[i].clicks) == 0 {
			a.drop(i)
		}
	}
}

// dropClicks forgets the clicks before an instant.
func (m *Model) dropClicks(s *suspect, before int64) {
	for i := len(s.clicks) - 1; i >= 0; i-- {
		if s.clicks[i].at < before {
			m.dropClick(s, i)
		}
	}
}

func (m *Model) dropClick(s *suspect, i int) {
	gone, last := s.clicks[i], len(s.clicks)-1
	if m.acts(&gone) {
		s.act(gone.role, gone.at)
	}
	copy(s.clicks[i:], s.clicks[i+1:])
	s.clicks[last] = click{parts: gone.parts[:0]}
	s.clicks = s.clicks[:last]
}

// acts reports whether a click makes its person active.
func (m *Model) acts(c *click) bool {
	return slices.ContainsFunc(c.parts, func(p part) bool {
		k, ok := m.signal(p.signal)
		return ok && m.signals[k].points > 0
	})
}

// match notes the signals for which the event is not held.
func (c *click) match(m *Model, matched []int) {
	if c == nil {
		return
	}
	for _, i := range matched {
		c.parts = append(c.parts, part{signal: m.signals[i].number})
	}
}

// count notes what the event counts for a signal.
func (c *click) count(number uint32, x float64) {
	if c == nil {
		return
	}
	for i := range c.parts {
		if p := &c.parts[i]; p.signal == number {
			p.counted, p.x = true, x
		}
	}
}

// bursts are the rules by which the person's latest click belongs to a burst. Earlier
// clicks of it are taken back.
func (m *Model) bursts(a *Account, who uint64, latest *click, out *Outcome) (rules uint64) {
	k := slices.IndexFunc(a.suspects, func(s suspect) bool { return s.who == who })
	s := &a.suspects[k]
	recalled := false
	for r := range m.holds.rules {
		if latest.rules&(1<<r) == 0 {
			continue
		}
		members := s.burst(latest.at, 1<<r, &m.holds.rules[r])
		if members == 0 {
			continue
		}
		rules |= 1 << r
		events := 0
		for i := range s.clicks[:len(s.clicks)-1] {
			if members&(1<<i) != 0 && m.recall(a, who, &s.clicks[i], &m.holds.rules[r], out) {
				events++
			}
		}
		if events > 0 {
			recalled = true
			out.held(a, len(m.holds.rules), r, events)
		}
	}
	if recalled {
		m.reconsider(a, s)
		a.quiet.stir()
	}
	return rules
}

// burst are the clicks that are in a burst with the latest to arrive, by index: in some
// span of `within` there are enough of them.
func (s *suspect) burst(at int64, bit uint64, r *holdRule) (members uint64) {
	for i := range s.clicks {
		first := &s.clicks[i]
		if first.rules&bit == 0 || first.at > at || at-first.at > r.within {
			continue
		}
		n, among := 0, uint64(0)
		for k := range s.clicks {
			if c := &s.clicks[k]; c.rules&bit != 0 && c.at >= first.at && c.at-first.at <= r.within {
				n++
				among |= 1 << k
			}
		}
		if n >= r.of {
			members |= among
		}
	}
	return members
}

// recall takes a click back into the hold: what it added to the rule's signals, their
// once_per windows, and the surges of groups that it counts for no more. It reports
// whether there was anything to take back.
func (m *Model) recall(a *Account, who uint64, c *click, r *holdRule, out *Outcome) bool {
	m.subside(a, c, r)
	kept := c.parts[:0]
	for _, p := range c.parts {
		k, ok := m.signal(p.signal)
		if !ok || !r.signals[k] {
			kept = append(kept, p)
			continue
		}
		if !p.counted {
			continue
		}
		s := &m.signals[k]
		a.subtract(p.signal, p.x, c.at, s.halfLife)
		if s.oncePer > 0 {
			a.unmark(mark{p.signal, who, windowEnd(c.at, s.oncePer)})
		}
		m.hold(a, who, k, p.x, c.at, out)
	}
	some := len(kept) < len(c.parts)
	c.parts = kept
	return some
}

// subside takes a click out of the surges of groups for which only signals of the rule
// counted it.
func (m *Model) subside(a *Account, c *click, r *holdRule) {
	for i := range m.surges {
		s := &m.surges[i]
		var counts, stays bool
		for _, p := range c.parts {
			if k, ok := m.signal(p.signal); ok && p.counted && m.signals[k].group == s.group {
				counts, stays = true, stays || !r.signals[k]
			}
		}
		if p := a.pairOf(s.number); p != nil && counts && !stays {
			p.short = without(p.short, c.strength*decay(p.at-c.at, s.short))
			p.long = without(p.long, c.strength*decay(p.at-c.at, s.long))
		}
	}
}

// subtract takes back what an event of instant at counted.
func (a *Account) subtract(number uint32, x float64, at, halfLife int64) {
	for i := range a.sums {
		if s := &a.sums[i]; s.number == number {
			s.x = without(s.x, x*decay(s.at-at, halfLife))
		}
	}
}

// without is sum less one of its parts. What would only be rounding is 0: a surge
// compares two sums, however small.
func without(sum, part float64) float64 {
	if sum -= part; sum > part*1e-10 {
		return sum
	}
	return 0
}

func (a *Account) unmark(m mark) {
	if i := slices.Index(a.once, m); i >= 0 {
		a.once = slices.Delete(a.once, i, i+1)
	}
}

// reconsider has a person act as of what is left after some clicks were taken back.
func (m *Model) reconsider(a *Account, s *suspect) {
	left := suspect{acted: s.acted, at: s.at, role: s.role}
	for i := range s.clicks {
		if c := &s.clicks[i]; m.acts(c) {
			left.act(c.role, c.at)
		}
	}
	i := slices.IndexFunc(a.people, func(p person) bool { return p.who == s.who })
	switch {
	case i < 0: // forgotten meanwhile
	case left.acted:
		a.people[i].at, a.people[i].role = left.at, left.role
	default:
		a.people = slices.Delete(a.people, i, i+1)
	}
}
