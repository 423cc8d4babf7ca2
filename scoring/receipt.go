package scoring

import "math"

// Receipt is the arithmetic behind a score at an instant. Its parts add up:
// fit + groups + committee + surges + adjustment = score, and within a group the
// signals' points sum to Sum, which a cap or floor turns into Points.
type Receipt struct {
	Score     float64          `json:"score"`
	Fit       FitReceipt       `json:"fit"`
	Groups    []GroupReceipt   `json:"groups"`
	Committee CommitteeReceipt `json:"committee"`
	Surges    []SurgeReceipt   `json:"surges"`
	ICP       ICPReceipt       `json:"icp"`
	// Adjustment is what the score's range and the ICP's limit add or take.
	Adjustment float64 `json:"adjustment"`
}

// FitReceipt is what the profile earns.
type FitReceipt struct {
	Points float64       `json:"points"`
	Sum    float64       `json:"sum"` // before 0 and the cap
	Cap    *float64      `json:"cap"` // nil: it did not bite
	Rules  []RuleReceipt `json:"rules"`
}

// RuleReceipt is a fit rule that held.
type RuleReceipt struct {
	Name   string  `json:"name"`
	Points float64 `json:"points"`
}

// GroupReceipt is what a group of signals earns.
type GroupReceipt struct {
	Name    string          `json:"name"`
	Points  float64         `json:"points"`
	Sum     float64         `json:"sum"`   // before cap and floor
	Cap     *float64        `json:"cap"`   // nil: it did not bite
	Floor   *float64        `json:"floor"` // nil: it did not bite
	Signals []SignalReceipt `json:"signals"`
}

// SignalReceipt is what a signal earns: Weight · min(Intensity, Limit).
type SignalReceipt struct {
	Name      string   `json:"name"`
	Points    float64  `json:"points"`
	Intensity float64  `json:"intensity"`
	Weight    float64  `json:"weight"` // the model's points for an intensity of 1
	Limit     *float64 `json:"limit"`  // nil: none
	HalfLife  string   `json:"half_life"`
	// Held is intensity that is held back as machine-like, and HeldPoints what it would
	// earn, before the group's cap: neither is part of the sums.
	Held       float64 `json:"held,omitzero"`
	HeldPoints float64 `json:"held_points,omitzero"`
}

// CommitteeReceipt is what distinct roles earn.
type CommitteeReceipt struct {
	Points float64  `json:"points"`
	People int      `json:"people"`
	Roles  []string `json:"roles"`
}

// SurgeReceipt is a surge that adds its points.
type SurgeReceipt struct {
	Name   string  `json:"name"`
	Points float64 `json:"points"`
	Recent float64 `json:"recent"` // a(t)
	Usual  float64 `json:"usual"`  // b(t)
}

// ICPReceipt says on which side of the ideal customer profile the account is.
type ICPReceipt struct {
	Inside bool     `json:"inside"`
	Unmet  []string `json:"unmet"`       // what put it outside
	Max    *float64 `json:"outside_max"` // the limit, where it is outside
}

// Receipt is the arithmetic behind the account's score at instant t; an instant
// before the account's clock counts as the clock.
func (m *Model) Receipt(a *Account, t int64) Receipt {
	var r reading
	m.read(&r, a, m.since(a, t))
	return m.receipt(a, &r, new(folio))
}

func (m *Model) receipt(a *Account, r *reading, f *folio) Receipt {
	f.groups, f.surges = room(f.groups, len(m.groups)), room(f.surges, len(m.surges))
	// No line without a sum.
	f.signals = room(f.signals, min(len(m.signals), len(a.sums)+len(a.held)))
	out := Receipt{
		Score: r.score, Fit: m.fitReceipt(a, f), Groups: f.groups, Surges: f.surges,
		Committee:  CommitteeReceipt{Points: r.k, People: r.people, Roles: f.sorted(r.roles)},
		ICP:        ICPReceipt{Inside: a.standing.inside, Unmet: f.copied(a.standing.unmet)},
		Adjustment: r.score - r.total,
	}
	for g := range m.groups {
		out.Groups = append(out.Groups, m.groupReceipt(a, g, r, f))
	}
	for i, on := range r.surges {
		if s := &m.surges[i]; on {
			recent, usual := s.at(a.pairOf(s.number), r.at)
			out.Surges = append(out.Surges, SurgeReceipt{s.name, s.adds, recent, usual})
		}
	}
	if !a.standing.inside {
		out.ICP.Max = &m.icp.outsideMax
	}
	return out
}

func (m *Model) fitReceipt(a *Account, f *folio) FitReceipt {
	s := a.standing
	f.rules = room(f.rules, len(s.held))
	out := FitReceipt{Points: s.fit, Sum: s.sum, Rules: f.rules}
	for _, i := range s.held {
		out.Rules = append(out.Rules, RuleReceipt{m.fit[i].name, m.fit[i].points})
	}
	if s.sum > m.fitCap {
		out.Cap = &m.fitCap
	}
	return out
}

func (m *Model) groupReceipt(a *Account, g int, r *reading, f *folio) GroupReceipt {
	group, first := &m.groups[g], len(f.signals)
	out := GroupReceipt{Name: group.name, Points: r.points[g], Sum: r.raw[g]}
	if r.raw[g] > group.cap {
		out.Cap = &group.cap
	}
	if r.raw[g] < group.floor {
		out.Floor = &group.floor
	}
	for _, i := range group.signals {
		s := &m.signals[i]
		held := a.withheld(s, r.at)
		if r.x[i] == 0 && held == 0 {
			continue
		}
		line := SignalReceipt{
			Name: s.name, Points: float64(s.points * math.Min(r.x[i], s.limit)), Intensity: r.x[i],
			Weight: s.points, HalfLife: s.fades, Held: held,
		}
		if held != 0 {
			line.HeldPoints = float64(s.points*math.Min(r.x[i]+held, s.limit)) - line.Points
		}
		if !math.IsInf(s.limit, 0) {
			line.Limit = &s.limit
		}
		f.signals = append(f.signals, line)
	}
	out.Signals = f.signals[first:len(f.signals):len(f.signals)]
	return out
}
