package scoring_test

import (
	"fmt"
	"strings"
	"testing"

	"tidemark/scoring"
)

const (
	forgetAfter = 30 * scoring.Day
	morning     = int64(20_000) * scoring.Day
)

// forgetful is a model whose score only an event raises: nothing decays.
func forgetful(t *testing.T) *scoring.Model {
	t.Helper()
	a, b := 50.0, 15.0
	m := compile(t, scoring.Spec{
		Name: "forgetful", Version: 1,
		Fit:     scoring.FitSpec{Rules: []scoring.FitRuleSpec{{Name: "large", When: "size > 100", Points: 20}}},
		Groups:  []scoring.GroupSpec{{Name: "g"}},
		Signals: []scoring.SignalSpec{{Name: "s", Group: "g", Type: "s", Points: 60, HalfLife: scoring.Never}},
		Tiers:   []scoring.TierSpec{{Name: "A", Min: &a, MQA: true}, {Name: "B", Min: &b}, {Name: "C"}},
	})[0]
	m.ForgetAfter(forgetAfter)
	return m
}

func happens(id string, at int64) *scoring.Event {
	return &scoring.Event{ID: id, Source: "t", Type: "s", Time: at, Arrived: at, Account: "a", Strength: 1, Contact: &scoring.Contact{ID: "c"}}
}

func large(at int64) *scoring.Event {
	return &scoring.Event{
		Kind: scoring.KindProfile, ID: fmt.Sprint(at), Source: "crm", Type: "account.profile", Time: at, Arrived: at, Account: "a",
		Profile: &scoring.Profile{Attributes: map[string]any{"size": 200.0}},
	}
}

// story writes crossings for comparison, instants in days from the morning.
func story(outs ...scoring.Outcome) string {
	var parts []string
	for _, o := range outs {
		for _, c := range o.Crossings {
			parts = append(parts, fmt.Sprintf("%d:%s>%s@%g/%s", c.Seq, c.From, c.To, float64(c.At-morning)/float64(scoring.Day), c.Cause.Kind))
		}
	}
	return strings.Join(parts, " ")
}

func open(m *scoring.Model) *scoring.Account {
	a := &scoring.Account{}
	m.Open(a)
	return a
}

func TestAnIdleAccountIsForgotten(t *testing.T) {
	t.Parallel()
	m := forgetful(t)
	a := open(m)
	up := m.Apply(a, happens("1", morning), morning)
	due, ok := m.Due(a)
	if !ok || due != morning+forgetAfter || m.Rests(a, due) || !m.Rests(a, due-1) {
		t.Errorf("got due %d (%v), want %d", due, ok, morning+forgetAfter)
	}
	if out := m.Advance(a, due-1); out.Changed {
		t.Errorf("got %+v a millisecond before", out)
	}
	down := m.Advance(a, due+scoring.Day) // however late
	if got, want := story(up, down), "1:C>A@0/event 2:A>C@30/erasure"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if a.Begun || a.Known() || a.Seq != 2 || down.Forgotten.Accounts != 1 {
		t.Errorf("got %+v, want nothing but the seq", a)
	}
	if _, ok := m.Due(a); ok {
		t.Error("it is due again")
	}
	if got, want := story(m.Apply(a, happens("1", due+scoring.Day), due)), "3:C>A@31/event"; got != want {
		t.Errorf("got %s, want the account to begin again: %s", got, want)
	}
}

// What an account is does not depend on when anybody looks.
func TestAnInputFindsAnIdleAccountForgotten(t *testing.T) {
	t.Parallel()
	m := forgetful(t)
	for name, row := range map[string]struct {
		next *scoring.Event
		want string
	}{
		"in time":    {happens("2", morning+forgetAfter-1), "1:C>A@0/event"},
		"too late":   {happens("2", morning+forgetAfter), "1:C>A@0/event 2:A>C@30/erasure 3:C>A@30/event"},
		"an erasure": {&scoring.Event{Kind: scoring.KindErasure, ID: "e", Source: "t", Time: morning + forgetAfter, Order: &scoring.Order{Erased: []string{"c"}}}, "1:C>A@0/event 2:A>C@30/erasure"},
		"a profile":  {large(morning + forgetAfter), "1:C>A@0/event 2:A>C@30/erasure 3:C>B@30/profile"},
		"the end":    {&scoring.Event{Kind: scoring.KindTombstone, Time: morning + forgetAfter}, "1:C>A@0/event 2:A>C@30/erasure"},
		"of no use":  {&scoring.Event{ID: "x", Source: "t", Type: "other", Time: morning + forgetAfter}, "1:C>A@0/event"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, watermark := range []int64{morning, row.next.Time} {
				a := open(m)
				if watermark > morning && name == "of no use" {
					continue // then time alone has forgotten it
				}
				got := story(m.Apply(a, happens("1", morning), morning), m.Apply(a, row.next, watermark))
				if got != row.want {
					t.Errorf("watermark %d: got %s, want %s", watermark, got, row.want)
				}
			}
		})
	}
}

// A profile stays, and with it what it earns: the tier follows from what is left.
func TestAProfileOutlivesItsAccountsActivity(t *testing.T) {
	t.Parallel()
	m := forgetful(t)
	a := open(m)
	got := story(m.Apply(a, large(morning), morning), m.Apply(a, happens("1", morning), morning), m.Advance(a, morning+forgetAfter))
	if want := "1:C>B@0/profile 2:B>A@0/event 3:A>B@30/erasure"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if p, _ := a.Profile(); p == nil || !a.Begun || m.Tier(a) != "B" {
		t.Errorf("got %+v in %s, want the profile in B", a, m.Tier(a))
	}
	if _, ok := m.Due(a); ok {
		t.Error("it is due again, though nothing is left to forget")
	}
	if r := m.Receipt(a, a.Clock); r.Committee.People != 0 {
		t.Errorf("got people %+v", r.Committee)
	}
}

// Crossings and new models move the clock, and keep nobody from being forgotten.
func TestANewModelKeepsNobodyFromBeingForgotten(t *testing.T) {
	t.Parallel()
	m := forgetful(t)
	a := open(m)
	m.Apply(a, happens("1", morning), morning)
	m.Adopt(a, m, morning+20*scoring.Day)
	if due, ok := m.Due(a); !ok || due != morning+forgetAfter+scoring.Day { // the end of the day of its last input
		t.Errorf("got due on day %g, want 31", float64(due-morning)/float64(scoring.Day))
	}
	m.Adopt(a, m, morning+40*scoring.Day)
	if a.Begun {
		t.Error("the account is still there")
	}
}

func TestWithoutASettingNobodyIsForgotten(t *testing.T) {
	t.Parallel()
	m := forgetful(t)
	m.ForgetAfter(0)
	a := open(m)
	m.Apply(a, happens("1", morning), morning)
	if out := m.Advance(a, morning+1000*forgetAfter); out.Changed || !a.Begun {
		t.Errorf("got %+v", out)
	}
}
