package naive

import (
	"cmp"
	"math"
	"slices"

	"tidemark/scoring"
)

// next is the first millisecond after the clock, up to the limit, at which the
// rules say "move" by time alone: found by looking, not by solving.
func (a *Account) next(limit int64) (int64, bool) {
	base := a.Read(a.Clock)
	w := walker{a: a, base: base, step: a.firstStep(), questions: a.questions()}
	from := a.Clock
	for _, b := range a.breaks(limit) {
		if at, ok := w.walk(from, b-1); ok {
			return at, true
		}
		if w.moves(b) {
			return b, true
		}
		from = b
	}
	return 0, false
}

// breaks are the instants at which something changes at once rather than by and
// by: a person's window, a dwell, a cool-down or a surge over, a limit released.
func (a *Account) breaks(limit int64) []int64 {
	all := []int64{limit}
	add := func(t int64) {
		if t > a.Clock && t < limit {
			all = append(all, t)
		}
	}
	for _, p := range a.people {
		add(p.at + a.m.window)
	}
	add(a.entered + a.m.spec.Tiers[a.tier].MinDwell)
	for i, t := range a.m.spec.Tiers {
		add(a.left[i] + t.Cooldown)
	}
	for i := range a.m.spec.Surge {
		add(firstNot(a.Clock, limit, func(t int64) bool { return a.surges(i, t) }))
	}
	for s, x := range a.m.spec.Signals {
		if x.Limit != nil {
			add(firstNot(a.Clock, limit, func(t int64) bool { return a.intensity(s, t) > *x.Limit }))
		}
	}
	if limit <= a.Clock {
		return nil
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// firstNot is the first millisecond at which something that ends, but never
// begins, by time alone is over; the limit if it is not over by then, the clock
// if it never was.
func firstNot(clock, limit int64, holds func(int64) bool) int64 {
	if !holds(clock) || holds(limit) {
		return limit
	}
	return bisect(clock, limit, func(t int64) bool { return !holds(t) })
}

// bisect narrows a change from false at low to true at high to the millisecond.
func bisect(low, high int64, isTrue func(int64) bool) int64 {
	for high-low > 1 {
		if middle := low + (high-low)/2; isTrue(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

type walker struct {
	a         *Account
	base      Reading
	step      int64
	questions []question
}

// question is a threshold for a figure: a group by its number, −1 for the score.
type question struct {
	figure    int
	threshold float64
}

func (w *walker) moves(t int64) bool {
	to, _ := w.a.verdict(t, w.a.Read(t), &w.base)
	return to != w.a.tier
}

type look struct {
	t int64
	r Reading
}

// walk looks at (from, to], where all figures change by and by: at a grid that is
// finest at both ends, at each hill and valley, and at each instant at which a
// figure passes a threshold between two of those.
func (w *walker) walk(from, to int64) (int64, bool) {
	if to <= from {
		return 0, false
	}
	looks := w.withTurns(w.grid(from, to))
	for i := 1; i < len(looks); i++ {
		for _, t := range w.passings(looks[i-1], looks[i]) {
			if w.moves(t) {
				return t, true
			}
		}
		if t := looks[i].t; w.moves(t) {
			return bisect(looks[i-1].t, t, w.moves), true
		}
	}
	return 0, false
}

func (w *walker) grid(from, to int64) (looks []look) {
	for t := from; ; {
		looks = append(looks, look{t, w.a.Read(t)})
		if t == to {
			return looks
		}
		t = min(to, t+max(w.step, min(t-from, to-t)/2))
	}
}

// withTurns adds the tops of hills and the bottoms of valleys, which lie between
// three points of which the middle one is the highest or lowest.
func (w *walker) withTurns(grid []look) []look {
	looks := slices.Clone(grid)
	for i := 2; i < len(grid); i++ {
		a, b, c := grid[i-2], grid[i-1], grid[i]
		for k := -1; k < len(b.r.Groups); k++ {
			x, y, z := figure(a.r, k), figure(b.r, k), figure(c.r, k)
			hill, valley := y >= x && y >= z && x != z, y <= x && y <= z && x != z
			if !hill && !valley {
				continue
			}
			top := climb(a.t, c.t, func(t int64) float64 {
				if hill {
					return figure(w.a.Read(t), k)
				}
				return -figure(w.a.Read(t), k)
			})
			looks = append(looks, look{top, w.a.Read(top)})
		}
	}
	slices.SortFunc(looks, func(a, b look) int { return cmp.Compare(a.t, b.t) })
	return slices.CompactFunc(looks, func(a, b look) bool { return a.t == b.t })
}

// passings are the instants in (a, b] at which a figure changes its side of a
// threshold that some rule asks about.
func (w *walker) passings(a, b look) (instants []int64) {
	for _, q := range w.questions {
		before := figure(w.base, q.figure)
		holds := func(r Reading) bool { return atLeast(figure(r, q.figure), &before, q.threshold) }
		if was := holds(a.r); was != holds(b.r) {
			instants = append(instants, bisect(a.t, b.t, func(t int64) bool { return holds(w.a.Read(t)) != was }))
		}
	}
	slices.Sort(instants)
	return instants
}

// questions are all that the rules may ask in the account's tier.
func (a *Account) questions() (out []question) {
	for i, t := range a.m.spec.Tiers {
		if t.Min == nil {
			continue
		}
		out = append(out, question{-1, *t.Min})
		if i == a.tier {
			out = append(out, question{-1, *t.Min - t.Hysteresis})
		}
		for _, f := range t.Requires.Groups {
			out = append(out, question{groupOf(a.m.spec, f.Group), f.Min})
		}
	}
	return out
}

func figure(r Reading, k int) float64 {
	if k < 0 {
		return r.Score
	}
	return r.Groups[k]
}

// climb narrows to the highest millisecond of a hill, by thirds.
func climb(low, high int64, height func(int64) float64) int64 {
	for high-low > 2 {
		third := (high - low) / 3
		if height(low+third) < height(high-third) {
			low += third
		} else {
			high -= third
		}
	}
	return low + (high-low)/2
}

// firstStep is small beside the shortest half-life.
func (a *Account) firstStep() int64 {
	step := day
	for _, s := range a.m.spec.Signals {
		step = min(step, s.HalfLife/16)
	}
	return max(step, 1)
}

// horizon is when nothing is left to happen: all but what never decays is below
// the slack, and every window, dwell and cool-down is over.
func (a *Account) horizon() int64 {
	longest := day
	for _, s := range a.m.spec.Signals {
		if s.HalfLife != scoring.Never {
			longest = max(longest, s.HalfLife)
		}
	}
	for _, s := range a.m.spec.Surge {
		longest = max(longest, s.Long)
	}
	windows := a.m.window
	for _, t := range a.m.spec.Tiers {
		windows = max(windows, t.MinDwell, t.Cooldown)
	}
	return int64(math.Ceil(60*float64(longest))) + 2*windows
}
