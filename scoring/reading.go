package scoring

import (
	"math"
	"slices"
)

// reading is an account's arithmetic at one instant: all that the tier rules and
// the receipt need.
type reading struct {
	at     int64
	x      []float64 // intensity by signal
	raw    []float64 // sum by group, before cap and floor
	points []float64 // by group
	people int       // active
	roles  []string  // distinct, `unknown` left out
	k      float64   // committee points
	surges []bool    // by surge
	adds   float64   // sum of the surges' points
	total  float64   // fit + groups + committee + surges
	score  float64
}

// read does SPEC 3 at instant t, t not before the account's clock. All sums run
// in the model's declared order.
func (m *Model) read(r *reading, a *Account, t int64) {
	r.x = zeros(r.x, len(m.signals))
	for i := range a.sums {
		s := &a.sums[i]
		if k, ok := m.signal(s.number); ok {
			r.x[k] = s.x * decay(t-s.at, m.signals[k].halfLife)
		}
	}
	m.add(r, a, t)
}

// add sums up a reading whose intensities are in place; committee and surges are
// those of instant t.
func (m *Model) add(r *reading, a *Account, t int64) {
	r.at = t
	r.total = a.standing.fit
	r.raw, r.points = zeros(r.raw, len(m.groups)), zeros(r.points, len(m.groups))
	for g := range m.groups {
		sum := 0.0
		for _, i := range m.groups[g].signals {
			s := &m.signals[i]
			sum += float64(s.points * math.Min(r.x[i], s.limit))
		}
		r.raw[g], r.points[g] = sum, clamp(sum, m.groups[g].floor, m.groups[g].cap)
		r.total += r.points[g]
	}
	m.readCommittee(r, a, t)
	r.total += r.k
	m.readSurges(r, a, t)
	r.total += r.adds
	r.score = m.bounded(r.total, a)
}

// bounded clamps a total to the score's range and to the ICP's limit.
func (m *Model) bounded(total float64, a *Account) float64 {
	score := clamp(total, m.min, m.max)
	if !a.standing.inside {
		score = math.Min(score, m.icp.outsideMax)
	}
	return score
}

func (m *Model) readCommittee(r *reading, a *Account, t int64) {
	r.people, r.roles = 0, r.roles[:0]
	for i := range a.people {
		p := &a.people[i]
		if t-p.at >= m.committee.window {
			continue
		}
		r.people++
		if p.role != unknownLabel && !slices.Contains(r.roles, p.role) {
			r.roles = append(r.roles, p.role)
		}
	}
	r.k = math.Min(m.committee.cap, float64(m.committee.perRole*float64(len(r.roles))))
}

func (m *Model) readSurges(r *reading, a *Account, t int64) {
	r.adds = 0
	r.surges = falses(r.surges, len(m.surges))
	for i := range m.surges {
		s := &m.surges[i]
		if p := a.pairOf(s.number); p != nil && s.on(p, t) {
			r.surges[i] = true
			r.adds += s.adds
		}
	}
}

func (a *Account) pairOf(number uint32) *pair {
	for i := range a.surges {
		if a.surges[i].number == number {
			return &a.surges[i]
		}
	}
	return nil
}

// at are the recent and the usual strength at instant t.
func (s *surge) at(p *pair, t int64) (short, long float64) {
	return p.short * decay(t-p.at, s.short), p.long * decay(t-p.at, s.long)
}

// on reports whether the surge adds its points at instant t.
func (s *surge) on(p *pair, t int64) bool {
	a, b := s.at(p, t)
	return b > 0 && a >= s.min && (a/float64(s.short))/(b/float64(s.long)) >= s.ratio
}

// bounds reads the least and the most that each intensity can be anywhere from the
// account's clock to t: those of points that are not negative only fall, and with them
// people and surges, so each part of the score lies between what add makes of lo at t and
// of hi at the clock. It needs committee and surge points that are not negative.
func (m *Model) bounds(lo, hi *reading, a *Account, t int64) {
	lo.x, hi.x = zeros(lo.x, len(m.signals)), zeros(hi.x, len(m.signals))
	for i := range a.sums {
		s := &a.sums[i]
		k, ok := m.signal(s.number)
		if !ok {
			continue
		}
		most := s.x * decay(a.Clock-s.at, m.signals[k].halfLife)
		least := most * decay(t-a.Clock, m.signals[k].halfLife)
		if m.signals[k].points < 0 {
			most, least = least, most
		}
		lo.x[k], hi.x[k] = least, most
	}
}

// borrow is a reading to work with; give it back with lend.
func (m *Model) borrow() *reading { return m.readings.Get().(*reading) }

func (m *Model) lend(r *reading) { m.readings.Put(r) }

// Score is the account's score at instant t; an instant before the account's
// clock counts as the clock.
func (m *Model) Score(a *Account, t int64) float64 {
	r := m.borrow()
	defer m.lend(r)
	m.read(r, a, m.since(a, t))
	return r.score
}

func (m *Model) since(a *Account, t int64) int64 {
	if a.Begun {
		return max(t, a.Clock)
	}
	return t
}

func zeros(s []float64, n int) []float64 {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

func falses(s []bool, n int) []bool {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}
