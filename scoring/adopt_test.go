package scoring_test

import (
	"testing"

	"tidemark/scoring"
)

func ptr(x float64) *float64 { return &x }

// plain is the smallest useful model: one signal, three tiers.
func plain() scoring.Spec {
	return scoring.Spec{
		Name: "plain", Version: 1,
		Groups:  []scoring.GroupSpec{{Name: "web"}},
		Signals: []scoring.SignalSpec{{Name: "view", Group: "web", Type: "web.view", Points: 10, HalfLife: 10 * day}},
		Tiers:   []scoring.TierSpec{{Name: "A", Min: ptr(85), MQA: true}, {Name: "B", Min: ptr(60)}, {Name: "C"}},
	}
}

// compile compiles specs over one dictionary, so that states can pass between them.
func compile(t testing.TB, specs ...scoring.Spec) []*scoring.Model {
	t.Helper()
	var names []string
	for i := range specs {
		names = append(names, specs[i].Names()...)
	}
	var models []*scoring.Model
	for _, s := range specs {
		m, err := scoring.Compile(s, "hash", miniConditions{}, scoring.NewNames(unique(names)))
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, m)
	}
	return models
}

func view(id string, at int64, strength float64) *scoring.Event {
	return &scoring.Event{ID: id, Source: "/web", Type: "web.view", Time: at, Arrived: at, Strength: strength}
}

// TestAdoptWritesNoHistory: a new model counts from the instant it takes effect;
// what it would have said before then is not published.
func TestAdoptWritesNoHistory(t *testing.T) {
	t.Parallel()
	strict, lenient := plain(), plain()
	strict.Tiers[0].Min = ptr(95)
	models := compile(t, strict, lenient)
	var a scoring.Account
	models[0].Open(&a)
	models[0].Apply(&a, view("1", start, 9), start) // 90: B
	adopted := start + 2*day                        // 78.4 by then
	models[0].Advance(&a, adopted)
	models[1].Open(&a)
	if out := models[1].Adopt(&a, models[0], adopted); len(out.Crossings) != 0 {
		t.Fatalf("adopting crossed: %s", crossings(out.Crossings))
	}
	out := models[1].Advance(&a, start+30*day)
	if len(out.Crossings) != 1 || out.Crossings[0].From != "B" || out.Crossings[0].To != "C" || out.Crossings[0].At < adopted {
		t.Errorf("crossings after adopting at %s: %s, want only B→C later", instant(adopted), crossings(out.Crossings))
	}
}

// TestAdoptAgreesWithTwin changes the model amid random histories.
func TestAdoptAgreesWithTwin(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1500 / underRace) {
		d := newDice(1_000_000 + seed)
		models, twins := d.family(t, 3)
		account, twin, present := new(scoring.Account), twins[0].Account(), models[0]
		present.Open(account)
		for i, in := range d.history(present.Spec(), 4+d.IntN(9)) {
			want := twin.Apply(in.event, in.watermark)
			got := present.Apply(account, in.event, in.watermark).Crossings
			if d.chance(0.3) {
				k, at := d.IntN(3), max(in.watermark, in.event.Time)+d.Int64N(3*day)
				want = append(want, twin.Adopt(twins[k], at)...)
				got = append(got, models[k].Adopt(account, present, at).Crossings...)
				present = models[k]
			}
			if err := compare(present, account, got, twin, want); err != nil {
				t.Errorf("seed %d, input %d (%s): %v", seed, i, describeEvent(in.event), err)
				break
			}
		}
	}
}

// TestAdoptChangesHalfLifeFromThenOn: the past keeps the half-life it had.
func TestAdoptChangesHalfLifeFromThenOn(t *testing.T) {
	t.Parallel()
	slow, fast := plain(), plain()
	fast.Signals[0].HalfLife = day
	models := compile(t, slow, fast)
	var a scoring.Account
	models[0].Open(&a)
	models[0].Apply(&a, view("1", start, 4), start)
	adopted := start + 10*day // half of 40 is left
	models[0].Advance(&a, adopted)
	models[1].Open(&a)
	models[1].Adopt(&a, models[0], adopted)
	if got := models[1].Score(&a, adopted); !near(got, 20) {
		t.Errorf("score when the model changes: %v, want 20", got)
	}
	if got := models[1].Score(&a, adopted+day); !near(got, 10) {
		t.Errorf("score a new half-life later: %v, want 10", got)
	}
}

// TestAdoptLeavesRemovedTier: the exit from a tier that is no more is published,
// so that each enter is matched by one exit.
func TestAdoptLeavesRemovedTier(t *testing.T) {
	t.Parallel()
	three, two := plain(), plain()
	two.Tiers = two.Tiers[1:]
	two.Tiers[0].Min = ptr(96)
	models := compile(t, three, two)
	var a scoring.Account
	models[0].Open(&a)
	models[0].Apply(&a, view("1", start, 9), start) // 90: A
	models[1].Open(&a)
	out := models[1].Adopt(&a, models[0], start+hour)
	if len(out.Crossings) != 1 || out.Crossings[0].From != "A" || out.Crossings[0].To != "C" || out.Crossings[0].Up {
		t.Errorf("crossings %s, want A→C down", crossings(out.Crossings))
	}
}

// TestPeopleKeptDoNotDependOnArrival: of many people at one instant, the same 64
// are remembered whoever arrived first.
func TestPeopleKeptDoNotDependOnArrival(t *testing.T) {
	t.Parallel()
	spec := plain()
	spec.Committee = &scoring.CommitteeSpec{Window: 30 * day, PointsPerRole: 10}
	m := compile(t, spec)[0]
	var events []*scoring.Event
	for i := range 80 {
		e := view(string(rune('A'+i)), start, 0)
		e.Contact = &scoring.Contact{ID: e.ID}
		if i < 5 {
			e.Contact.Role = e.ID
		}
		events = append(events, e)
	}
	scoreOf := func(order func(i int) int) float64 {
		var a scoring.Account
		m.Open(&a)
		for i := range events {
			m.Apply(&a, events[order(i)], start)
		}
		return m.Score(&a, start)
	}
	forwards, backwards := scoreOf(func(i int) int { return i }), scoreOf(func(i int) int { return 79 - i })
	if forwards != backwards {
		t.Errorf("score %v or %v, by order of arrival", forwards, backwards)
	}
}

func near(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 }
