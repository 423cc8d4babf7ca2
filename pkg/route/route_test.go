package route_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tidemark/pkg/modelfile"
	"tidemark/pkg/route"
)

const base = `
fallback: ops
clock: {deadline: 24h, remind_before: [1h], reassign: {after: 6h, times: 1}}
teams:
  - {id: emea, time_zone: Europe/Berlin, lead: lea}
  - {id: us, time_zone: America/New_York}
reps:
  - {id: ana, teams: [emea], weight: 2, cap: 2, known_as: ["Ana A."]}
  - {id: bo, teams: [emea], cap: 2}
  - {id: cy, teams: [us], cap: 1}
rules:
  - {name: owner, owner: owner}
  - {name: emea, when: 'territory == "EMEA"', team: emea}
  - {name: us, when: 'territory == "US" and score >= 60', team: us}
rejection: {reasons: [{name: not-now, snooze: 3d, unless_points: 10}, {name: no}]}
`

func plan(t *testing.T, text string) *route.Plan {
	t.Helper()
	p, err := route.Parse("routing.yaml", []byte(text), modelfile.Conditions())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	hour = int64(3_600_000)
	day  = 24 * hour
	noon = 1_792_497_600_000 // 2026-10-20T12:00:00Z, a Tuesday
)

func entered(account string, score float64, profile map[string]any) *route.Change {
	return &route.Change{Account: account, Seq: 1, At: noon, To: "A", MQA: true, Stays: true, Score: score, Signal: "demo", Model: route.ModelRef{Name: "m", Version: 2}, Profile: profile}
}

var emea = map[string]any{"territory": "EMEA"}

