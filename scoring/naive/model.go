package naive

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"tidemark/scoring"
)

const (
	hour = int64(3_600_000)
	day  = 24 * hour
)

// Model is a Spec with its defaults filled in and its expressions compiled.
type Model struct {
	spec      scoring.Spec
	require   []func(map[string]any) scoring.Truth
	exclude   []func(map[string]any) scoring.Truth
	fit       []func(map[string]any) scoring.Truth
	where     []func(*scoring.Event) scoring.Truth // nil: always
	floors    []float64                            // by group
	seniority []pattern
	roles     []pattern
	window    int64
	perRole   float64
	roleCap   float64
	scoreMin  float64
	scoreMax  float64
	machine   []func(*scoring.Event) scoring.Truth // by rule of holds; nil: a burst
	human     func(*scoring.Event) scoring.Truth   // nil: only signals release
}

type pattern struct {
	match *regexp.Regexp
	is    string
}

// New prepares a Spec that scoring.Compile has accepted.
func New(spec scoring.Spec, conditions scoring.Conditions) (*Model, error) {
	m := &Model{spec: spec, window: 30 * day, roleCap: math.Inf(1), scoreMax: 100}
	if c := spec.Committee; c != nil {
		m.perRole, m.roleCap = c.PointsPerRole, orElse(c.Cap, math.Inf(1))
		if c.Window != 0 {
			m.window = c.Window
		}
	}
	m.scoreMin, m.scoreMax = orElse(spec.Score.Min, 0), orElse(spec.Score.Max, 100)
	for _, g := range spec.Groups {
		m.floors = append(m.floors, floorOf(spec, g))
	}
	return m, m.compile(conditions)
}

func (m *Model) compile(conditions scoring.Conditions) (err error) {
	profile := func(expr string) func(map[string]any) scoring.Truth {
		f, e := conditions.Profile(expr)
		err = orError(err, e, expr)
		return f
	}
	if icp := m.spec.ICP; icp != nil {
		for _, x := range icp.Require {
			m.require = append(m.require, profile(x))
		}
		for _, x := range icp.Exclude {
			m.exclude = append(m.exclude, profile(x))
		}
	}
	for _, r := range m.spec.Fit.Rules {
		m.fit = append(m.fit, profile(r.When))
	}
	event := func(expr string) (f func(*scoring.Event) scoring.Truth) {
		if expr != "" {
			var e error
			f, e = conditions.Event(expr)
			err = orError(err, e, expr)
		}
		return f
	}
	for _, s := range m.spec.Signals {
		m.where = append(m.where, event(s.Where))
	}
	if h := m.spec.Holds; h != nil {
		m.human = event(h.ReleasedBy.When)
		for _, r := range h.Rules {
			m.machine = append(m.machine, event(r.When))
		}
	}
	m.seniority, err = patterns(m.spec.Contacts.Seniority, err)
	m.roles, err = patterns(m.spec.Contacts.Roles, err)
	return err
}

func patterns(from []scoring.PatternSpec, err error) ([]pattern, error) {
	var out []pattern
	for _, p := range from {
		re, e := regexp.Compile(p.Match)
		err = orError(err, e, p.Match)
		out = append(out, pattern{re, p.Is})
	}
	return out, err
}

func orError(err, next error, what string) error {
	if err == nil && next != nil {
		return fmt.Errorf("%s: %w", what, next)
	}
	return err
}

func orElse(p *float64, otherwise float64) float64 {
	if p != nil {
		return *p
	}
	return otherwise
}

// floorOf: "floor 0 if all the group's points are ≥ 0 else −100".
func floorOf(spec scoring.Spec, g scoring.GroupSpec) float64 {
	if g.Floor != nil {
		return *g.Floor
	}
	for _, s := range spec.Signals {
		if s.Group == g.Name && s.Points < 0 {
			return -100
		}
	}
	return 0
}

// matches: type equal, or a prefix ending in *, and `where` true.
func (m *Model) matches(s int, e *scoring.Event) bool {
	want := m.spec.Signals[s].Type
	prefix, wild := strings.CutSuffix(want, "*")
	if wild && !strings.HasPrefix(e.Type, prefix) || !wild && e.Type != want {
		return false
	}
	return m.where[s] == nil || m.where[s](e) == scoring.True
}

// multiplier: strength × the seniority's multiplier, where it applies.
func (m *Model) multiplier(s int, e *scoring.Event) float64 {
	if m.spec.Signals[s].IgnoreSeniority || e.Contact == nil {
		return e.Strength
	}
	label := label(e.Contact.Seniority, e.Contact.Title, m.seniority)
	if x, ok := m.spec.Contacts.Multipliers[label]; ok {
		return e.Strength * x
	}
	if x, ok := m.spec.Contacts.Multipliers["unknown"]; ok {
		return e.Strength * x
	}
	return e.Strength
}

func label(given, title string, patterns []pattern) string {
	if given != "" {
		return given
	}
	for _, p := range patterns {
		if p.match.MatchString(strings.ToLower(title)) {
			return p.is
		}
	}
	return "unknown"
}

// identity: the contact's id, else the lower-cased e-mail address; "" is nobody.
func identity(c *scoring.Contact) string {
	if c == nil {
		return ""
	}
	if c.ID != "" {
		return c.ID
	}
	return strings.ToLower(c.Email)
}
