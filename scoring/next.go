package scoring

import (
	"math"
	"slices"
	"sort"
	"sync"
)

// lastInstant is the end of the year 9999, the last that RFC 3339 can write. A
// crossing after it counts as never.
const lastInstant = int64(253402300799999)

// NextCrossing is the first millisecond after the account's clock at which the
// tier rules say "move" if nothing more happens; false for never.
//
// Between break-points (a limit released, a surge, a person's window, a dwell or
// a cool-down over) every group is a sum of exponentials; the zeros of group
// minus cap, floor or required figure cut further; between those the score is a
// sum of exponentials too, whose zeros against each threshold make the last cuts.
// Between cuts the rules' answer does not change, so three looks at each stretch,
// and a binary search where they differ, find the first millisecond.
func (m *Model) NextCrossing(a *Account) (int64, bool) {
	if !a.quiet.solved {
		a.quiet.solve(m.solve(a))
	}
	return a.quiet.next, a.quiet.next != forEver
}

// solve is NextCrossing without memory; forEver for never.
func (m *Model) solve(a *Account) int64 {
	if !a.Begun || a.quiet.holds(forEver) || m.still(a) {
		return forEver
	}
	s := solvers.Get().(*solver)
	defer solvers.Put(s)
	s.m, s.a, s.c, s.since, s.r = m, a, m.tier(a), m.borrow(), m.borrow()
	defer s.done()
	m.read(s.since, a, a.Clock)
	s.setTargets()
	breaks := s.breaks()
	first := 1
	if m.falling(a) && m.allCooled(a) {
		// Everything only falls: once the rules say "move" they go on saying so, until
		// it is done. The crossing is in the first piece at whose end they do.
		first += sort.Search(len(breaks)-1, func(i int) bool { return s.moves(s.instant(breaks[i+1])) })
	}
	for i := first; i < len(breaks); i++ {
		if at, ok := s.piece(breaks[i-1], breaks[i]); ok {
			return at
		}
	}
	return forEver
}

// falling reports whether the account's score can only fall with time.
func (m *Model) falling(a *Account) bool {
	if !m.plain {
		return false
	}
	for i := range a.sums {
		if k, ok := m.signal(a.sums[i].number); ok && m.signals[k].points < 0 && a.sums[i].x > 0 {
			return false
		}
	}
	return true
}

// allCooled reports whether no better tier waits for its cool-down.
func (m *Model) allCooled(a *Account) bool {
	for i := range m.tier(a) {
		if !m.cooled(a, i, a.Clock) {
			return false
		}
	}
	return true
}

// still reports whether time alone can never move the account, as far as can be
// told without arithmetic.
func (m *Model) still(a *Account) bool {
	return m.tier(a) == m.last() && m.allCooled(a) && m.falling(a)
}

// Quiet reports whether surely nothing crosses until t included. It is much
// cheaper than NextCrossing; false only says that it can't tell.
func (m *Model) Quiet(a *Account, t int64) bool {
	if !a.Begun || t <= a.Clock || a.quiet.holds(t) {
		return true
	}
	if m.still(a) {
		a.quiet.rest(forEver)
		return true
	}
	if !m.plain || a.quiet.solved {
		return false
	}
	for _, until := range [...]int64{t + stride, t} {
		if m.calm(a, until) {
			a.quiet.rest(until)
			return true
		}
	}
	return false
}

// stride is how much further than asked Quiet looks first, so that the next to ask
// finds the answer.
const stride = 6 * Hour

// calm reports whether the bounds of the score until t rule a crossing out.
func (m *Model) calm(a *Account, t int64) bool {
	lo, hi := m.borrow(), m.borrow()
	defer m.lend(lo)
	defer m.lend(hi)
	m.bounds(lo, hi, a, t)
	c := m.tier(a)
	if c != m.last() {
		m.add(lo, a, t)
		if lo.score < m.tiers[c].min-m.tiers[c].hysteresis || m.lacking(&m.tiers[c], lo, nil) {
			return false
		}
	}
	if c == 0 {
		return true
	}
	m.add(hi, a, a.Clock)
	for i := range c {
		if m.attained(i, hi, nil) && m.cooled(a, i, t) {
			return false
		}
	}
	return true
}

// solver looks for the next crossing of one account. Times are milliseconds
// after the account's clock.
type solver struct {
	m     *Model
	a     *Account
	c     int // the account's tier
	since *reading
	r     *reading

	scores []float64   // totals whose passing may decide
	groups [][]float64 // by group: points whose passing may decide, caps and floors
	ends   []float64   // see breaks
	cuts   []float64
	whole  []float64 // cuts before those of the score
	sums   [][]term  // by group
	scratch
}

