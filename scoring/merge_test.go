package scoring_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"tidemark/scoring"
	"tidemark/scoring/naive"
)

// merge puts the account from into the account to, by an account.merged at an instant.
func merge(m *scoring.Model, from, to *scoring.Account, at, watermark int64) (lost, won []scoring.Crossing) {
	e := &scoring.Event{Kind: scoring.KindMerge, ID: "m", Source: "/crm", Type: "account.merged", Time: at, Account: "from", Order: &scoring.Order{Into: "to"}}
	lost = m.Merge(from, scoring.Merging{From: "from", Into: "to", Event: e, Watermark: watermark}).Crossings
	if s := from.Estate(); s != nil {
		won = m.Absorb(to, s).Crossings
		from.Settle()
	}
	return lost, won
}

// TestTwinAgreesOnMerges splits random histories between two accounts, merges them
// somewhere on the way and goes on with the heir.
func TestTwinAgreesOnMerges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000 * soak(t) / underRace) {
		if checkMerge(t, seed); t.Failed() {
			return
		}
	}
}

func checkMerge(t *testing.T, seed uint64) {
	t.Helper()
	d := newDice(seed)
	model, twinModel := d.models(t)
	if model.Spec().Holds != nil {
		return // a merge forgets bursts under way
	}
	from, to := new(scoring.Account), new(scoring.Account)
	model.Open(from)
	model.Open(to)
	twinFrom, twinTo := twinModel.Account(), twinModel.Account()
	history := d.history(model.Spec(), 4+d.IntN(12))
	merged, end := d.IntN(len(history)), start
	for i, in := range history {
		end = max(end, in.event.Time, in.watermark)
		if i == merged {
			e := &scoring.Event{Kind: scoring.KindMerge, ID: "m", Source: "/crm", Time: in.event.Time - d.Int64N(2*day)}
			lost := model.Merge(from, scoring.Merging{From: "from", Into: "to", Event: e, Watermark: in.watermark}).Crossings
			var won []scoring.Crossing
			if s := restored(t, model, from).Estate(); s != nil {
				won = model.Absorb(to, s).Crossings
				if again := model.Absorb(to, s); again.Changed {
					t.Errorf("seed %d: an estate was taken twice", seed)
				}
			}
			if n := len(lost); n > 0 && from.Seq != lost[n-1].Seq {
				t.Errorf("seed %d: the loser is left with seq %d after %s", seed, from.Seq, crossings(lost))
			}
			wantLost, wantWon := twinFrom.Merge(twinTo, e, in.watermark)
			if err := errors.Join(sameCrossings(lost, wantLost), compare(model, to, won, twinTo, wantWon)); err != nil {
				t.Errorf("seed %d, merge before input %d of %d: %v", seed, i, len(history), err)
				return
			}
		}
		account, twin := to, twinTo
		if i < merged && i%2 == 0 {
			account, twin = from, twinFrom
		}
		want := twin.Apply(in.event, in.watermark)
		got := model.Apply(account, in.event, in.watermark).Crossings
		if err := compare(model, account, got, twin, want); err != nil {
			t.Errorf("seed %d, input %d of %d, merged before %d (%s): %v", seed, i, len(history), merged, describeEvent(in.event), err)
			return
		}
	}
	end += d.Int64N(120 * day)
	want, got := twinTo.Advance(end), model.Advance(to, end).Crossings
	if err := compare(model, to, got, twinTo, want); err != nil {
		t.Errorf("seed %d, until %s: %v", seed, instant(end), err)
	}
}

// restored is the account after a stay in the store.
func restored(t *testing.T, m *scoring.Model, a *scoring.Account) *scoring.Account {
	t.Helper()
	packed := m.Pack(nil, a)
	b, err := m.Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	if again := m.Pack(nil, b); !bytes.Equal(again, packed) {
		t.Fatalf("packs to %x, then to %x", packed, again)
	}
	m.Open(b)
	return b
}

func sameCrossings(got []scoring.Crossing, want []naive.Crossing) error {
	if len(got) != len(want) {
		return fmt.Errorf("crossings %s, want %s", crossings(got), twinCrossings(want))
	}
	var errs []error
	for i := range got {
		errs = append(errs, compareCrossing(got[i], want[i]))
	}
	return errors.Join(errs...)
}