// told are the events of a step, in few words.
func told(s *route.Step) string {
	var out []string
	for i := range s.Events {
		e := &s.Events[i]
		text := fmt.Sprintf("%s %s %s", e.ID(), e.Step, e.MQA.Owner)
		if e.Place > 0 {
			text += fmt.Sprintf(" place %d", e.Place)
		}
		if e.Reason != "" {
			text += " (" + e.Reason + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func want(t *testing.T, s *route.Step, text string) {
	t.Helper()
	if got := told(s); got != text {
		t.Errorf("got  %s\nwant %s", got, text)
	}
}

func TestFaultsHaveLineAndPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", "fallback: ops", "fallback: ops\nowner: x", "routing.yaml:3:1: owner: unknown key"},
		{"address", "fallback: ops", "fallback: ops@x.example", "2:11: fallback: "},
		{"zone", "Europe/Berlin", "Europe/Berlinn", "teams[0].time_zone: "},
		{"team", "teams: [us]", "teams: [uss]", `reps[2].teams[0]: there is no team "uss", did you mean "us"?`},
		{"expression", `territory == "EMEA"`, `territory ==`, "rules[1].when: "},
		{"two targets", "owner: owner}", "owner: owner, team: us}", "rules[0]: needs one of owner, team and rep, has 2"},
		{"reminder", "[1h]", "[25h]", "clock.remind_before[0]: 1d1h is not between nothing and the deadline of 1d"},
		{"weight", "weight: 2", "weight: 0", "reps[0].weight: 0 is not between 1 and 1000"},
		{"name twice", "cap: 1}", "cap: 1, known_as: [ana a.]}", `reps[2].known_as[0]: "ana a." is rep "ana" already`},
		{"hours", "lead: lea", `lead: lea, hours: {mon-fri: "17:00-09:00"}`, "teams[0].hours.mon-fri: "},
		{"days", "lead: lea", `lead: lea, hours: {monday: "09:00-17:00"}`, `teams[0].hours.monday: "monday" is neither`},
		{"absence", "cap: 1}", `cap: 1, absences: [{from: "2026-02-30", to: "2026-01-01"}]}`, `reps[2].absences[0].from: "2026-02-30" is not a date`},
		{"duration", "24h", "a day", "clock.deadline: "},
		{"at breach", "deadline: 24h", "deadline: 24h, at_breach: cry", `clock.at_breach: "cry" is not one of`},
		{"reason twice", "name: no}", "name: not-now}", `rejection.reasons[1].name: "not-now" is here twice`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := route.Parse("routing.yaml", []byte(strings.Replace(base, c.old, c.new, 1)), modelfile.Conditions())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestOwnersAndTurns(t *testing.T) {
	t.Parallel()
	p, d := plan(t, base), route.NewDesk()
	want(t, p.Change(d, nil, entered("a", 50, map[string]any{"owner": " ana a. ", "territory": "US"}), noon), "a/1/1 opened ana")
	want(t, p.Change(d, nil, entered("b", 50, map[string]any{"owner": "nobody", "territory": "EMEA"}), noon), "b/1/1 opened bo")
	want(t, p.Change(d, nil, entered("c", 50, map[string]any{"territory": "US"}), noon), "c/1/1 opened ops") // score below 60: no rule
	want(t, p.Change(d, nil, entered("d", 60, map[string]any{"territory": "US"}), noon), "d/1/1 opened cy")
	want(t, p.Change(d, nil, entered("d", 60, map[string]any{"territory": "US"}), noon), "") // a repeat
}

func TestQueueIsServedBestFirst(t *testing.T) {
	t.Parallel()
	p, d := plan(t, base), route.NewDesk()
	var opened []string
	for n, score := range []float64{50, 51, 52, 53, 60, 70, 65} {
		s := p.Change(d, nil, entered(fmt.Sprintf("a%d", n), score, emea), noon)
		opened = append(opened, told(s))
	}
	if got, want := opened[4:], []string{"a4/1/1 opened lea place 1", "a5/1/1 opened lea place 1", "a6/1/1 opened lea place 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	const midnight = noon + 10*hour // in Berlin
	want(t, p.Tick(d, midnight-1), "")
	s := p.Tick(d, midnight)
	if got := told(s); !strings.HasPrefix(got, "a5/1/2 reassigned ") || !strings.Contains(got, "; a6/1/2 reassigned ") || !strings.Contains(got, "; a4/1/2 reassigned ") {
		t.Errorf("got %s", got)
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	p, d := plan(t, base), route.NewDesk()
	want(t, p.Change(d, nil, entered("a", 50, emea), noon), "a/1/1 opened ana")
	want(t, p.Tick(d, noon+6*hour-1), "")
	want(t, p.Tick(d, noon+6*hour), "a/1/2 reassigned bo (unacknowledged)")
	want(t, p.Tick(d, noon+12*hour), "") // once
	want(t, p.Tick(d, noon+23*hour), "a/1/3 reminded bo")
	want(t, p.Tick(d, noon+day), "a/1/4 breached bo")
	want(t, p.Tick(d, noon+9*day), "")
	s, m, err := p.Command(d, route.Command{Verb: route.Reject, Account: "a", Reason: "not-now", By: "bo"}, noon+9*day)
	if err != nil || m.State != route.Rejected {
		t.Fatal(m, err)
	}
	want(t, s, "a/1/5 rejected bo (not-now)")
	s = p.Change(d, nil, &route.Change{Account: "a", Seq: 2, At: noon + 9*day, To: "C"}, noon+9*day)
	want(t, s, "a/1/6 closed bo (left the tier)")
	past := s.Past["a"]
	if past == nil || past.Last != 2 || past.Until != noon+12*day || past.Above != 60 {
		t.Fatalf("got %+v", past)
	}
	again := func(score float64, at int64) (*route.Desk, *route.Step) {
		d := route.NewDesk()
		c := entered("a", score, emea)
		c.Seq, c.At = 3, at
		return d, p.Change(d, past, c, at)
	}
	_, s = again(60, noon+10*day) // enough new evidence
	want(t, s, "a/3/1 opened ana")
	_, s = again(50, noon+12*day) // the snooze is over
	want(t, s, "a/3/1 opened ana")
	held, s := again(59, noon+10*day)
	want(t, s, "")
	want(t, p.Tick(held, noon+12*day), "a/3/1 opened ana")
	if got := d.Tally.Precisions(); len(got) != 1 || got[0].RejectedShare() != 1 || got[0].Model != "m v2" || got[0].Signal != "demo" {
		t.Errorf("got %+v", got)
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	t.Parallel()
	p, d := plan(t, base), route.NewDesk()
	p.Change(d, nil, entered("a", 70, map[string]any{"territory": "US"}), noon)
	for _, c := range []struct {
		c    route.Command
		want string
	}{
		{route.Command{Verb: route.Ack, Account: "z"}, "no such MQA"},
		{route.Command{Verb: route.Ack, Account: "a", Seq: 2}, "no such MQA"},
		{route.Command{Verb: route.Ack, Account: "a", By: "cy@x.example"}, "not an id"},
		{route.Command{Verb: route.Reject, Account: "a"}, "not one of not-now, no"},
		{route.Command{Verb: route.ReassignVerb, Account: "a"}, "nobody else is free"},
		{route.Command{Verb: route.ReassignVerb, Account: "a", To: "dan"}, "no rep"},
		{route.Command{Verb: "steal", Account: "a"}, "not one of"},
	} {
		if s, _, err := p.Command(d, c.c, noon); err == nil || !strings.Contains(err.Error(), c.want) || !s.Empty() {
			t.Errorf("%+v: got %v and %s, want %q", c.c, err, told(s), c.want)
		}
	}
}

// A command that comes late finds the breach told, by itself if nobody else did.
func TestCommandFirstDoesWhatIsDue(t *testing.T) {
	t.Parallel()
	p, d := plan(t, strings.Replace(base, ", reassign: {after: 6h, times: 1}", "", 1)), route.NewDesk()
	p.Change(d, nil, entered("a", 50, emea), noon)
	s, _, err := p.Command(d, route.Command{Verb: route.Ack, Account: "a"}, noon+2*day)
	if err != nil {
		t.Fatal(err)
	}
	want(t, s, "a/1/2 breached ana; a/1/3 acknowledged ana")
}

// Under another plan, what waits is placed anew, and so is what a rep had who is gone.
func TestAdopt(t *testing.T) {
	t.Parallel()
	d := route.NewDesk()
	first := plan(t, base)
	want(t, first.Adopt(d, noon), "")
	for n := range 5 {
		first.Change(d, nil, entered(fmt.Sprintf("a%d", n), 50-float64(n), emea), noon)
	}
	second := plan(t, strings.Replace(strings.ReplaceAll(base, "id: ana", "id: zoe"), "cap: 2, known_as", "cap: 9, known_as", 1))
	s := second.Adopt(d, noon+hour)
	got := told(s)
	for _, part := range []string{"a0/1/2 reassigned zoe (new plan)", "a4/1/2 reassigned zoe (new plan)"} {
		if !strings.Contains(got, part) {
			t.Errorf("got %s, want %s", got, part)
		}
	}
	if strings.Contains(got, "bo ") || len(s.Events) != 3 {
		t.Errorf("got %s", got)
	}
	want(t, second.Adopt(d, noon+2*hour), "")
}

// What people write goes into events, so it is short and names nobody by address.
func TestReasonsAreNoPlaceForPeople(t *testing.T) {
	t.Parallel()
	p, d := plan(t, base), route.NewDesk()
	p.Change(d, nil, entered("a", 50, emea), noon)
	for _, reason := range []string{"ask dana@acme.example", strings.Repeat("x", 201)} {
		_, _, err := p.Command(d, route.Command{Verb: route.Ack, Account: "a", Reason: reason}, noon)
		if !errors.Is(err, route.ErrCommand) || strings.Contains(err.Error(), reason) {
			t.Errorf("%.30s: got %v", reason, err)
		}
	}
}
