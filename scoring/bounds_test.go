package scoring_test

import (
	"fmt"
	"testing"

	"tidemark/scoring"
)

// The bounds of SPEC 3: the oldest goes first, and what goes is reported.

func TestIdentitiesAreBoundedByDay(t *testing.T) {
	t.Parallel()
	m := compile(t, plain())[0]
	var a scoring.Account
	m.Open(&a)
	forgotten := 0
	apply := func(id string, arrived int64) scoring.Effect {
		e := view(id, start, 1)
		e.Arrived = arrived
		out := m.Apply(&a, e, start)
		forgotten += out.Forgotten.Identities
		return out.Effect
	}
	for i := range 257 {
		apply(fmt.Sprint(i), start)
	}
	if forgotten != 1 {
		t.Errorf("%d identities forgotten of 257 in a day, want 1", forgotten)
	}
	for id, want := range map[string]scoring.Effect{"1": scoring.Duplicate, "256": scoring.Duplicate} {
		if got := apply(id, start+day); got != want {
			t.Errorf("event %s again the day after: effect %d, want %d", id, got, want)
		}
	}
	if got := apply("0", start+day); got != scoring.Counted {
		t.Errorf("the oldest identity was kept: effect %d", got)
	}
	if got := apply("256", start+2*day); got != scoring.Counted {
		t.Errorf("an identity was kept past the day after: effect %d", got)
	}
}

func TestOncePerWindowsAreBounded(t *testing.T) {
	t.Parallel()
	spec := plain()
	spec.Signals[0].OncePer, spec.Signals[0].HalfLife = day, scoring.Never
	m := compile(t, spec)[0]
	var a scoring.Account
	m.Open(&a)
	forgotten, n := 0, 0
	visit := func(who int) {
		n++
		e := view(fmt.Sprint(n), start+hour, 1)
		e.Contact = &scoring.Contact{ID: fmt.Sprint(who)}
		forgotten += m.Apply(&a, e, start).Forgotten.Marks
	}
	for who := range 257 {
		visit(who)
	}
	if forgotten != 1 {
		t.Errorf("%d windows forgotten of 257, want 1", forgotten)
	}
	intensity := func() float64 { return m.Receipt(&a, start+hour).Groups[0].Signals[0].Intensity }
	if visit(256); intensity() != 257 {
		t.Errorf("a remembered window counted twice: intensity %v", intensity())
	}
	if visit(0); intensity() != 258 {
		t.Errorf("the oldest window was remembered: intensity %v", intensity())
	}
}

func TestPeopleAreBounded(t *testing.T) {
	t.Parallel()
	m := compile(t, plain())[0]
	var a scoring.Account
	m.Open(&a)
	forgotten := 0
	for i := range 70 {
		e := view(fmt.Sprint(i), start+int64(i), 1)
		e.Contact = &scoring.Contact{ID: fmt.Sprint(i)}
		forgotten += m.Apply(&a, e, start).Forgotten.People
	}
	if people := m.Receipt(&a, start+hour).Committee.People; people != 64 || forgotten != 6 {
		t.Errorf("%d people kept and %d forgotten of 70, want 64 and 6", people, forgotten)
	}
}
