package naive

import (
	"math"

	"tidemark/scoring"
)

// Reading is what the formulas of SPEC 3 come to at an instant.
type Reading struct {
	Score  float64
	Groups []float64
	People int
	Roles  int
}

// Read computes everything at instant t from the whole history.
func (a *Account) Read(t int64) Reading {
	r := Reading{Groups: make([]float64, len(a.m.spec.Groups))}
	total := a.fit()
	for g := range a.m.spec.Groups {
		r.Groups[g] = a.group(g, t)
		total += r.Groups[g]
	}
	var committee float64
	r.People, r.Roles, committee = a.committee(t)
	total += committee
	for i := range a.m.spec.Surge {
		if a.surges(i, t) {
			total += a.m.spec.Surge[i].Points
		}
	}
	r.Score = clamp(total, a.m.scoreMin, a.m.scoreMax)
	if a.m.spec.ICP != nil && !a.inside() {
		r.Score = min(r.Score, *a.m.spec.ICP.OutsideMax)
	}
	return r
}

func clamp(x, low, high float64) float64 { return math.Min(math.Max(x, low), high) }

func left(elapsed, halfLife int64) float64 {
	if halfLife == scoring.Never {
		return 1
	}
	return math.Pow(2, -float64(elapsed)/float64(halfLife))
}

// intensity: x_s(t) = Σ m(e) · 2^(−(t − time(e)) / half_life_s).
func (a *Account) intensity(s int, t int64) float64 {
	x := 0.0
	for _, e := range a.history {
		if (e.counts[s] || e.released[s]) && e.at <= t {
			x += e.m[s] * left(t-e.at, a.m.spec.Signals[s].HalfLife)
		}
	}
	return x
}

// group: G_g(t) = clamp( Σ points_s · min(x_s(t), limit_s), floor_g, cap_g ).
func (a *Account) group(g int, t int64) float64 {
	spec, sum := a.m.spec.Groups[g], 0.0
	for s, signal := range a.m.spec.Signals {
		if signal.Group == spec.Name {
			sum += signal.Points * math.Min(a.intensity(s, t), orElse(signal.Limit, math.Inf(1)))
		}
	}
	return clamp(sum, a.m.floors[g], orElse(spec.Cap, math.Inf(1)))
}

// committee: people active at t, their distinct roles but unknown, and K(t).
func (a *Account) committee(t int64) (people, roles int, points float64) {
	distinct := map[string]bool{}
	for _, p := range a.people {
		if t-p.at < a.m.window {
			people++
			distinct[p.role] = true
		}
	}
	delete(distinct, "unknown")
	return people, len(distinct), math.Min(a.m.roleCap, a.m.perRole*float64(len(distinct)))
}

// strength is the sum of a surge's strength alone with a half-life.
func (a *Account) strength(surge int, halfLife, t int64) float64 {
	x, group := 0.0, a.m.spec.Surge[surge].Group
	for _, e := range a.history {
		for s, signal := range a.m.spec.Signals {
			if signal.Group == group && e.counts[s] {
				x += e.strength * left(t-e.at, halfLife)
				break // an event once, however many of the signals it counts for
			}
		}
	}
	return x
}

func (a *Account) surges(i int, t int64) bool {
	s := a.m.spec.Surge[i]
	recent, usual := a.strength(i, s.Short, t), a.strength(i, s.Long, t)
	return usual > 0 && recent >= s.Min &&
		(recent/float64(s.Short))/(usual/float64(s.Long)) >= s.Ratio
}

func (a *Account) attributes() map[string]any {
	if a.profile == nil {
		return nil
	}
	return a.profile.Attributes
}

func (a *Account) fit() float64 {
	if a.profile == nil {
		return 0
	}
	sum := 0.0
	for i, holds := range a.m.fit {
		if holds(a.profile.Attributes) == scoring.True {
			sum += a.m.spec.Fit.Rules[i].Points
		}
	}
	return clamp(sum, 0, orElse(a.m.spec.Fit.Cap, math.Inf(1)))
}

func (a *Account) inside() bool {
	for _, holds := range a.m.exclude {
		if holds(a.attributes()) == scoring.True {
			return false
		}
	}
	for _, holds := range a.m.require {
		switch holds(a.attributes()) {
		case scoring.False:
			return false
		case scoring.Unknown:
			if !a.m.spec.ICP.UnknownInside {
				return false
			}
		}
	}
	return true
}

// Held is the intensity that is held back of a signal.
func (a *Account) Held(s int, t int64) float64 {
	x := 0.0
	for _, e := range a.history {
		if e.held[s] && e.at <= t {
			x += e.m[s] * left(t-e.at, a.m.spec.Signals[s].HalfLife)
		}
	}
	return x
}
