package scoring

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Model is a compiled Spec. It is immutable: any number of goroutines may use it.
type Model struct {
	spec  Spec
	hash  string
	names *Names
	// person is the fingerprint of an identity; see HashPeople.
	person func(identity string) uint64
	// forgetAfter is how long an account may be idle, in milliseconds; see ForgetAfter.
	forgetAfter int64

	icp       *icp
	fit       []fitRule
	fitCap    float64
	seniority []pattern
	roles     []pattern
	// unknownMultiplier is the multiplier of labels that have none.
	unknownMultiplier float64

	groups    []group
	signals   []signal
	byType    map[string][]int // exact types → signals, prefixes included
	prefixed  []int            // signals that match a prefix
	byNumber  []int32          // dictionary number → signal, -1 for none
	committee committee
	surges    []surge
	min, max  float64
	// plain is true when neither committee nor surges take points away, as in any
	// sensible model: then both only fall with time.
	plain  bool
	tiers  []tier
	tierOf map[uint32]int // dictionary number → tier
	holds  *holds         // nil: nothing is held back
	// portfolio is nil where the model has none. Scoring does not use it.
	portfolio *portfolio

	// stranger is the standing of an account without a profile.
	stranger *standing
	// readings are spare, so that scoring allocates none.
	readings *sync.Pool
	titles   *titles
}

type icp struct {
	require, exclude []condition
	unknownInside    bool
	outsideMax       float64
}

type condition struct {
	text string
	eval func(map[string]any) Truth
}

type fitRule struct {
	name   string
	when   func(map[string]any) Truth
	points float64
}

type pattern struct {
	re *regexp.Regexp
	is string
}

type group struct {
	name       string
	cap, floor float64
	signals    []int // in declared order
}

type signal struct {
	name        string
	number      uint32
	group       int
	typ         string // without the star
	prefix      bool
	where       func(*Event) Truth // nil: always holds
	properties  bool               // where may read Event.Properties
	fields      bool               // where may read Contact.Fields
	points      float64
	halfLife    int64
	fades       string // halfLife as receipts say it
	limit       float64
	oncePer     int64
	bySeniority bool
}

type committee struct {
	window  int64
	perRole float64
	cap     float64
}

type surge struct {
	name             string
	number           uint32
	group            int
	short, long      int64
	ratio, min, adds float64
}

type tier struct {
	name       string
	number     uint32
	min        float64 // −∞ for the last
	mqa        bool
	hysteresis float64
	dwell      int64
	cooldown   int64
	people     int
	roles      int
	groups     []figure
}

type figure struct {
	group int
	min   float64
}

const unknownLabel = "unknown"

// defaultWindow is the committee's window where a model does not give one.
const defaultWindow = 30 * Day

// Compile checks a Spec and makes a Model of it. The error is a Faults with
// every mistake, in the order of the spec. The hash names the model in outputs;
// names must hold all of spec.Names().
func Compile(spec Spec, hash string, conditions Conditions, names *Names) (*Model, error) {
	c := compiler{spec: &spec, conditions: conditions, names: names}
	m := &Model{spec: spec, hash: hash, names: names, person: Person, readings: &sync.Pool{New: func() any { return new(reading) }}, titles: &titles{}}
	c.header()
	c.profileRules(m)
	c.contacts(m)
	c.groups(m)
	c.signals(m)
	c.committee(m)
	c.surges(m)
	c.score(m)
	c.tiers(m)
	c.holds(m)
	c.portfolio(m)
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	m.stranger = m.stand(nil)
	m.plain = m.committee.perRole >= 0 && !slices.ContainsFunc(m.surges, func(s surge) bool { return s.adds < 0 })
	return m, nil
}

// Name is the model's name.
func (m *Model) Name() string { return m.spec.Name }

// Version is the model's version, as its author counts.
func (m *Model) Version() int { return m.spec.Version }

// Hash names the exact model.
func (m *Model) Hash() string { return m.hash }

// Spec is what the model was compiled from. It must not be changed.
func (m *Model) Spec() Spec { return m.spec }

// Tiers are the names of the tiers, best first.
func (m *Model) Tiers() []string {
	names := make([]string, len(m.tiers))
	for i, t := range m.tiers {
		names[i] = t.name
	}
	return names
}

// LastTier is the name of the worst tier, in which accounts begin.
func (m *Model) LastTier() string { return m.tiers[m.last()].name }

