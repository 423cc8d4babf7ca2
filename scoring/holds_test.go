package scoring_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"tidemark/scoring"
)

// holding is a valid spec of which clicks and views may be held.
func holding() scoring.Spec {
	s := plain()
	s.Signals = append(s.Signals,
		scoring.SignalSpec{Name: "click", Group: "web", Type: "web.click", Points: 10, HalfLife: 10 * day, IgnoreSeniority: true, OncePer: day},
		scoring.SignalSpec{Name: "talk", Group: "web", Type: "web.talk", Points: 1, HalfLife: 10 * day})
	s.Score.Max = ptr(1000)
	s.Holds = &scoring.HoldsSpec{
		ReleasedBy: scoring.ReleaseSpec{Signals: []string{"talk"}},
		Rules: []scoring.HoldRuleSpec{
			{Name: "scanner", Signals: []string{"click", "view"}, When: `properties.agent == "scanner"`},
			{Name: "burst", Signals: []string{"view", "click"}, Burst: &scoring.BurstSpec{Of: 3, Within: minute}},
		},
	}
	return s
}

func TestFaultsOfHolds(t *testing.T) {
	t.Parallel()
	rule := func(change func(*scoring.HoldRuleSpec)) func(*scoring.Spec) {
		return func(s *scoring.Spec) { change(&s.Holds.Rules[1]) }
	}
	rows := []struct {
		name       string
		change     func(*scoring.Spec)
		path, text string
	}{
		{"no rules", func(s *scoring.Spec) { s.Holds.Rules = nil }, "holds.rules", "0 rules"},
		{"too many rules", func(s *scoring.Spec) { s.Holds.Rules = make([]scoring.HoldRuleSpec, 65) }, "holds.rules", "65"},
		{"no name", rule(func(r *scoring.HoldRuleSpec) { r.Name = "" }), "holds.rules[1].name", "not empty"},
		{"name twice", rule(func(r *scoring.HoldRuleSpec) { r.Name = "scanner" }), "holds.rules[1].name", "unique"},
		{"no signals", rule(func(r *scoring.HoldRuleSpec) { r.Signals = nil }), "holds.rules[1].signals", "empty"},
		{"unknown signal", rule(func(r *scoring.HoldRuleSpec) { r.Signals[1] = "vue" }), "holds.rules[1].signals[1]", `"vue" is not declared`},
		{"neither", rule(func(r *scoring.HoldRuleSpec) { r.Burst = nil }), "holds.rules[1]", "give when"},
		{"both", rule(func(r *scoring.HoldRuleSpec) { r.When = "strength > 1" }), "holds.rules[1]", "both"},
		{"bad expression", rule(func(r *scoring.HoldRuleSpec) { r.Burst, r.When = nil, "title" }), "holds.rules[1].when", "title"},
		{"burst of one", rule(func(r *scoring.HoldRuleSpec) { r.Burst.Of = 1 }), "holds.rules[1].burst.of", "between 2 and 64"},
		{"burst of many", rule(func(r *scoring.HoldRuleSpec) { r.Burst.Of = 65 }), "holds.rules[1].burst.of", "65"},
		{"no span", rule(func(r *scoring.HoldRuleSpec) { r.Burst.Within = 0 }), "holds.rules[1].burst.within", "above 0"},
		{"long span", rule(func(r *scoring.HoldRuleSpec) { r.Burst.Within = day + 1 }), "holds.rules[1].burst.within", "at most 1d"},
		{"release by an unknown signal", func(s *scoring.Spec) { s.Holds.ReleasedBy.Signals[0] = "tall" }, "holds.released_by.signals[0]", "tall"},
		{"bad release", func(s *scoring.Spec) { s.Holds.ReleasedBy.When = "?" }, "holds.released_by.when", "?"},
	}
	if err := compileErr(holding()); err != nil {
		t.Fatalf("the spec that rows change is invalid: %v", err)
	}
	for _, row := range rows {
		spec := holding()
		row.change(&spec)
		var faults scoring.Faults
		if err := compileErr(spec); !errors.As(err, &faults) || faults[0].Path != row.path || !strings.Contains(faults[0].Text, row.text) {
			t.Errorf("%s: got %v, want %s: …%s…", row.name, faults, row.path, row.text)
		}
	}
}

func TestAdviceOfHolds(t *testing.T) {
	t.Parallel()
	spec := holding()
	spec.Holds.ReleasedBy.Signals = []string{"view"}
	advice := fmt.Sprint(compile(t, spec)[0].Advice())
	if want := "holds.rules[0].signals: view is also in holds.released_by"; !strings.Contains(advice, want) {
		t.Errorf("got %s, want …%s…", advice, want)
	}
	spec.Holds.ReleasedBy = scoring.ReleaseSpec{}
	advice = fmt.Sprint(compile(t, spec)[0].Advice())
	if want := "holds.released_by: is missing: nothing releases what is held"; !strings.Contains(advice, want) {
		t.Errorf("got %s, want …%s…", advice, want)
	}
}

// TestReadsWhatHoldsAskFor: an event is decoded as far as an expression of holds may look.
func TestReadsWhatHoldsAskFor(t *testing.T) {
	t.Parallel()
	m := compile(t, holding())[0]
	if properties, fields := m.Reads("web.click"); !properties || fields {
		t.Errorf("click: got %t %t, want the properties only", properties, fields)
	}
	if properties, fields := m.Reads("web.talk"); properties || fields {
		t.Errorf("talk: got %t %t, want nothing", properties, fields)
	}
	spec := holding()
	spec.Holds.ReleasedBy.When = `properties.scrolled == "yes"`
	if properties, _ := compile(t, spec)[0].Reads("web.talk"); !properties {
		t.Error("talk: what releases is not read")
	}
}