// What is held of a person in the loser is released by a human action in the heir.
func TestWhatIsHeldGoesAlong(t *testing.T) {
	t.Parallel()
	m := compile(t, scoring.Spec{
		Name: "held", Version: 1,
		Groups: []scoring.GroupSpec{{Name: "g"}},
		Signals: []scoring.SignalSpec{
			{Name: "click", Group: "g", Type: "click", Points: 10, HalfLife: scoring.Never},
			{Name: "demo", Group: "g", Type: "demo", Points: 1, HalfLife: scoring.Never},
		},
		Holds: &scoring.HoldsSpec{
			ReleasedBy: scoring.ReleaseSpec{Signals: []string{"demo"}},
			Rules:      []scoring.HoldRuleSpec{{Name: "burst", Signals: []string{"click"}, Burst: &scoring.BurstSpec{Of: 2, Within: hour}}},
		},
		Tiers: []scoring.TierSpec{{Name: "all"}},
	})[0]
	from, to := new(scoring.Account), new(scoring.Account)
	m.Open(from)
	m.Open(to)
	do := func(a *scoring.Account, id, typ string, at int64) {
		m.Apply(a, &scoring.Event{ID: id, Source: "t", Type: typ, Time: at, Arrived: at, Strength: 1, Contact: &scoring.Contact{ID: "c"}}, never)
	}
	do(from, "1", "click", start)
	do(from, "2", "click", start)
	merge(m, from, to, start+hour, never)
	if got := m.Score(to, start+hour); got != 0 {
		t.Errorf("got %v with all held, want 0", got)
	}
	do(to, "3", "demo", start+2*hour)
	if got := m.Score(to, start+2*hour); got != 21 {
		t.Errorf("got %v after the release, want 21", got)
	}
}

// Two halves of one history, merged, score as the account that had the whole: what
// is kept of events are sums.
func TestMergedHalvesScoreAsTheWhole(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		d := newDice(seed)
		spec := d.spec()
		spec.Holds = nil
		for i := range spec.Signals {
			spec.Signals[i].OncePer = 0 // which of two events counts depends on the account
		}
		if !valid(t, spec) {
			continue
		}
		m := compile(t, spec)[0]
		halves, whole := [2]*scoring.Account{{}, {}}, new(scoring.Account)
		for _, a := range []*scoring.Account{halves[0], halves[1], whole} {
			m.Open(a)
		}
		end := start
		for i := range 30 {
			e := d.event(spec, fmt.Sprint("e", i))
			e.Time = start + d.Int64N(40*day)
			e.Arrived = e.Time
			m.Apply(halves[d.IntN(2)], e, never)
			m.Apply(whole, e, never)
			end = max(end, e.Time)
		}
		merge(m, halves[0], halves[1], end, never)
		for _, at := range []int64{end, end + hour, end + 9*day} {
			if got, want := m.Score(halves[1], at), m.Score(whole, at); math.Abs(got-want) > 1e-9 {
				t.Fatalf("seed %d at %s: score %v, want %v", seed, instant(at), got, want)
			}
			got, want := m.Receipt(halves[1], at), m.Receipt(whole, at)
			if got.Committee.People != want.Committee.People || !slices.Equal(got.Committee.Roles, want.Committee.Roles) || len(got.Surges) != len(want.Surges) {
				t.Fatalf("seed %d at %s: receipt %s, want %s", seed, instant(at), describe(got), describe(want))
			}
		}
	}
}

// never is a low watermark before everything.
const never = math.MinInt64

