package scoring_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"tidemark/scoring"
)

const (
	second = scoring.Second
	minute = scoring.Minute
	hour   = scoring.Hour
	day    = scoring.Day
)

// start is the beginning of random histories: a Sunday, 2026-03-01T00:00:00Z.
const start = int64(1772323200000)

// dice draws models and histories. The same seed draws the same.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 7))} }

func (d dice) chance(p float64) bool { return d.Float64() < p }

func (d dice) between(low, high float64) float64 { return low + (high-low)*d.Float64() }

// round draws a figure that is often a round number, as people write them, so
// that sums meet thresholds exactly now and then.
func (d dice) round(low, high float64) float64 {
	x := d.between(low, high)
	if d.chance(0.6) {
		return float64(int(x))
	}
	return x
}

func (d dice) maybe(p, low, high float64) *float64 {
	if !d.chance(p) {
		return nil
	}
	x := d.round(low, high)
	return &x
}

func (d dice) duration(low, high int64) int64 {
	if d.chance(0.5) && high >= hour {
		return max(low, d.Int64N(high/hour)*hour+hour)
	}
	return low + d.Int64N(high-low+1)
}

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

var eventTypes = []string{"intent.search", "intent.topic", "web.view", "web.click", "mail.open", "bad.unsubscribed"}

// spec draws a model. Most tiers can be reached by the histories drawn beside it.
func (d dice) spec() scoring.Spec {
	s := scoring.Spec{Name: "random", Version: 1}
	d.profileRules(&s)
	s.Contacts = scoring.ContactsSpec{
		Seniority: []scoring.PatternSpec{{Match: `\bc[etf]o\b`, Is: "chief"}, {Match: "vp|chief", Is: "vp"}, {Match: "intern", Is: "intern"}},
		Roles:     []scoring.PatternSpec{{Match: "cfo|procure", Is: "buyer"}, {Match: "cto|engineer", Is: "technical"}, {Match: "sales", Is: "zealot"}},
	}
	if d.chance(0.8) {
		s.Contacts.Multipliers = map[string]float64{"chief": 2, "vp": 1.5, "intern": 0.2}
	}
	if s.Contacts.Multipliers != nil && d.chance(0.5) {
		s.Contacts.Multipliers["unknown"] = 0.8
	}
	d.groups(&s)
	if d.chance(0.15) {
		d.tangle(&s)
	}
	if d.chance(0.7) {
		s.Committee = &scoring.CommitteeSpec{Window: pick(d, 0, d.duration(hour, 20*day)), PointsPerRole: d.round(-3, 12), Cap: d.maybe(0.5, 5, 20)}
	}
	for i := range pick(d, 0, 0, 1, 2) {
		short := d.duration(6*hour, 6*day)
		s.Surge = append(s.Surge, scoring.SurgeSpec{
			Name: fmt.Sprint("surge", i), Group: pick(d, s.Groups...).Name, Short: short, Long: short + d.duration(day, 40*day),
			Ratio: d.between(0.5, 6), Min: d.round(0, 3), Points: d.round(-8, 20),
		})
	}
	if d.chance(0.25) {
		s.Score.Min = d.maybe(0.7, -30, 25)
	}
	if d.chance(0.25) {
		s.Score.Max = d.maybe(0.7, 80, 150)
	}
	d.tiers(&s)
	d.holds(&s)
	return s
}

// holds draws what looks like a machine; long bursts, as histories are thin.
func (d dice) holds(s *scoring.Spec) {
	s.Holds = nil
	if d.chance(0.6) {
		return
	}
	some := func(p float64) (names []string) {
		for _, x := range s.Signals {
			if d.chance(p) {
				names = append(names, x.Name)
			}
		}
		return names
	}
	expr := func() string {
		return pick(d, `properties.path startsWith "/pricing"`, "strength > 0.5", "strength < 1", `source == "/a"`)
	}
	s.Holds = &scoring.HoldsSpec{}
	if d.chance(0.8) {
		s.Holds.ReleasedBy.Signals = some(0.4)
	}
	if d.chance(0.3) {
		s.Holds.ReleasedBy.When = expr()
	}
	for i := range 1 + d.IntN(3) {
		r := scoring.HoldRuleSpec{Name: fmt.Sprint("rule", i), Signals: append(some(0.5), pick(d, s.Signals...).Name)}
		if d.chance(0.4) {
			r.When = expr()
		} else {
			r.Burst = &scoring.BurstSpec{Of: 2 + d.IntN(2), Within: pick(d, second, minute, 8*hour, day)}
		}
		s.Holds.Rules = append(s.Holds.Rules, r)
	}
}

