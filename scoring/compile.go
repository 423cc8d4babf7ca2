package scoring

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
)

// compiler turns a Spec into a Model and collects every fault on the way.
type compiler struct {
	spec       *Spec
	conditions Conditions
	names      *Names
	faults     Faults

	groupOf map[string]int
}

func (c *compiler) fault(path, format string, args ...any) {
	c.faults = append(c.faults, Fault{Path: path, Text: fmt.Sprintf(format, args...)})
}

func (c *compiler) header() {
	if c.spec.Name == "" {
		c.fault("name", "is missing: a model needs a name")
	}
	if c.spec.Version < 0 {
		c.fault("version", "%d is negative: versions count up from 1", c.spec.Version)
	}
}

func (c *compiler) profileRules(m *Model) {
	if s := c.spec.ICP; s != nil {
		m.icp = &icp{unknownInside: s.UnknownInside}
		m.icp.require = c.conditionList("icp.require", s.Require)
		m.icp.exclude = c.conditionList("icp.exclude", s.Exclude)
		if s.OutsideMax == nil {
			c.fault("icp.outside_max", "is missing: give the highest score of an account outside the ICP")
		} else {
			m.icp.outsideMax = c.finite("icp.outside_max", *s.OutsideMax)
		}
	}
	m.fitCap = c.bound("fit.cap", c.spec.Fit.Cap, math.Inf(1))
	if m.fitCap < 0 {
		c.fault("fit.cap", "%v is below 0, the least fit", m.fitCap)
	}
	for i, r := range c.spec.Fit.Rules {
		path := fmt.Sprintf("fit.rules[%d]", i)
		m.fit = append(m.fit, fitRule{
			name:   r.Name,
			when:   c.profileCondition(path+".when", r.When),
			points: c.finite(path+".points", r.Points),
		})
		if r.Name == "" {
			c.fault(path+".name", "is missing: the receipt names the rule by it")
		}
	}
}

func (c *compiler) conditionList(path string, list []string) []condition {
	var out []condition
	for i, text := range list {
		out = append(out, condition{text, c.profileCondition(fmt.Sprintf("%s[%d]", path, i), text)})
	}
	return out
}

func (c *compiler) profileCondition(path, text string) func(map[string]any) Truth {
	if strings.TrimSpace(text) == "" {
		c.fault(path, "is empty: give an expression over profile attributes, such as employees > 500")
		return nil
	}
	f, err := c.conditions.Profile(text)
	if err != nil {
		c.fault(path, "%q: %v", text, err)
	}
	return f
}

func (c *compiler) contacts(m *Model) {
	s := c.spec.Contacts
	m.seniority = c.patterns("contacts.seniority", s.Seniority)
	m.roles = c.patterns("contacts.roles", s.Roles)
	m.unknownMultiplier = 1
	for _, label := range slices.Sorted(maps.Keys(s.Multipliers)) {
		x := s.Multipliers[label]
		path := "contacts.multipliers." + label
		if c.finite(path, x) < 0 {
			c.fault(path, "%v is negative: a multiplier is 0 or more", x)
		}
		if label == unknownLabel {
			m.unknownMultiplier = x
		}
	}
}