// TestHoldingDoesNotDependOnArrival: until a human shows, which events are held is a
// function of the set, so their order changes nothing while all are within memory.
func TestHoldingDoesNotDependOnArrival(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1500 / underRace) {
		d := newDice(8_000_000 + seed)
		spec := d.withoutOncePer(t).Spec()
		d.holds(&spec)
		if spec.Holds == nil {
			continue
		}
		spec.Holds.ReleasedBy = scoring.ReleaseSpec{}
		model := compile(t, spec)[0]
		events := d.set(spec, 3+d.IntN(60))
		for _, e := range events {
			// No burst's memory is left behind: all within a span of each rule.
			if e.Kind == scoring.KindEvent {
				e.Time = start + d.Int64N(shortest(spec))
			}
		}
		want := d.scoreOf(model, events)
		for range 3 {
			d.Shuffle(len(events), func(i, k int) { events[i], events[k] = events[k], events[i] })
			got := d.scoreOf(model, events)
			if err := sameReceipt(got, want); err != nil {
				t.Fatalf("seed %d: %v: %s\nin another order %s", seed, err, describe(got), describe(want))
			}
		}
	}
}

func shortest(spec scoring.Spec) int64 {
	span := day
	for _, r := range spec.Holds.Rules {
		if r.Burst != nil {
			span = min(span, r.Burst.Within)
		}
	}
	return span
}

func sameReceipt(got, want scoring.Receipt) error {
	if math.Abs(got.Score-want.Score) > 1e-6 || got.Committee.People != want.Committee.People ||
		fmt.Sprint(got.Committee.Roles) != fmt.Sprint(want.Committee.Roles) {
		return errors.New("another score or committee")
	}
	for i := range want.Groups {
		held := 0.0
		for _, s := range want.Groups[i].Signals {
			held += s.Held
		}
		for _, s := range got.Groups[i].Signals {
			held -= s.Held
		}
		if math.Abs(held) > 1e-6 {
			return fmt.Errorf("%v held apart", held)
		}
	}
	return nil
}

// TestOutcomeSaysWhatIsHeld: by rule, with the events that a burst takes back.
func TestOutcomeSaysWhatIsHeld(t *testing.T) {
	t.Parallel()
	m := compile(t, holding())[0]
	var a scoring.Account
	m.Open(&a)
	do := func(id, typ, agent string, at int64) scoring.Outcome {
		e := view(id, start+at, 1)
		e.Type, e.Contact, e.Properties = typ, &scoring.Contact{ID: "c1"}, scoring.Map{"agent": agent}
		return m.Apply(&a, e, start)
	}
	for i, step := range []struct {
		typ, agent, want string
		released         bool
	}{
		{"web.view", "", "[]", false},
		{"web.view", "scanner", "[1 0]", false},
		{"web.view", "", "[0 2]", false},
		{"web.talk", "", "[]", true},
		{"web.talk", "", "[]", false},
	} {
		out := do(fmt.Sprint(i), step.typ, step.agent, int64(i)*second)
		if fmt.Sprint(out.Held) != step.want || out.Released != step.released {
			t.Errorf("step %d: held %v, released %t, want %s, %t", i, out.Held, out.Released, step.want, step.released)
		}
	}
	if got := m.Score(&a, a.Clock); math.Abs(got-32) > 0.01 {
		t.Errorf("score %v after the release, want about 3 views and 2 talks", got)
	}
}

// TestHoldsAreBounded: of a flood of strangers, the latest are remembered.
func TestHoldsAreBounded(t *testing.T) {
	t.Parallel()
	m := compile(t, holding())[0]
	var a scoring.Account
	m.Open(&a)
	forgotten := 0
	for i := range 3000 {
		e := view(fmt.Sprint(i), start+int64(i)*minute/8, 1)
		e.Contact, e.Properties = &scoring.Contact{ID: fmt.Sprint("c", i/30%100)}, scoring.Map{"agent": "scanner"}
		if i%3 == 0 {
			e.Type = "web.click"
		}
		forgotten += m.Apply(&a, e, start).Forgotten.Held
	}
	if n := len(m.Pack(nil, &a)); n > 64*30+64*8*25+256*30+600*8 || forgotten < 30 {
		t.Errorf("the state has %d bytes, %d were forgotten", n, forgotten)
	}
	if got := m.Score(&a, a.Clock); got != 0 {
		t.Errorf("score %v, want 0", got)
	}
}

// TestHoldingAllocatesNothing: neither what is held nor what might become a burst.
func TestHoldingAllocatesNothing(t *testing.T) {
	m := compile(t, holding())[0]
	var a scoring.Account
	m.Open(&a)
	n, agent := 0, scoring.Map{"agent": "scanner"}
	human := scoring.Map{"agent": "browser"}
	e := view("", start, 1)
	e.Contact = &scoring.Contact{ID: "c1"}
	ids := make([]string, 4096)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	step := func() {
		n++
		e.ID, e.Properties = ids[n%len(ids)], human
		if n%2 == 0 {
			e.Properties = agent
		}
		e.Time += 7 * second
		e.Arrived = e.Time
		m.Apply(&a, e, start)
	}
	for range 2000 {
		step()
	}
	if got := testing.AllocsPerRun(500, step); got >= 1 {
		t.Errorf("%v allocations for each event, want none", got)
	}
}