func (d dice) profileRules(s *scoring.Spec) {
	if d.chance(0.5) {
		max := d.round(10, 60)
		s.ICP = &scoring.ICPSpec{
			Require: []string{"employees >= 50"}, Exclude: []string{`relationship == "competitor"`},
			UnknownInside: d.chance(0.5), OutsideMax: &max,
		}
		if d.chance(0.3) {
			s.ICP.Require = append(s.ICP.Require, `industry != "design"`)
		}
	}
	if d.chance(0.7) {
		s.Fit.Cap = d.maybe(0.6, 10, 45)
		s.Fit.Rules = []scoring.FitRuleSpec{
			{Name: "large", When: "employees > 500", Points: d.round(0, 25)},
			{Name: "fintech", When: `industry == "fintech"`, Points: d.round(0, 25)},
			{Name: "poor", When: "revenue < 5", Points: d.round(-15, 0)},
		}
	}
}

func (d dice) groups(s *scoring.Spec) {
	for i := range 1 + d.IntN(3) {
		s.Groups = append(s.Groups, scoring.GroupSpec{Name: fmt.Sprint("group", i), Cap: d.maybe(0.5, 15, 60), Floor: d.maybe(0.3, -50, 5)})
		sign := pick(d, "positive", "positive", "negative", "mixed")
		for range 1 + d.IntN(3) {
			x := d.signal(len(s.Signals))
			x.Group = s.Groups[i].Name
			if sign == "negative" || sign == "mixed" && d.chance(0.5) {
				x.Points = -x.Points
			}
			s.Signals = append(s.Signals, x)
		}
	}
}

// tangle makes the signals rise and fall against each other: types shared by
// signals of both signs and of very different half-lives, without limits.
func (d dice) tangle(s *scoring.Spec) {
	for i := range s.Signals {
		x := &s.Signals[i]
		x.Type, x.Where, x.Limit = pick(d, "web.view", "web.*", "*"), "", nil
		x.HalfLife = pick(d, 2*hour, 9*hour, 2*day, 2*day, 7*day, 40*day)
		if i%2 == 1 {
			x.Points = -x.Points
		}
	}
}

func (d dice) signal(n int) scoring.SignalSpec {
	x := scoring.SignalSpec{
		Name: fmt.Sprint("signal", n), Type: pick(d, eventTypes...), Points: d.round(1, 40),
		HalfLife: d.duration(4*hour, 20*day), Limit: d.maybe(0.5, 1, 4), IgnoreSeniority: d.chance(0.3),
	}
	switch {
	case d.chance(0.2):
		x.Type = pick(d, "intent.*", "web.*", "*", "mail.op*")
	case d.chance(0.2):
		x.Where = pick(d, `properties.path startsWith "/pricing"`, "strength > 0.5", `source == "/a"`)
	}
	if d.chance(0.15) {
		x.HalfLife = scoring.Never
	}
	if d.chance(0.25) {
		x.OncePer = pick(d, 12*hour, day, 7*day)
	}
	return x
}

func (d dice) tiers(s *scoring.Spec) {
	n := 1 + d.IntN(5)
	low, high := 15.0, 90.0
	if s.Score.Min != nil && *s.Score.Min < 0 && d.chance(0.5) {
		low = *s.Score.Min + 2
	}
	for i := range n {
		t := scoring.TierSpec{Name: fmt.Sprint("T", i+1)}
		if i < n-1 {
			least := high - (high-low)*float64(i+1)/float64(n)
			least = d.round(least, least+(high-low)/float64(n)-1)
			t.Min = &least
			t.MQA = i == 0
			t.Hysteresis = pick(d, 0, 0, d.round(0, 12))
			t.MinDwell = pick(d, 0, 0, d.duration(minute, 5*day))
			t.Cooldown = pick(d, 0, 0, d.duration(minute, 5*day))
			t.Requires = d.requires(s)
		}
		s.Tiers = append(s.Tiers, t)
	}
}

func (d dice) requires(s *scoring.Spec) (r scoring.RequiresSpec) {
	if d.chance(0.2) {
		r.People = 1 + d.IntN(3)
	}
	if d.chance(0.15) {
		r.Roles = 1 + d.IntN(2)
	}
	if d.chance(0.25) {
		r.Groups = append(r.Groups, scoring.GroupFigure{Group: pick(d, s.Groups...).Name, Min: d.round(-20, 30)})
	}
	return r
}

// input is one event and the low watermark at its arrival.
type input struct {
	event     *scoring.Event
	watermark int64
}

// variant draws a model that differs in all but the signals' matching and the
// half-lives, so that one history has a meaning under both.
func (d dice) variant(s scoring.Spec) scoring.Spec {
	other := d.spec()
	other.Signals = slices.Clone(s.Signals)
	for i := range other.Signals {
		other.Signals[i].Points *= d.between(0.3, 2)
		other.Signals[i].Limit = d.maybe(0.5, 1, 4)
	}
	other.Groups = slices.Clone(s.Groups)
	for i := range other.Groups {
		other.Groups[i].Cap, other.Groups[i].Floor = d.maybe(0.5, 15, 60), d.maybe(0.3, -50, 5)
	}
	other.Surge = slices.Clone(s.Surge)
	for i := range other.Surge {
		other.Surge[i].Points, other.Surge[i].Ratio = d.round(-8, 20), d.between(0.5, 6)
	}
	other.Contacts, other.Tiers = s.Contacts, nil
	d.tiers(&other)
	d.holds(&other)
	return other
}

