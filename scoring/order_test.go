package scoring_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"tidemark/scoring"
)

// TestScoreDoesNotDependOnArrival shuffles what arrives and inserts duplicates:
// the score is a function of the set. Signals with once_per are left out, as
// there the first to arrive counts, and holds, where releases follow arrival.
func TestScoreDoesNotDependOnArrival(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1500 / underRace) {
		d := newDice(2_000_000 + seed)
		model := d.withoutOncePer(t)
		events := d.set(model.Spec(), 3+d.IntN(90))
		want := d.scoreOf(model, events)
		for range 3 {
			again := append(events[:len(events):len(events)], events[d.IntN(len(events))], events[d.IntN(len(events))])
			d.Shuffle(len(again), func(i, k int) { again[i], again[k] = again[k], again[i] })
			got := d.scoreOf(model, again)
			if math.Abs(got.Score-want.Score) > 1e-9 || got.Committee.People != want.Committee.People ||
				fmt.Sprint(got.Committee.Roles) != fmt.Sprint(want.Committee.Roles) {
				t.Fatalf("seed %d: %s\nin another order %s", seed, describe(got), describe(want))
			}
		}
	}
}

func (d dice) withoutOncePer(t *testing.T) *scoring.Model {
	t.Helper()
	for {
		spec := d.spec()
		for i := range spec.Signals {
			spec.Signals[i].OncePer = 0
		}
		spec.Holds = nil
		if valid(t, spec) {
			return compile(t, spec)[0]
		}
	}
}

// set draws events of two weeks that all arrive on one day, many at one instant,
// and a profile.
func (d dice) set(spec scoring.Spec, n int) (events []*scoring.Event) {
	people := pick(d, 4, 100)
	for i := range n {
		e := d.event(spec, fmt.Sprint(i))
		e.Time = start + pick(d, 0, day, d.Int64N(14*day))
		e.Arrived = start + 14*day
		if e.Contact != nil && e.Contact.ID != "" {
			e.Contact.ID = fmt.Sprint("c", d.IntN(people))
		}
		events = append(events, e)
	}
	return append(events, &scoring.Event{Kind: scoring.KindProfile, ID: "p", Source: "/crm", Time: start, Arrived: start + 14*day, Profile: d.profile()})
}

func (d dice) scoreOf(model *scoring.Model, events []*scoring.Event) scoring.Receipt {
	var a scoring.Account
	model.Open(&a)
	for _, e := range events {
		model.Apply(&a, e, start)
	}
	return model.Receipt(&a, start+20*day)
}

// TestWatermarkTimingDoesNotMatter: where nothing is late, crossings are the same
// however far the watermark lags and however often time is advanced between.
func TestWatermarkTimingDoesNotMatter(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1500 / underRace) {
		d := newDice(3_000_000 + seed)
		model, _ := d.models(t)
		prompt, lagging := new(scoring.Account), new(scoring.Account)
		model.Open(prompt)
		model.Open(lagging)
		var got, want []scoring.Crossing
		now := start
		for i := range 3 + d.IntN(12) {
			e := d.event(model.Spec(), fmt.Sprint(i))
			for at := now; d.chance(0.5); {
				at += d.Int64N(2 * day)
				got = append(got, model.Advance(prompt, at).Crossings...)
				now = at
			}
			now += d.gap()
			e.Time, e.Arrived = now, now
			got = append(got, model.Apply(prompt, e, now).Crossings...)
			want = append(want, model.Apply(lagging, e, math.MinInt64).Crossings...)
		}
		now += 90 * day
		got, want = append(got, model.Advance(prompt, now).Crossings...), append(want, model.Advance(lagging, now).Crossings...)
		if describe(got) != describe(want) {
			t.Fatalf("seed %d: prompt %s, lagging %s", seed, crossings(got), crossings(want))
		}
	}
}

// TestPackingChangesNothing packs and unpacks between any two steps: outcomes and
// states stay the same to the bit, and an unchanged account packs to the same bytes.
func TestPackingChangesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1500 / underRace) {
		d := newDice(4_000_000 + seed)
		model, _ := d.models(t)
		kept, packed := new(scoring.Account), new(scoring.Account)
		model.Open(kept)
		model.Open(packed)
		for i, in := range d.history(model.Spec(), 4+d.IntN(20)) {
			before := model.Pack(nil, packed)
			want, got := model.Apply(kept, in.event, in.watermark), model.Apply(packed, in.event, in.watermark)
			if describe(bare(got)) != describe(bare(want)) {
				t.Fatalf("seed %d, input %d: packed %s, kept %s", seed, i, describe(got), describe(want))
			}
			if after := model.Pack(nil, packed); !got.Changed && !bytes.Equal(before, after) {
				t.Fatalf("seed %d, input %d: said to be unchanged, packs differently", seed, i)
			}
			packed = repack(t, model, packed)
			if a, b := model.Pack(nil, kept), model.Pack(nil, packed); !bytes.Equal(a, b) {
				t.Fatalf("seed %d, input %d: packs to %x, kept to %x", seed, i, b, a)
			}
		}
	}
}

// bare leaves the profile out: an empty one may come back as none.
func bare(out scoring.Outcome) scoring.Outcome {
	for i := range out.Crossings {
		out.Crossings[i].Profile = nil
	}
	return out
}

// repack sends an account through its stored form.
func repack(t testing.TB, m *scoring.Model, a *scoring.Account) *scoring.Account {
	t.Helper()
	b, err := m.Unpack(m.Pack(nil, a))
	if err != nil {
		t.Fatal(err)
	}
	if p, at := a.Profile(); p != nil {
		data, err := scoring.PackProfile(p, at)
		if err != nil {
			t.Fatal(err)
		}
		q, qt, err := scoring.UnpackProfile(data)
		if err != nil {
			t.Fatal(err)
		}
		b.SetProfile(q, qt)
	}
	m.Open(b)
	return b
}

// TestNextCrossingIsTheFirstInstant: a millisecond earlier nothing crosses, and at
// the instant exactly one crossing does.
func TestNextCrossingIsTheFirstInstant(t *testing.T) {
	t.Parallel()
	found := 0
	for seed := range uint64(2000 / underRace) {
		d := newDice(5_000_000 + seed)
		model, _ := d.models(t)
		a := new(scoring.Account)
		model.Open(a)
		for _, in := range d.history(model.Spec(), 4+d.IntN(9)) {
			model.Apply(a, in.event, in.watermark)
			at, ok := model.NextCrossing(a)
			if !ok {
				continue
			}
			found++
			b := repack(t, model, a)
			if out := model.Advance(b, at-1); len(out.Crossings) != 0 {
				t.Fatalf("seed %d: crossed at %s, next was to be at %s", seed, instant(out.Crossings[0].At), instant(at))
			}
			if out := model.Advance(b, at); len(out.Crossings) != 1 || out.Crossings[0].At != at {
				t.Fatalf("seed %d: advancing to the next crossing gave %s", seed, crossings(out.Crossings))
			}
		}
	}
	if found < 500/underRace {
		t.Errorf("only %d crossings were ahead: the histories are too tame", found)
	}
}
