package desk_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/modelfile"
	"tidemark/pkg/route"
)

// office is who works where and when, as the checks know it: by its own reckoning.
type office struct {
	plan    *route.Plan
	teams   map[string]*branch
	reps    map[string]*person
	working bool // the deadline counts working hours
	decided bool
}

type branch struct {
	zone     *time.Location
	from, to int // hours of the day, on weekdays
	holidays map[string]bool
	lead     string
	reps     []*person
}

type person struct {
	id     string
	home   *branch
	cap    int
	absent [][2]string
}

func newOffice(t *testing.T, fate *rand.Rand) *office {
	t.Helper()
	o := &office{teams: map[string]*branch{}, reps: map[string]*person{}, working: fate.IntN(2) == 0, decided: fate.IntN(2) == 0}
	var y strings.Builder
	pick := func(options ...string) string { return options[fate.IntN(len(options))] }
	hours, until := "wall", "acknowledged"
	if o.working {
		hours = "working"
	}
	if o.decided {
		until = "decided"
	}
	fmt.Fprintf(&y, "fallback: ops\nclock: {deadline: 24h, hours: %s, until: %s, remind_before: [8h, 1h], reassign: {after: %dh, times: %d}, at_breach: %s}\nteams:\n",
		hours, until, 2+fate.IntN(6), fate.IntN(4), pick("keep", "reassign", "fallback"))
	for _, team := range []struct{ id, zone string }{{"emea", "Europe/Berlin"}, {"us", "America/New_York"}, {"apac", "Asia/Tokyo"}} {
		zone, err := time.LoadLocation(team.zone)
		if err != nil {
			t.Fatal(err)
		}
		b := &branch{zone: zone, from: 8 + fate.IntN(2), to: 16 + fate.IntN(3), holidays: map[string]bool{}, lead: pick("ops", team.id+"-lead")}
		holiday := fmt.Sprintf("2026-10-%d", 20+fate.IntN(12))
		b.holidays[holiday] = true
		fmt.Fprintf(&y, "  - {id: %s, time_zone: %s, hours: {mon-fri: \"%02d:00-%02d:00\"}, holidays: [%q], lead: %s}\n", team.id, team.zone, b.from, b.to, holiday, b.lead)
		o.teams[team.id] = b
	}
	y.WriteString("reps:\n")
	for n := range 40 {
		team := pick("emea", "us", "apac")
		p := &person{id: fmt.Sprintf("rep%d", n), home: o.teams[team], cap: 2 + fate.IntN(4)}
		from := 20 + fate.IntN(10)
		absence := [2]string{fmt.Sprintf("2026-10-%d", from), fmt.Sprintf("2026-10-%d", from+fate.IntN(2))}
		text := ""
		if fate.IntN(3) == 0 {
			p.absent = append(p.absent, absence)
			text = fmt.Sprintf(", absences: [{from: %q, to: %q}]", absence[0], absence[1])
		}
		fmt.Fprintf(&y, "  - {id: %s, teams: [%s], weight: %d, cap: %d, known_as: [\"Rep No. %d\"]%s}\n", p.id, team, 1+fate.IntN(3), p.cap, n, text)
		o.reps[p.id] = p
		p.home.reps = append(p.home.reps, p)
	}
	y.WriteString(`rules:
  - {name: account owner, owner: owner}
  - {name: emea, when: 'territory == "EMEA"', team: emea}
  - {name: us, when: 'territory == "US" or territory == "CA" and score >= 60', team: us}
  - {name: apac, when: 'territory in ["JP", "AU"]', team: apac}
rejection: {reasons: [{name: not-now, snooze: 3d, unless_points: 12}, {name: wrong-fit, snooze: 90d}]}
`)
	var err error
	if o.plan, err = route.Parse("routing.yaml", []byte(y.String()), modelfile.Conditions()); err != nil {
		t.Fatal(err)
	}
	return o
}

// open reports whether a branch works at an instant.
func (b *branch) open(at int64) bool {
	t := time.UnixMilli(at).In(b.zone)
	return t.Weekday() >= time.Monday && t.Weekday() <= time.Friday && !b.holidays[t.Format(time.DateOnly)] && t.Hour() >= b.from && t.Hour() < b.to
}

func (b *branch) day(at int64) string { return time.UnixMilli(at).In(b.zone).Format(time.DateOnly) }

func (p *person) works(at int64) bool {
	for _, a := range p.absent {
		if day := p.home.day(at); a[0] <= day && day <= a[1] {
			return false
		}
	}
	return p.home.open(at)
}

// deadline is 24 h after an instant by the promise's clock, counted second by second
// where it begins and minute by minute behind that.
func (o *office) deadline(from int64, team string) int64 {
	b := o.teams[team]
	if !o.working || b == nil {
		return from + day
	}
	left, at := day, from
	for left > 0 {
		step := minute - at%minute
		if b.open(at) {
			step = min(step, left)
			left -= step
		}
		at += step
	}
	return at
}
