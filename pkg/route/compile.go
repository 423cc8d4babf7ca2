package route

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"tidemark/pkg/config/yamltree"
)

// identifier is what owners, teams and reasons may be called. It leaves out the sign
// of e-mail addresses: ids go to Redis, logs and events.
var identifier = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// compiler turns a Spec into a Plan and notes every fault.
type compiler struct {
	spec  *Spec
	plan  *Plan
	fault func(path, format string, args ...any)
}

func compile(s *Spec, expressions Expressions, fault func(path, format string, args ...any)) *Plan {
	c := &compiler{s, &Plan{
		fallback: s.Fallback, clock: s.Clock, reasons: s.Rejection.Reasons,
		teams: map[string]*team{}, byID: map[string]*rep{}, byName: map[string]*rep{},
	}, fault}
	c.name("fallback", s.Fallback)
	c.promise()
	for i := range s.Teams {
		c.team(index("teams", i), &s.Teams[i])
	}
	for i := range s.Reps {
		c.rep(index("reps", i), &s.Reps[i])
	}
	for i := range s.Rules {
		c.rule(index("rules", i), &s.Rules[i], expressions)
	}
	seen := map[string]bool{}
	for i, r := range s.Rejection.Reasons {
		c.once(index("rejection.reasons", i)+".name", r.Name, seen)
		if r.Points < 0 {
			fault(index("rejection.reasons", i)+".unless_points", "%v is negative", r.Points)
		}
	}
	return c.plan
}

func (c *compiler) name(path, id string) {
	if !identifier.MatchString(id) {
		c.fault(path, "%q is not an id: letters, digits, . - and _, at most 64, a letter or digit first; no e-mail address", id)
	}
}

func (c *compiler) once(path, id string, seen map[string]bool) {
	c.name(path, id)
	if seen[id] {
		c.fault(path, "%q is here twice", id)
	}
	seen[id] = true
}

func (c *compiler) promise() {
	s := c.spec.Clock
	if s.Deadline <= 0 {
		c.fault("clock.deadline", "must be longer than nothing")
	}
	for i, before := range s.Remind {
		if before <= 0 || before >= s.Deadline {
			c.fault(index("clock.remind_before", i), "%s is not between nothing and the deadline of %s",
				yamltree.FormatDuration(before), yamltree.FormatDuration(s.Deadline))
		}
	}
	if s.Reassign.Times < 0 || s.Reassign.Times > 0 && s.Reassign.After <= 0 {
		c.fault("clock.reassign", "%d times after %s: times must not be negative, and after longer than nothing",
			s.Reassign.Times, yamltree.FormatDuration(s.Reassign.After))
	}
	switch s.AtBreach {
	case breachKeep, breachReassign, breachFallback:
	default:
		c.fault("clock.at_breach", "%q is not one of keep, reassign, fallback", s.AtBreach)
	}
}

func (c *compiler) team(path string, s *TeamSpec) {
	c.name(path+".id", s.ID)
	if c.plan.teams[s.ID] != nil {
		c.fault(path+".id", "team %q is here twice", s.ID)
		return
	}
	t := &team{id: s.ID, lead: s.Lead, calendar: calendar{always: len(s.Hours) == 0, holidays: map[string]bool{}}}
	c.plan.teams[s.ID] = t
	if s.Lead != "" {
		c.name(path+".lead", s.Lead)
	}
	var err error
	if t.calendar.zone, err = time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "" || s.TimeZone == "Local" {
		c.fault(path+".time_zone", "%q is not a time zone such as Europe/Berlin", s.TimeZone)
		t.calendar.zone = time.UTC
	}
	for _, h := range s.Hours {
		c.hours(path+".hours."+h.Days, h, &t.calendar)
	}
	for i, day := range s.Holidays {
		c.date(index(path+".holidays", i), day)
		t.calendar.holidays[day] = true
	}
}

func (c *compiler) hours(path string, h HoursSpec, to *calendar) {
	days, err := parseDays(h.Days)
	if err != nil {
		c.fault(path, "%s", err)
	}
	spans, err := parseHours(h.Hours)
	if err != nil {
		c.fault(path, "%s", err)
	}
	for _, d := range days {
		if to.hours[d] != nil {
			c.fault(path, "%s has hours already", weekdays[d])
		}
		to.hours[d] = spans
	}
}

func (c *compiler) date(path, text string) {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		c.fault(path, "%q is not a date such as 2026-12-25", text)
	}
}

func (c *compiler) rep(path string, s *RepSpec) {
	c.name(path+".id", s.ID)
	r := &rep{id: s.ID, weight: s.Weight, cap: s.Cap, ordinal: len(c.plan.reps)}
	if s.Weight < 1 || s.Weight > 1000 {
		c.fault(path+".weight", "%d is not between 1 and 1000", s.Weight)
	}
	if s.Cap < 0 {
		c.fault(path+".cap", "%d is negative; 0 is no cap", s.Cap)
	}
	for i, id := range s.Teams {
		t := c.plan.teams[id]
		if t == nil {
			c.fault(index(path+".teams", i), "there is no team %q%s", id, c.nearTeam(id))
			continue
		}
		t.reps = append(t.reps, r)
		if r.home == nil {
			r.home = t
		}
	}
	if len(s.Teams) == 0 {
		c.fault(path+".teams", "at least one team is needed")
	}
	for i, a := range s.Absences {
		at := index(path+".absences", i)
		c.date(at+".from", a.From)
		c.date(at+".to", a.To)
		if a.To < a.From {
			c.fault(at, "ends on %s, before it begins on %s", a.To, a.From)
		}
		r.absent = append(r.absent, days{a.From, a.To})
	}
	if c.plan.byID[s.ID] != nil {
		c.fault(path+".id", "rep %q is here twice", s.ID)
		return
	}
	c.plan.reps = append(c.plan.reps, r)
	c.plan.byID[s.ID] = r
	for i, name := range append([]string{s.ID}, s.KnownAs...) {
		key := known(name)
		if other := c.plan.byName[key]; other != nil && other != r {
			c.fault(index(path+".known_as", i-1), "%q is rep %q already", name, other.id)
		}
		c.plan.byName[key] = r
	}
}

// known is how names of owners are compared.
func known(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

func (c *compiler) rule(path string, s *RuleSpec, expressions Expressions) {
	out := rule{name: s.Name, owner: s.Owner}
	targets := 0
	for _, target := range []string{s.Owner, s.Team, s.Rep} {
		if target != "" {
			targets++
		}
	}
	if targets != 1 {
		c.fault(path, "needs one of owner, team and rep, has %d", targets)
	}
	if s.Team != "" {
		if out.team = c.plan.teams[s.Team]; out.team == nil {
			c.fault(path+".team", "there is no team %q%s", s.Team, c.nearTeam(s.Team))
		} else if len(out.team.reps) == 0 {
			c.fault(path+".team", "nobody is in team %q", s.Team)
		}
	}
	if s.Rep != "" {
		if out.rep = c.plan.byID[s.Rep]; out.rep == nil {
			c.fault(path+".rep", "there is no rep %q", s.Rep)
		}
	}
	if s.When != "" {
		var err error
		if out.holds, err = expressions.Profile(s.When); err != nil {
			c.fault(path+".when", "%q: %s", s.When, err)
		}
	}
	c.plan.rules = append(c.plan.rules, out)
}

func (c *compiler) nearTeam(id string) string {
	var names []string
	for _, t := range c.spec.Teams {
		names = append(names, t.ID)
	}
	return yamltree.Suggest(id, names)
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