func (c *compiler) patterns(path string, specs []PatternSpec) []pattern {
	var out []pattern
	for i, s := range specs {
		at := fmt.Sprintf("%s[%d]", path, i)
		re, err := regexp.Compile(s.Match)
		if err != nil || s.Match == "" {
			c.fault(at+".match", "%q is not a pattern (RE2 syntax, tried on the lower-cased title)%s", s.Match, reason(err))
		}
		if s.Is == "" {
			c.fault(at+".is", "is missing: give the label of titles that match")
		}
		out = append(out, pattern{re, s.Is})
	}
	return out
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func (c *compiler) groups(m *Model) {
	c.groupOf = make(map[string]int, len(c.spec.Groups))
	for i, g := range c.spec.Groups {
		path := "groups." + g.Name
		if _, twice := c.groupOf[g.Name]; twice || g.Name == "" {
			c.fault(path, "%q: group names are unique and not empty", g.Name)
		}
		c.groupOf[g.Name] = i
		out := group{name: g.Name, cap: c.bound(path+".cap", g.Cap, math.Inf(1)), floor: c.defaultFloor(g.Name)}
		out.floor = c.bound(path+".floor", g.Floor, out.floor)
		if out.floor > out.cap {
			c.fault(path, "floor %v is above cap %v", out.floor, out.cap)
		}
		m.groups = append(m.groups, out)
	}
}

// defaultFloor is 0 where all the group's points are at least 0, else -100.
func (c *compiler) defaultFloor(name string) float64 {
	for _, s := range c.spec.Signals {
		if s.Group == name && s.Points < 0 {
			return -100
		}
	}
	return 0
}

func (c *compiler) signals(m *Model) {
	m.byNumber = slices.Repeat([]int32{-1}, len(m.names.list))
	seen := make(map[string]bool, len(c.spec.Signals))
	for i, s := range c.spec.Signals {
		path := fmt.Sprintf("signals[%d]", i)
		if s.Name == "" || seen[s.Name] {
			c.fault(path+".name", "%q: signal names are unique and not empty", s.Name)
		}
		seen[s.Name] = true
		out := c.signal(path, s)
		if g, ok := c.groupOf[s.Group]; ok {
			m.groups[g].signals = append(m.groups[g].signals, i)
		}
		if int(out.number) < len(m.byNumber) {
			m.byNumber[out.number] = int32(i)
		}
		m.signals = append(m.signals, out)
		if out.prefix {
			m.prefixed = append(m.prefixed, i)
		}
	}
	m.byType = make(map[string][]int)
	for _, s := range m.signals {
		if _, done := m.byType[s.typ]; !s.prefix && !done {
			m.byType[s.typ] = m.ofType(s.typ)
		}
	}
}

// ofType are the signals whose match.type fits typ, in declared order.
func (m *Model) ofType(typ string) []int {
	var out []int
	for i, s := range m.signals {
		if s.typ == typ && !s.prefix || s.prefix && strings.HasPrefix(typ, s.typ) {
			out = append(out, i)
		}
	}
	return out
}

func (c *compiler) signal(path string, s SignalSpec) signal {
	out := signal{
		name: s.Name, number: c.names.number(signalName(s.Name)),
		points: c.finite(path+".points", s.Points), halfLife: s.HalfLife, fades: FormatDuration(s.HalfLife), oncePer: s.OncePer,
		limit: c.bound(path+".limit", s.Limit, math.Inf(1)), bySeniority: !s.IgnoreSeniority,
	}
	out.group = c.group(path+".group", s.Group)
	out.typ, out.prefix = strings.CutSuffix(s.Type, "*")
	if s.Type == "" || strings.Contains(out.typ, "*") {
		c.fault(path+".match.type", "%q: give an event type, or a prefix that ends in *", s.Type)
	}
	if s.Where != "" {
		where, err := c.conditions.Event(s.Where)
		if err != nil {
			c.fault(path+".match.where", "%q: %v", s.Where, err)
		}
		out.where = where
		out.properties, out.fields = reads(s.Where)
	}
	if s.HalfLife <= 0 {
		c.fault(path+".half_life", "%s is not above 0: give a duration such as 7d, or never", FormatDuration(s.HalfLife))
	}
	if out.limit <= 0 {
		c.fault(path+".limit", "%v is not above 0: leave it out for no limit", out.limit)
	}
	if s.OncePer < 0 || s.OncePer == Never {
		c.fault(path+".once_per", "%s is no window: leave it out to count every event", FormatDuration(s.OncePer))
	}
	return out
}

// reads tells whether an expression may read the properties or the contact. A name in
// the text may be part of a longer one or of a text in it: then more is decoded than
// read. $env is everything.
func reads(expr string) (properties, fields bool) {
	all := strings.Contains(expr, "$env")
	return all || strings.Contains(expr, "properties"), all || strings.Contains(expr, "contact")
}

func (c *compiler) group(path, name string) int {
	g, ok := c.groupOf[name]
	if !ok {
		c.fault(path, "%q is not declared under groups", name)
	}
	return g
}

func (c *compiler) committee(m *Model) {
	m.committee = committee{window: defaultWindow, cap: math.Inf(1)}
	s := c.spec.Committee
	if s == nil {
		return
	}
	if s.Window != 0 {
		m.committee.window = s.Window
	}
	if s.Window < 0 {
		c.fault("committee.window", "%d ms is negative", s.Window)
	}
	m.committee.perRole = c.finite("committee.points_per_role", s.PointsPerRole)
	m.committee.cap = c.bound("committee.cap", s.Cap, math.Inf(1))
}

func (c *compiler) surges(m *Model) {
	seen := make(map[string]bool, len(c.spec.Surge))
	for i, s := range c.spec.Surge {
		path := fmt.Sprintf("surge[%d]", i)
		if s.Name == "" || seen[s.Name] {
			c.fault(path+".name", "%q: surge names are unique and not empty", s.Name)
		}
		seen[s.Name] = true
		if s.Short <= 0 || s.Long <= s.Short || s.Long == Never {
			c.fault(path+".short", "short %s and long %s: short is above 0 and below long, and both decay",
				FormatDuration(s.Short), FormatDuration(s.Long))
		}
		m.surges = append(m.surges, surge{
			name: s.Name, number: c.names.number(surgeName(s.Name)), group: c.group(path+".group", s.Group),
			short: s.Short, long: s.Long, ratio: c.finite(path+".ratio", s.Ratio),
			min: c.finite(path+".min", s.Min), adds: c.finite(path+".points", s.Points),
		})
		if s.Ratio <= 0 {
			c.fault(path+".ratio", "%v is not above 0", s.Ratio)
		}
	}
}

func (c *compiler) score(m *Model) {
	m.min = c.bound("score.min", c.spec.Score.Min, 0)
	m.max = c.bound("score.max", c.spec.Score.Max, 100)
	if m.min >= m.max {
		c.fault("score", "min %v is not below max %v", m.min, m.max)
	}
}

func (c *compiler) portfolio(m *Model) {
	p := c.spec.Portfolio
	if p == nil {
		return
	}
	m.portfolio = &portfolio{
		attractiveness: c.axis("portfolio.attractiveness", p.Attractiveness), potential: c.axis("portfolio.potential", p.Potential),
		classes: p.Classes,
	}
	for i, class := range p.Classes {
		if class.Name == "" {
			c.fault(fmt.Sprintf("portfolio.classes[%d].name", i), "is missing")
		}
	}
}

func (c *compiler) axis(path string, rules []AxisRuleSpec) []axisRule {
	out := make([]axisRule, len(rules))
	for i, r := range rules {
		at := fmt.Sprintf("%s[%d]", path, i)
		out[i] = axisRule{c.profileCondition(at+".when", r.When), c.finite(at+".points", r.Points)}
	}
	return out
}

func (c *compiler) finite(path string, x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		c.fault(path, "%v is not a finite number", x)
	}
	return x
}

func (c *compiler) bound(path string, x *float64, missing float64) float64 {
	if x == nil {
		return missing
	}
	return c.finite(path, *x)
}
