package scoring

// axisMax bounds both axes of the portfolio, which begin at 0.
const axisMax = 5

// portfolio is a compiled PortfolioSpec.
type portfolio struct {
	attractiveness, potential []axisRule
	classes                   []ClassSpec // best first
}

type axisRule struct {
	when   func(map[string]any) Truth
	points float64
}

// axis adds up the rules that hold.
func axis(rules []axisRule, attributes map[string]any) float64 {
	sum := 0.0
	for i := range rules {
		if rules[i].when(attributes) == True {
			sum += rules[i].points
		}
	}
	return min(max(sum, 0), axisMax)
}

// Class is the best class of the portfolio whose conditions a profile meets; nil is no
// profile. It is empty without a portfolio, and where no class takes the account. How many
// accounts a class has room for is not asked here: that depends on all the others.
func (m *Model) Class(p *Profile) string {
	if m.portfolio == nil {
		return ""
	}
	var attributes map[string]any
	if p != nil {
		attributes = p.Attributes
	}
	x, y := axis(m.portfolio.attractiveness, attributes), axis(m.portfolio.potential, attributes)
	for i := range m.portfolio.classes {
		c := &m.portfolio.classes[i]
		if (c.Attractiveness == nil || x >= *c.Attractiveness) && (c.Potential == nil || y >= *c.Potential) {
			return c.Name
		}
	}
	return ""
}

// Classes are the classes of the portfolio, best first; none without a portfolio.
func (m *Model) Classes() []string {
	if m.portfolio == nil {
		return nil
	}
	out := make([]string, len(m.portfolio.classes))
	for i := range out {
		out[i] = m.portfolio.classes[i].Name
	}
	return out
}
