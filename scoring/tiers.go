package scoring

// slack is by how much a threshold must be passed by time alone: what is only
// approached is not crossed (SPEC 4).
const slack = 1e-9

// verdict is a tier decision: stay, or move to a tier.
type verdict struct {
	move bool
	to   int
	// byScore is true when the score decided and not a `requires`.
	byScore bool
}

// decide does SPEC 4's rules at the reading's instant. Where time alone brought
// the account there, since is the reading at its clock; nil when something
// happened at this very instant.
func (m *Model) decide(a *Account, r, since *reading) verdict {
	c := m.tier(a)
	for i := range c {
		if m.attained(i, r, since) && m.cooled(a, i, r.at) {
			return verdict{move: true, to: i, byScore: true}
		}
	}
	if c == m.last() || !m.dwelt(a, c, r.at) {
		return verdict{}
	}
	t := &m.tiers[c]
	low := below(r.score, t.min-t.hysteresis, since, -1)
	if !low && !m.lacking(t, r, since) {
		return verdict{}
	}
	for i := c + 1; i < m.last(); i++ {
		if m.attained(i, r, since) {
			return verdict{move: true, to: i, byScore: low}
		}
	}
	return verdict{move: true, to: m.last(), byScore: low}
}

// attained reports whether the score and all `requires` of tier i hold. The
// cool-down is the caller's.
func (m *Model) attained(i int, r, since *reading) bool {
	t := &m.tiers[i]
	if !reached(r.score, t.min, since, -1) || r.people < t.people || len(r.roles) < t.roles {
		return false
	}
	for _, f := range t.groups {
		if !reached(r.points[f.group], f.min, since, f.group) {
			return false
		}
	}
	return true
}

// lacking reports whether a `requires` of the tier fails.
func (m *Model) lacking(t *tier, r, since *reading) bool {
	if r.people < t.people || len(r.roles) < t.roles {
		return true
	}
	for _, f := range t.groups {
		if below(r.points[f.group], f.min, since, f.group) {
			return true
		}
	}
	return false
}

func (m *Model) cooled(a *Account, i int, t int64) bool {
	left := m.leftAt(a, i)
	return left == never || t >= left+m.tiers[i].cooldown
}

func (m *Model) dwelt(a *Account, c int, t int64) bool {
	return !a.tiered || a.entered == never || t >= a.entered+m.tiers[c].dwell
}

// figure is the score, or the points of a group: -1 stands for the score.
func (r *reading) figure(group int) float64 {
	if group < 0 {
		return r.score
	}
	return r.points[group]
}

// reached is x >= min. By time alone, a figure that was short of it must pass it
// by more than the slack.
func reached(x, min float64, since *reading, group int) bool {
	if since == nil || since.figure(group) >= min {
		return x >= min
	}
	return x > min+slack
}

// below is x < min. By time alone, a figure that was not below must pass it by
// more than the slack.
func below(x, min float64, since *reading, group int) bool {
	if since == nil || since.figure(group) < min {
		return x < min
	}
	return x < min-slack
}
