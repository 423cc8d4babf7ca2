package scoring

import (
	"fmt"
	"math"
)

// Advice looks for what is allowed but hardly meant. The paths are those of a
// model file.
func (m *Model) Advice() []Fault {
	var out []Fault
	add := func(path, format string, args ...any) {
		out = append(out, Fault{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	m.adviseICP(add)
	m.adviseContacts(add)
	m.adviseGroups(add)
	m.adviseSignals(add)
	m.adviseTiers(add)
	m.adviseHolds(add)
	return out
}

type adviser func(path, format string, args ...any)

func (m *Model) adviseICP(add adviser) {
	if m.icp == nil {
		add("icp", "is missing: every account counts as an ideal customer")
		return
	}
	for _, t := range m.tiers {
		if t.mqa && m.icp.outsideMax >= t.min {
			add("icp.outside_max", "%v lets accounts outside the ICP reach the mqa tier %s (%v)", m.icp.outsideMax, t.name, t.min)
		}
	}
}

func (m *Model) adviseContacts(add adviser) {
	for i, p := range m.seniority {
		if _, ok := m.spec.Contacts.Multipliers[p.is]; !ok {
			add(fmt.Sprintf("contacts.seniority[%d].is", i), "%q has no multiplier: it takes that of unknown, %v", p.is, m.unknownMultiplier)
		}
	}
}

func (m *Model) adviseGroups(add adviser) {
	for g := range m.groups {
		if len(m.groups[g].signals) == 0 {
			add("groups."+m.groups[g].name, "has no signal")
		}
	}
	for i, s := range m.surges {
		if len(m.groups[s.group].signals) == 0 {
			add(fmt.Sprintf("surge[%d].group", i), "%q has no signal: the surge never comes", m.groups[s.group].name)
		}
	}
}

func (m *Model) adviseSignals(add adviser) {
	for i, s := range m.signals {
		path := fmt.Sprintf("signals[%d]", i)
		if s.points > 0 && math.IsInf(s.limit, 0) && math.IsInf(m.groups[s.group].cap, 0) {
			add(path, "%s has neither a limit nor a cap on its group: any number of events earns points", s.name)
		}
		if s.points == 0 {
			add(path+".points", "%s earns nothing", s.name)
		}
		for _, t := range m.tiers {
			if alone := math.Min(s.points*s.limit, m.groups[s.group].cap); t.mqa && s.points > 0 && alone >= t.min {
				add(path, "%s alone reaches the mqa tier %s (%v): one kind of event should not make an MQA", s.name, t.name, t.min)
			}
		}
	}
}

func (m *Model) adviseTiers(add adviser) {
	mqa := false
	for i, t := range m.tiers {
		path := fmt.Sprintf("tiers[%d]", i)
		mqa = mqa || t.mqa
		if i+1 < m.last() && t.min-t.hysteresis <= m.tiers[i+1].min {
			add(path+".hysteresis", "%v keeps accounts in %s until they are no better than %s (%v)", t.hysteresis, t.name, m.tiers[i+1].name, m.tiers[i+1].min)
		}
		if i < m.last() && t.min <= m.min && t.people+t.roles+len(t.groups) == 0 {
			add(path+".min", "%v is the least score there is: no account stays below %s", t.min, t.name)
		}
		if t.roles > 0 && len(m.roles) == 0 {
			add(path+".requires.roles", "needs roles, but contacts.roles has no pattern: only events that name a role can fill it")
		}
		if without := m.activity(); !math.IsInf(t.min, 0) && t.min > without {
			add(path+".min", "%v is out of reach without fit: groups, committee and surges sum to %v at most", t.min, without)
		}
	}
	if !mqa {
		add("tiers", "none is marked mqa: no account will ever be handed to a rep")
	}
}

func (m *Model) adviseHolds(add adviser) {
	h := m.holds
	if h == nil {
		return
	}
	if h.human == nil && len(m.spec.Holds.ReleasedBy.Signals) == 0 {
		add("holds.released_by", "is missing: nothing releases what is held, so it never counts")
	}
	for i, s := range m.signals {
		for _, r := range h.bySignal[i] {
			if h.released[i] {
				add(fmt.Sprintf("holds.rules[%d].signals", r), "%s is also in holds.released_by: a machine's event that no rule knows would release the rest", s.name)
			}
		}
	}
}