// solvers are spare, so that solving allocates nothing.
var solvers = sync.Pool{New: func() any { return new(solver) }}

// done lets go of the account.
func (s *solver) done() {
	s.m.lend(s.since)
	s.m.lend(s.r)
	s.m, s.a, s.since, s.r = nil, nil, nil, nil
}

func (s *solver) setTargets() {
	s.reset()
	s.scores = s.scores[:0]
	s.groups = slices.Grow(s.groups[:0], len(s.m.groups))[:len(s.m.groups)]
	for g := range s.m.groups {
		s.groups[g] = s.groups[g][:0]
		for _, bound := range []float64{s.m.groups[g].cap, s.m.groups[g].floor} {
			if !math.IsInf(bound, 0) {
				s.groups[g] = append(s.groups[g], bound)
			}
		}
	}
	rising := !s.m.falling(s.a) || !s.m.allCooled(s.a)
	for i := range s.m.tiers[:s.c] {
		t := &s.m.tiers[i]
		if rising {
			s.scores = append(s.scores, t.min, t.min+slack)
			s.groupTargets(t, slack)
		}
	}
	if s.c != s.m.last() {
		t := &s.m.tiers[s.c]
		low := t.min - t.hysteresis
		s.scores = append(s.scores, low, low-slack)
		s.groupTargets(t, -slack)
	}
}

func (s *solver) groupTargets(t *tier, past float64) {
	for _, f := range t.groups {
		s.groups[f.group] = append(s.groups[f.group], f.min, f.min+past)
	}
}

// breaks are the instants at which the form of the score or the rules change:
// sorted, the clock first, the horizon last.
func (s *solver) breaks() []float64 {
	m, a := s.m, s.a
	breaks := append(s.ends[:0], 0)
	for i := range m.signals {
		if dt, ok := s.release(i); ok {
			breaks = append(breaks, dt)
		}
	}
	for i := range a.people {
		breaks = append(breaks, float64(a.people[i].at+m.committee.window-a.Clock))
	}
	for i := range m.surges {
		if s.since.surges[i] {
			breaks = append(breaks, m.surges[i].end(a.pairOf(m.surges[i].number), a.Clock))
		}
	}
	if a.tiered && a.entered != never {
		breaks = append(breaks, float64(a.entered+m.tiers[s.c].dwell-a.Clock))
	}
	for i := range s.c {
		if left := m.leftAt(a, i); left != never {
			breaks = append(breaks, float64(left+m.tiers[i].cooldown-a.Clock))
		}
	}
	horizon := s.horizon(slices.Max(breaks))
	breaks = slices.DeleteFunc(breaks, func(dt float64) bool { return dt < 0 || dt >= horizon })
	slices.Sort(breaks)
	s.ends = append(slices.Compact(breaks), horizon)
	return s.ends
}

// release is when a signal that is above its limit falls to it.
func (s *solver) release(i int) (float64, bool) {
	sig, x := &s.m.signals[i], s.since.x[i]
	if x <= sig.limit || sig.halfLife == Never {
		return 0, false
	}
	return float64(sig.halfLife) * math.Log2(x/sig.limit), true
}

// end is when a surge that is on stops, in milliseconds after clock: its recent
// strength falls below min, or the ratio, which falls with time as short decays
// faster than long, below what is asked.
func (s *surge) end(p *pair, clock int64) float64 {
	a, b := s.at(p, clock)
	end := math.Inf(1)
	if s.min > 0 {
		end = float64(s.short) * math.Log2(a/s.min)
	}
	ratio := a * float64(s.long) / (b * float64(s.short))
	speed := 1/float64(s.short) - 1/float64(s.long)
	return max(0, min(end, math.Log2(ratio/s.ratio)/speed))
}

// horizon is when all that decays is less than can matter, at or after the last
// break.
func (s *solver) horizon(lastBreak float64) float64 {
	horizon := max(lastBreak, 0) + 1
	for i := range s.m.signals {
		sig, x := &s.m.signals[i], s.since.x[i]
		if size := math.Abs(sig.points) * x; size > 0 && sig.halfLife != Never {
			horizon = max(horizon, float64(sig.halfLife)*(math.Log2(size)+48))
		}
	}
	return min(horizon, float64(max(lastInstant-s.a.Clock, 0)))
}

