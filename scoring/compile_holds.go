package scoring

import (
	"fmt"
	"slices"
	"strings"
)

// holds are the rules of what is held back.
type holds struct {
	rules    []holdRule
	bySignal [][]int // signal → its rules, in declared order
	released []bool  // by signal: who matches it is human
	human    func(*Event) Truth
	// properties and fields: human may read them.
	properties, fields bool
	longest            int64 // of the bursts; 0 where no rule is one
}

type holdRule struct {
	name               string
	signals            []bool // by signal
	when               func(*Event) Truth
	properties, fields bool  // when may read them
	of                 int   // 0: no burst
	within             int64 // milliseconds
}

// The bounds of holds. A rule is a bit of a word; of a burst, the memory must hold all
// but the last.
const (
	maxHoldRules = 64
	maxBurst     = 64
	maxWithin    = Day
)

func (c *compiler) holds(m *Model) {
	s := c.spec.Holds
	if s == nil {
		return
	}
	h := &holds{bySignal: make([][]int, len(m.signals)), released: c.signalSet(m, "holds.released_by.signals", s.ReleasedBy.Signals)}
	h.human, h.properties, h.fields = c.eventCondition("holds.released_by.when", s.ReleasedBy.When)
	if len(s.Rules) == 0 || len(s.Rules) > maxHoldRules {
		c.fault("holds.rules", "%d rules: give 1 to %d, or leave holds out", len(s.Rules), maxHoldRules)
		return
	}
	for i := range s.Rules {
		path := fmt.Sprintf("holds.rules[%d]", i)
		r := c.holdRule(m, path, &s.Rules[i])
		if r.name == "" || slices.ContainsFunc(h.rules, func(other holdRule) bool { return other.name == r.name }) {
			c.fault(path+".name", "%q: names of rules are unique and not empty", r.name)
		}
		if r.of > 0 {
			h.longest = max(h.longest, r.within)
		}
		for k, yes := range r.signals {
			if yes {
				h.bySignal[k] = append(h.bySignal[k], i)
			}
		}
		h.rules = append(h.rules, r)
	}
	m.holds = h
}

func (c *compiler) holdRule(m *Model, path string, s *HoldRuleSpec) holdRule {
	r := holdRule{name: s.Name, signals: c.signalSet(m, path+".signals", s.Signals)}
	if len(s.Signals) == 0 {
		c.fault(path+".signals", "is empty: name the signals whose events are held back")
	}
	switch {
	case s.When != "" && s.Burst != nil:
		c.fault(path, "has both when and burst: make two rules of it")
	case s.When != "":
		r.when, r.properties, r.fields = c.eventCondition(path+".when", s.When)
	case s.Burst != nil:
		r.of, r.within = s.Burst.Of, s.Burst.Within
		if r.of < 2 || r.of > maxBurst {
			c.fault(path+".burst.of", "%d is not between 2 and %d", r.of, maxBurst)
		}
		if r.within <= 0 || r.within > maxWithin {
			c.fault(path+".burst.within", "%s is not above 0 and at most %s", FormatDuration(r.within), FormatDuration(maxWithin))
		}
	default:
		c.fault(path, "holds nothing: give when, an expression over the event, or burst")
	}
	return r
}

// eventCondition compiles an optional expression over the event.
func (c *compiler) eventCondition(path, text string) (eval func(*Event) Truth, properties, fields bool) {
	if text == "" {
		return nil, false, false
	}
	eval, err := c.conditions.Event(text)
	if err != nil {
		c.fault(path, "%q: %v", text, err)
	}
	properties, fields = reads(text)
	return eval, properties, fields
}

func (c *compiler) signalSet(m *Model, path string, names []string) []bool {
	set := make([]bool, len(m.signals))
	for i, name := range names {
		k := slices.IndexFunc(m.signals, func(s signal) bool { return s.name == name })
		if k < 0 {
			c.fault(fmt.Sprintf("%s[%d]", path, i), "%q is not declared under signals", name)
			continue
		}
		set[k] = true
	}
	return set
}

// holdsRead is Reads for the expressions of holds.
func (m *Model) holdsRead(typ string) (properties, fields bool) {
	h := m.holds
	for i := range m.signals {
		s := &m.signals[i]
		if typ != s.typ && (!s.prefix || !strings.HasPrefix(typ, s.typ)) {
			continue
		}
		properties, fields = properties || h.properties, fields || h.fields
		for _, r := range h.bySignal[i] {
			properties, fields = properties || h.rules[r].properties, fields || h.rules[r].fields
		}
	}
	return properties, fields
}

// HoldRules are the names of the rules of holds, in declared order.
func (m *Model) HoldRules() []string {
	if m.holds == nil {
		return nil
	}
	var names []string
	for i := range m.holds.rules {
		names = append(names, m.holds.rules[i].name)
	}
	return names
}