// history draws what one account lives through under a model, in order of arrival.
func (d dice) history(spec scoring.Spec, length int) []input {
	var out []input
	now, latest := start+d.Int64N(10*day), int64(0)
	add := func(e *scoring.Event) {
		e.Arrived = max(latest, e.Time)
		if latest == 0 {
			latest = e.Time
		}
		out = append(out, input{e, latest})
		latest = max(latest, e.Time)
	}
	if d.chance(0.7) {
		add(&scoring.Event{Kind: scoring.KindProfile, ID: "p", Source: "/crm", Time: now, Profile: d.profile()})
	}
	for len(out) < length {
		now += d.gap()
		if d.chance(0.1) { // another account's event moves the watermark on
			latest = max(latest, now+d.Int64N(2*day))
		}
		switch {
		case d.chance(0.06):
			at := now - pick(d, 0, 0, d.Int64N(9*day))
			add(&scoring.Event{Kind: scoring.KindProfile, ID: fmt.Sprint("p", len(out)), Source: "/crm", Time: at, Profile: d.profile()})
		case d.chance(0.03):
			add(&scoring.Event{Kind: scoring.KindErasure, ID: fmt.Sprint("x", len(out)), Source: "/crm", Time: now, Order: &scoring.Order{Erased: []string{pick(d, "c1", "c2", "dana@acme.example")}}})
		case d.chance(0.015):
			add(&scoring.Event{Kind: scoring.KindTombstone, Time: now})
		case d.chance(0.08) && len(out) > 0:
			again := *out[d.IntN(len(out))].event
			add(&again)
		default:
			e := d.event(spec, fmt.Sprint("e", len(out)))
			e.Time = now
			if d.chance(0.15) {
				e.Time -= d.Int64N(pick(d, hour, 2*day, 10*day))
			}
			add(e)
		}
	}
	return out
}

// gap is the time to the next arrival: bursts, working days and quiet months.
func (d dice) gap() int64 {
	switch d.IntN(8) {
	case 0, 1:
		return pick(d, 0, 0, d.Int64N(second))
	case 2, 3, 4:
		return d.Int64N(8 * hour)
	case 5, 6:
		return d.Int64N(4 * day)
	default:
		return d.Int64N(pick(d, 10*day, 80*day))
	}
}

// event draws an event that mostly has a type of the model's.
func (d dice) event(spec scoring.Spec, id string) *scoring.Event {
	e := &scoring.Event{ID: id, Source: pick(d, "/a", "/b"), Type: pick(d, eventTypes...), Strength: 1}
	if len(spec.Signals) > 0 && d.chance(0.6) {
		e.Type = strings.Replace(pick(d, spec.Signals...).Type, "*", "search", 1)
	}
	if d.chance(0.3) {
		e.Strength = pick(d, 0, 0.5, d.between(0, 3), 10)
	}
	if d.chance(0.7) {
		e.Contact = d.contact()
	}
	if d.chance(0.6) {
		e.Properties = scoring.Map{"path": pick[any](d, "/pricing/eu", "/blog", "/pricing", 3.0)}
	}
	return e
}

func (d dice) contact() *scoring.Contact {
	c := &scoring.Contact{Title: pick(d, "", "CEO", "CFO", "CTO", "Chief of Sales", "VP Engineer", "Intern, procurement", "Cook")}
	switch d.IntN(6) {
	case 0: // neither id nor address: nobody
	case 1:
		c.Email = pick(d, "dana@acme.example", "Dana@ACME.example", "eli@acme.example")
	default:
		c.ID = pick(d, "c1", "c2", "c3", "c4")
		c.Email = pick(d, "", "dana@acme.example")
	}
	if d.chance(0.15) {
		c.Seniority = pick(d, "vp", "intern", "regent")
	}
	if d.chance(0.15) {
		c.Role = pick(d, "buyer", "champion", "unknown")
	}
	return c
}

func (d dice) profile() *scoring.Profile {
	attributes := map[string]any{}
	if d.chance(0.85) {
		attributes["employees"] = pick(d, 10.0, 50.0, 300.0, 2000.0)
	}
	if d.chance(0.85) {
		attributes["industry"] = pick(d, "fintech", "software", "design")
	}
	if d.chance(0.5) {
		attributes["revenue"] = pick(d, 2.0, 100.0)
	}
	if d.chance(0.2) {
		attributes["relationship"] = "competitor"
	}
	return &scoring.Profile{Attributes: attributes}
}
