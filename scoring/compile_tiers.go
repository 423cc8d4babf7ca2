package scoring

import (
	"fmt"
	"math"
)

func (c *compiler) tiers(m *Model) {
	if len(c.spec.Tiers) == 0 {
		c.fault("tiers", "is empty: list the tiers, best first; the last has no min")
		return
	}
	m.tierOf = make(map[uint32]int, len(c.spec.Tiers))
	seen := make(map[string]bool, len(c.spec.Tiers))
	above := math.Inf(1)
	for i, s := range c.spec.Tiers {
		path := fmt.Sprintf("tiers[%d]", i)
		if s.Name == "" || seen[s.Name] {
			c.fault(path+".name", "%q: tier names are unique and not empty", s.Name)
		}
		seen[s.Name] = true
		t := c.tier(path, s)
		t.min = c.tierMin(path, s, i == len(c.spec.Tiers)-1, above)
		c.reachable(m, path, t)
		above = t.min
		m.tierOf[t.number] = i
		m.tiers = append(m.tiers, t)
	}
}

func (c *compiler) tier(path string, s TierSpec) tier {
	t := tier{
		name: s.Name, number: c.names.number(tierName(s.Name)), mqa: s.MQA,
		hysteresis: c.finite(path+".hysteresis", s.Hysteresis), dwell: s.MinDwell, cooldown: s.Cooldown,
		people: s.Requires.People, roles: s.Requires.Roles,
	}
	if s.Hysteresis < 0 {
		c.fault(path+".hysteresis", "%v is negative", s.Hysteresis)
	}
	if s.MinDwell < 0 || s.MinDwell == Never {
		c.fault(path+".min_dwell", "%d ms is not a time to stay", s.MinDwell)
	}
	if s.Cooldown < 0 || s.Cooldown == Never {
		c.fault(path+".cooldown", "%d ms is not a time to wait", s.Cooldown)
	}
	if s.Requires.People < 0 || s.Requires.Roles < 0 {
		c.fault(path+".requires", "people %d and roles %d are 0 or more", s.Requires.People, s.Requires.Roles)
	}
	for _, g := range s.Requires.Groups {
		at := path + ".requires.groups." + g.Group
		t.groups = append(t.groups, figure{group: c.group(at, g.Group), min: c.finite(at, g.Min)})
	}
	return t
}

func (c *compiler) tierMin(path string, s TierSpec, last bool, above float64) float64 {
	if last {
		if s.Min != nil {
			c.fault(path+".min", "%v: the last tier has no min, it is where everybody else is", *s.Min)
		}
		if s.Requires.People > 0 || s.Requires.Roles > 0 || len(s.Requires.Groups) > 0 {
			c.fault(path+".requires", "the last tier requires nothing, it is where everybody else is")
		}
		return math.Inf(-1)
	}
	path += ".min"
	if s.Min == nil {
		c.fault(path, "is missing: only the last tier has no min")
		return above
	}
	least := c.finite(path, *s.Min)
	if least >= above {
		c.fault(path, "%v is not below the tier before (%v): tiers are listed best first", least, above)
	}
	return least
}

// reachable refuses a tier that no account can ever be in.
func (c *compiler) reachable(m *Model, path string, t tier) {
	if most := m.highest(); t.min > most+1e-9 {
		c.fault(path+".min", "%v can't be reached: fit, groups, committee and surges sum to %v at most", t.min, most)
	}
	if t.people > maxPeople {
		c.fault(path+".requires.people", "%d can't be reached: an account remembers %d people", t.people, maxPeople)
	}
	if t.roles > maxPeople {
		c.fault(path+".requires.roles", "%d can't be reached: an account remembers %d people", t.roles, maxPeople)
	}
	for _, f := range t.groups {
		if f.group < len(m.groups) && f.min > m.most(f.group)+1e-9 {
			g := m.groups[f.group]
			c.fault(path+".requires.groups."+g.name, "%v can't be reached: the group's points are %v at most", f.min, m.most(f.group))
		}
	}
}

// highest is the highest score an account can have.
func (m *Model) highest() float64 {
	fit := 0.0
	for _, r := range m.fit {
		fit += math.Max(r.points, 0)
	}
	return clamp(math.Min(fit, m.fitCap)+m.activity(), m.min, m.max)
}

// activity is the most that an account can earn beside the fit.
func (m *Model) activity() float64 {
	sum := 0.0
	for g := range m.groups {
		sum += m.most(g)
	}
	if m.committee.perRole > 0 {
		sum += math.Min(m.committee.cap, m.committee.perRole*maxPeople)
	}
	for _, s := range m.surges {
		sum += math.Max(s.adds, 0)
	}
	return sum
}

// most is the most points a group can give.
func (m *Model) most(g int) float64 {
	sum := 0.0
	for _, i := range m.groups[g].signals {
		if s := m.signals[i]; s.points > 0 {
			sum += s.points * s.limit
		}
	}
	return clamp(sum, m.groups[g].floor, m.groups[g].cap)
}