// Above is the next better tier than the account's, and its least score; empty
// where there is none.
func (m *Model) Above(a *Account) (name string, min float64) {
	if c := m.tier(a); c > 0 {
		return m.tiers[c-1].name, m.tiers[c-1].min
	}
	return "", 0
}

// last is the index of the worst tier, in which accounts begin.
func (m *Model) last() int { return len(m.tiers) - 1 }

// signal is the index of the signal with a dictionary number; false if this model
// does not have it.
func (m *Model) signal(number uint32) (int, bool) {
	if int(number) >= len(m.byNumber) {
		return 0, false
	}
	k := m.byNumber[number]
	return int(k), k >= 0
}

// matches appends to dst the signals that the event matches: type and where.
func (m *Model) matches(dst []int, e *Event) []int {
	if exact, ok := m.byType[e.Type]; ok {
		for _, i := range exact {
			dst = m.admits(dst, i, e)
		}
		return dst
	}
	for _, i := range m.prefixed {
		if strings.HasPrefix(e.Type, m.signals[i].typ) {
			dst = m.admits(dst, i, e)
		}
	}
	return dst
}

// admits appends signal i to dst if its `where` holds for the event.
func (m *Model) admits(dst []int, i int, e *Event) []int {
	if w := m.signals[i].where; w == nil || w(e) == True {
		return append(dst, i)
	}
	return dst
}

// Reads tells whether a `where`, or an expression of holds, may read the properties,
// or the contact's fields, of an event of this type. Events may go without them where it says no.
func (m *Model) Reads(typ string) (properties, fields bool) {
	for i := range m.signals {
		s := &m.signals[i]
		if (s.properties || s.fields) && (typ == s.typ || s.prefix && strings.HasPrefix(typ, s.typ)) {
			properties, fields = properties || s.properties, fields || s.fields
		}
	}
	if m.holds != nil && (!properties || !fields) {
		p, f := m.holdsRead(typ)
		properties, fields = properties || p, fields || f
	}
	return properties, fields
}

// Matches reports whether any signal matches the event.
func (m *Model) Matches(e *Event) bool {
	var buf [8]int
	return len(m.matches(buf[:0], e)) > 0
}

// titled is what the contact's title says where the contact itself does not say it.
func (m *Model) titled(c *Contact) titled {
	if c == nil || c.Seniority != "" && c.Role != "" {
		return titled{}
	}
	return m.labels(c.Title)
}

// multiplier is the seniority's multiplier of the event's contact, 1 without one.
func (m *Model) multiplier(c *Contact, t *titled) float64 {
	switch {
	case c == nil:
		return 1
	case c.Seniority == "":
		return t.multiplier
	}
	return m.multiplierOf(c.Seniority)
}

func (m *Model) multiplierOf(label string) float64 {
	if x, ok := m.spec.Contacts.Multipliers[label]; ok {
		return x
	}
	return m.unknownMultiplier
}

// role is the contact's part in a purchase.
func (m *Model) role(c *Contact, t *titled) string {
	if c.Role != "" {
		return m.names.role(c.Role)
	}
	return t.role
}

// standing is what a profile alone decides: the fit and the side of the ICP.
type standing struct {
	fit    float64 // clamped
	sum    float64 // before the clamp
	held   []int   // fit rules that hold
	inside bool
	unmet  []string // requirements that do not hold, exclusions that do
}

// stand evaluates the fit and the gate over attributes; nil for no profile.
func (m *Model) stand(p *Profile) *standing {
	var attributes map[string]any
	if p != nil {
		attributes = p.Attributes
	}
	s := &standing{inside: true}
	for i, r := range m.fit {
		if r.when(attributes) == True {
			s.held = append(s.held, i)
			s.sum += r.points
		}
	}
	s.fit = clamp(s.sum, 0, m.fitCap)
	if p == nil {
		s.fit, s.sum, s.held = 0, 0, nil
	}
	if m.icp != nil {
		s.unmet = m.icp.unmet(attributes)
		s.inside = len(s.unmet) == 0
	}
	return s
}

func (g *icp) unmet(attributes map[string]any) []string {
	var unmet []string
	for _, c := range g.require {
		t := c.eval(attributes)
		if t == False || t == Unknown && !g.unknownInside {
			unmet = append(unmet, c.text)
		}
	}
	for _, c := range g.exclude {
		if c.eval(attributes) == True {
			unmet = append(unmet, "not ("+c.text+")")
		}
	}
	return unmet
}

func clamp(x, lo, hi float64) float64 {
	return math.Min(math.Max(x, lo), hi)
}