func TestAMergedAccountIsOver(t *testing.T) {
	t.Parallel()
	m := stored(t)
	from, to := live(t, m, "typical"), live(t, m, "unknown")
	tier, seq, clock := m.Tier(from), from.Seq, from.Clock
	lost, won := merge(m, from, to, clock+hour, clock)
	if tier == m.LastTier() || len(lost) != 1 || lost[0].To != m.LastTier() || lost[0].Seq != seq+1 || lost[0].At != clock+hour {
		t.Fatalf("from %s with seq %d: got %s", tier, seq, crossings(lost))
	}
	cause := scoring.Cause{Kind: scoring.CauseMerge, ID: "m", Source: "/crm", Type: "account.merged"}
	for _, x := range slices.Concat(lost, won) {
		if x.Cause.Kind != cause.Kind || x.Cause.ID != cause.ID || x.Cause.Source != cause.Source || x.Cause.Type != cause.Type {
			t.Errorf("cause %+v, want %+v", x.Cause, cause)
		}
	}
	if len(won) != 1 || m.Tier(to) != tier {
		t.Errorf("the heir is in %s by %s, want %s", m.Tier(to), crossings(won), tier)
	}
	if from = restored(t, m, from); from.Into() != "to" || from.Estate() != nil || from.Seq != seq+1 || from.Known() || from.Empty() {
		t.Errorf("left: into %q, estate %v, seq %d, known %t", from.Into(), from.Estate(), from.Seq, from.Known())
	}
	packed := m.Pack(nil, from)
	for _, kind := range []scoring.Kind{scoring.KindEvent, scoring.KindProfile, scoring.KindErasure, scoring.KindTombstone, scoring.KindMerge} {
		e := &scoring.Event{Kind: kind, ID: "late", Source: "/web", Type: "intent.search", Time: clock + day, Strength: 1, Profile: &scoring.Profile{}}
		if out := m.Apply(from, e, clock+day); out.Changed || out.ProfileChanged || len(out.Crossings) > 0 {
			t.Errorf("kind %d changed a merged account: %+v", kind, out)
		}
	}
	if _, again := merge(m, from, to, clock+day, clock); len(again) > 0 || !bytes.Equal(m.Pack(nil, from), packed) {
		t.Error("a merged account was merged again")
	}
}

// An account that nobody heard of leaves its name, so that the heir is known to have all
// of it, and nothing else.
func TestAnAccountNobodyHeardOfLeavesItsName(t *testing.T) {
	t.Parallel()
	m := stored(t)
	from, to := live(t, m, "unknown"), live(t, m, "typical")
	tier, score, clock, seq := m.Tier(to), m.Score(to, to.Clock), to.Clock, to.Seq
	lost, won := merge(m, from, to, to.Clock+day, to.Clock)
	if len(lost)+len(won) > 0 || from.Into() != "to" {
		t.Errorf("into %q, crossings %s %s", from.Into(), crossings(lost), crossings(won))
	}
	if m.Tier(to) != tier || m.Score(to, clock) != score || to.Clock != clock || to.Seq != seq {
		t.Errorf("the heir stands at %s %v %d %d, want %s %v %d %d", m.Tier(to), m.Score(to, clock), to.Clock, to.Seq, tier, score, clock, seq)
	}
}

// What was heard of an event or a person under the old name is known under the new.
func TestMemoriesGoWithTheEstate(t *testing.T) {
	t.Parallel()
	m := stored(t)
	from, to := live(t, m, "unknown"), live(t, m, "unknown")
	view := &scoring.Event{ID: "v", Source: "/web", Type: "web.view", Time: start, Arrived: start, Strength: 1, Contact: &scoring.Contact{ID: "c1"}}
	m.Apply(from, view, start)
	merge(m, from, to, start+hour, start)
	if out := m.Apply(to, view, start); out.Effect != scoring.Duplicate {
		t.Errorf("the same event again: got effect %d, want a duplicate", out.Effect)
	}
	second := *view
	second.ID, second.Time = "v2", start+2*hour
	before := m.Receipt(to, start+2*hour).Groups[1].Sum
	m.Apply(to, &second, start)
	if after := m.Receipt(to, start+2*hour).Groups[1].Sum; math.Abs(after-before) > 1e-9 {
		t.Errorf("the same person in the same window: got %v points, want %v", after, before)
	}
	erased := &scoring.Event{Kind: scoring.KindErasure, ID: "x", Source: "/crm", Time: start + 3*hour, Order: &scoring.Order{Erased: []string{"c1"}}}
	m.Apply(to, erased, start)
	if r := m.Receipt(to, to.Clock); r.Committee.People != 0 {
		t.Errorf("%d people after the only one was erased", r.Committee.People)
	}
}