// piece looks for the crossing in (from, to], where no break lies within.
func (s *solver) piece(from, to float64) (int64, bool) {
	s.reset()
	s.sums = s.sums[:0]
	s.cuts = append(s.cuts[:0], from)
	for g := range s.m.groups {
		sum := s.groupTerms(g, from)
		s.sums = append(s.sums, sum)
		for _, target := range s.groups[g] {
			s.cuts = s.roots(s.cuts, s.less(sum, target), from, to)
		}
	}
	s.cuts = append(s.cuts, to)
	slices.Sort(s.cuts)
	s.whole = append(s.whole[:0], s.cuts...)
	for i := 1; i < len(s.whole); i++ {
		s.scoreCuts(s.whole[i-1], s.whole[i])
	}
	slices.Sort(s.cuts)
	for i := 1; i < len(s.cuts); i++ {
		if at, ok := s.stretch(s.cuts[i-1], s.cuts[i]); ok {
			return at, true
		}
	}
	return 0, false
}

// groupTerms is the group's raw sum from the instant on, until the next break.
func (s *solver) groupTerms(g int, from float64) []term {
	terms := s.take(len(s.m.groups[g].signals))
	for _, i := range s.m.groups[g].signals {
		sig, x := &s.m.signals[i], s.since.x[i]
		switch release, limited := s.release(i); {
		case x == 0 || sig.points == 0:
		case sig.halfLife == Never:
			terms = append(terms, term{c: sig.points * math.Min(x, sig.limit)})
		case limited && release > from:
			terms = append(terms, term{c: sig.points * sig.limit})
		default:
			terms = append(terms, term{c: sig.points * x, rate: 1 / float64(sig.halfLife)})
		}
	}
	return terms
}

func (w *scratch) less(terms []term, target float64) []term {
	return append(append(w.take(len(terms)+1), terms...), term{c: -target})
}

// scoreCuts adds the zeros of the total against each threshold in (from, to),
// where every group is either at a bound or between its bounds.
func (s *solver) scoreCuts(from, to float64) {
	if to <= from {
		return
	}
	mid := from + (to-from)/2
	constant := s.a.standing.fit
	total := s.take(len(s.m.signals) + 1)
	for g := range s.sums {
		raw := value(s.sums[g], mid)
		if p := clamp(raw, s.m.groups[g].floor, s.m.groups[g].cap); p != raw {
			constant += p
		} else {
			total = append(total, s.sums[g]...)
		}
	}
	s.m.read(s.r, s.a, s.instant(mid))
	constant += s.r.k + s.r.adds
	total = append(total, term{c: constant})
	for _, target := range s.scores {
		s.cuts = s.roots(s.cuts, s.less(total, target), from, to)
	}
}

func (s *solver) instant(dt float64) int64 { return s.a.Clock + int64(math.Floor(dt)) }

// stretch looks at the milliseconds of (from, to], on which the rules' answer
// changes at most once, and that only by rounding at an end.
func (s *solver) stretch(from, to float64) (int64, bool) {
	lo, hi := s.instant(from)+1, s.instant(to)
	if lo > hi {
		return 0, false
	}
	if s.moves(lo) {
		return lo, true
	}
	for _, look := range []int64{lo + (hi-lo)/2, hi} {
		if s.moves(look) {
			return s.first(lo, look), true
		}
		lo = look
	}
	return 0, false
}

// first is the first moving millisecond in (still, moving].
func (s *solver) first(still, moving int64) int64 {
	for moving-still > 1 {
		if mid := still + (moving-still)/2; s.moves(mid) {
			moving = mid
		} else {
			still = mid
		}
	}
	return moving
}

func (s *solver) moves(t int64) bool {
	s.m.read(s.r, s.a, t)
	return s.m.decide(s.a, s.r, s.since).move
}

// Demotion is when the account would leave its tier downward if nothing more
// happened, in Unix milliseconds; false for never. Moves up on the way are lived
// through.
func (m *Model) Demotion(a *Account) (int64, bool) {
	start := m.tier(a)
	if start == m.last() {
		return 0, false
	}
	at, ok := m.NextCrossing(a) // remembered there
	if m.falling(a) && m.allCooled(a) {
		return at, ok // there is no way but down
	}
	future := *a
	future.left = slices.Clone(a.left)
	since, r := m.borrow(), m.borrow()
	defer m.lend(since)
	defer m.lend(r)
	for range 4 * len(m.tiers) {
		if !ok {
			return 0, false
		}
		m.read(since, &future, future.Clock)
		m.read(r, &future, at)
		to := m.decide(&future, r, since).to
		if to > start {
			return at, true
		}
		m.shift(&future, to, at)
		at, ok = m.NextCrossing(&future)
	}
	return 0, false
}