// Two full accounts fit into the bounds of one.
func TestBoundsHoldInTheHeir(t *testing.T) {
	t.Parallel()
	m := stored(t)
	from, to := live(t, m, "unknown"), live(t, m, "unknown")
	for i := range 600 {
		for k, a := range []*scoring.Account{from, to} {
			at := start + int64(i)*2*minute + int64(k)
			who := fmt.Sprint("c", i%300, "-", k)
			m.Apply(a, &scoring.Event{ID: fmt.Sprint(k, "-", i), Source: "/web", Type: "web.view", Time: at, Arrived: at, Strength: 1, Contact: &scoring.Contact{ID: who}}, at)
		}
	}
	one := len(m.Pack(nil, to))
	merge(m, from, to, start+day, start)
	// Windows of people who are forgotten now name them in full.
	if both := len(m.Pack(nil, to)); both > one+5*300 {
		t.Errorf("%d bytes before, %d with the estate", one, both)
	}
	for k := range 2 {
		last := &scoring.Event{ID: fmt.Sprint(k, "-", 599), Source: "/web", Type: "web.view", Time: start, Arrived: start + 599*2*minute, Strength: 1}
		if out := m.Apply(to, last, start); out.Effect != scoring.Duplicate {
			t.Errorf("the latest event of account %d: got effect %d, want a duplicate", k, out.Effect)
		}
	}
}

// visitsOnly is a model in which each visit counts for ever.
func visitsOnly(t *testing.T) *scoring.Model {
	t.Helper()
	return compile(t, scoring.Spec{
		Name: "revived", Version: 1,
		Groups:  []scoring.GroupSpec{{Name: "g"}},
		Signals: []scoring.SignalSpec{{Name: "visit", Group: "g", Type: "visit", Points: 10, HalfLife: scoring.Never}},
		Tiers:   []scoring.TierSpec{{Name: "A", Min: ptr(10.0), MQA: true}, {Name: "B"}},
	})[0]
}

// An account that is revived has again what it left, unless an heir has it: then that one
// brings it back.
func TestAnAccountIsRevived(t *testing.T) {
	t.Parallel()
	m := visitsOnly(t)
	for _, taken := range []bool{false, true} {
		a, b := new(scoring.Account), new(scoring.Account)
		for i, account := range []*scoring.Account{a, b} {
			m.Open(account)
			m.Apply(account, &scoring.Event{ID: fmt.Sprint("v", i), Source: "/test", Type: "visit", Time: start, Arrived: start, Strength: 1}, start)
		}
		e := &scoring.Event{Kind: scoring.KindMerge, ID: "m", Source: "/crm", Time: start}
		back := &scoring.Event{Kind: scoring.KindMerge, ID: "back", Source: "/crm", Time: start}
		m.Merge(a, scoring.Merging{From: "a", Into: "b", Event: e, Watermark: start})
		if taken {
			m.Absorb(b, a.Estate())
			a.Keep("b")
		}
		m.Merge(b, scoring.Merging{From: "b", Into: "a", Event: back, Watermark: start})
		left := restored(t, m, a)
		if s, keeper := left.Kept(); (keeper == "b") != taken || s != nil && !s.Of(e, "a") || s != nil && s.Of(back, "a") {
			t.Errorf("taken %v: kept by %q", taken, keeper)
		}
		m.Revive(left, false)
		m.Absorb(left, restored(t, m, b).Estate())
		left = restored(t, m, left)
		if got := m.Score(left, start); got != 20 || left.Into() != "" {
			t.Errorf("taken %v: the one that stays has score %v, want 20", taken, got)
		}
		if again := m.Absorb(left, restored(t, m, b).Estate()); again.Effect != scoring.Duplicate {
			t.Errorf("taken %v: an estate was taken twice", taken)
		}
	}
}

// An heir notes an account that left nothing too, even one that nobody heard of, and
// remembers over an erasure what it took.
func TestAnHeirNotesAnAccountThatLeftNothing(t *testing.T) {
	t.Parallel()
	m := visitsOnly(t)
	from, heir := new(scoring.Account), new(scoring.Account)
	m.Open(from)
	m.Open(heir)
	e := &scoring.Event{Kind: scoring.KindMerge, ID: "m", Source: "/crm", Time: start}
	m.Merge(from, scoring.Merging{From: "from", Into: "to", Event: e, Watermark: start})
	s := restored(t, m, from).Estate()
	if s == nil || !s.Blank() {
		t.Fatalf("got the estate %+v, want a blank one", s)
	}
	m.Absorb(heir, s)
	m.Apply(heir, &scoring.Event{Kind: scoring.KindTombstone, Time: start}, start)
	if yes, sure := restored(t, m, heir).Took(s); !yes || !sure {
		t.Error("the heir does not remember it")
	}
	from.Keep("to")
	m.Apply(from, &scoring.Event{Kind: scoring.KindTombstone, Time: start}, start)
	if kept, _ := from.Kept(); kept != nil || from.Into() != "to" {
		t.Error("an erased loser keeps what it left")
	}
}
