package engine_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"tidemark/pkg/engine"
	"tidemark/scoring"
)

// change is another model, in force once so many inputs of the log are stored.
type change struct {
	after int
	model *scoring.Model
	at    int64 // the instant at which it takes effect
}

// change has both engines stop, and puts the next model in force.
func (w *world) change() {
	c := w.changes[0]
	w.changes = w.changes[1:]
	w.past.Models = append(slices.Clone(w.past.Models), engine.Before{Model: w.model, Until: c.at})
	w.past.Epoch, w.model = w.past.Epoch+1, c.model
	for i := range w.engines {
		w.boot(i)
		w.takeOver(i)
		if w.still {
			w.survive(i, rescore(w.engines[i], w.memory))
		}
	}
}

// under begins a world with a model, and the changes to come.
func (w *world) under(m *scoring.Model, changes []change) *world {
	w.model, w.changes = m, changes
	for i := range w.engines {
		w.boot(i)
		w.takeOver(i)
	}
	return w
}

// While two engines that crash and take each other's partitions put accounts under new
// models, a few at a time between rounds, sweeps and zombies, the states and the
// crossings are those of a world that stood still for each change.
func TestAModelChangesBesideTheRounds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 17))
			log := drawLog(r, 120+r.IntN(200))
			until := log[len(log)-1].Event.Time + 12*day
			models, changes := drawChanges(t, r, spec(), log)
			want, accounts := stillWorld(t, models[0], log, changes, until)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, r, spec(), log).under(models[0], changes)
				w.live(until)
				w.rescored()
				sameOutbox(t, rawOutbox(t, w.memory), want)
				w.sameAccounts(accounts, until)
			})
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

// So it is where accounts go into each other.
func TestAModelChangesBesideMerges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 18))
			log := drawMerges(r, drawLog(r, 120+r.IntN(200)))
			until := log[len(log)-1].Event.Time + 12*day
			s := spec()
			models, changes := drawChanges(t, r, s, log)
			synctest.Test(t, func(t *testing.T) {
				still := newWorld(t, r, s, log)
				still.calm, still.still, still.told = true, true, true
				still.under(models[0], changes).live(until)
				w := newWorld(t, r, s, log)
				w.told = true
				w.under(models[0], changes).live(until)
				w.rescored()
				sameOutbox(t, rawOutbox(t, w.memory), rawOutbox(t, still.memory))
				accounts := map[string]*scoring.Account{}
				for i := range 14 {
					name := fmt.Sprintf("firm%d.example", i)
					if a := standing(t, still.memory, still.past, still.model, name); a != nil {
						accounts[name] = a
					}
				}
				w.sameAccounts(accounts, until)
			})
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

// So it is where half of the shards are on a node that loses what it wrote last: every
// event counts, and all accounts are under the new model in the end.
func TestAModelChangesBesideANodeThatIsSetBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 19))
			log := treeOfMerges(r, drawLog(r, 100+r.IntN(120)))
			until := log[len(log)-1].Event.Time
			first, second := faint(), faint()
			first.Identity.Late, second.Identity.Late = false, false
			second.Version, second.Signals[0].Points = 2, 2*second.Signals[0].Points
			before, after := compile(t, first, first, second), compile(t, second, first, second)
			k := 1 + r.IntN(len(log)-1)
			_, scores := score(t, second, log, until)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, r, first, log)
				w.losing, w.told = true, true
				w.under(before, []change{{k, after, log[max(k-3, 0)].Event.Time}}).live(until)
				w.rescored()
				w.countedAll(scores, until)
			})
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

// rescored wants both engines to find every account under the model in force.
func (w *world) rescored() {
	w.t.Helper()
	for i, e := range w.engines {
		if left, err := e.Unscored(w.t.Context()); left != 0 || err != nil {
			w.t.Errorf("engine %d: %d shards are left (%v)", i, left, err)
		}
	}
	for n := range shards {
		records, _, err := w.memory.Scan(w.t.Context(), n, 0, math.MaxInt)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range records {
			if got := engine.EpochOf(r.State); got != w.past.Epoch {
				w.t.Errorf("%s is at epoch %d, want %d", r.Account, got, w.past.Epoch)
			}
		}
	}
}

// sameAccounts wants the states of a world that stood still.
func (w *world) sameAccounts(want map[string]*scoring.Account, until int64) {
	w.t.Helper()
	for name, x := range want {
		a := standing(w.t, w.memory, w.past, w.model, name)
		switch {
		case a == nil && !x.Empty():
			w.t.Errorf("%s is not stored, want %+v", name, x)
		case a != nil && (w.model.Tier(a) != w.model.Tier(x) || a.Seq != x.Seq || a.Clock != x.Clock ||
			math.Abs(w.model.Score(a, until)-w.model.Score(x, until)) > 1e-9):
			w.t.Errorf("%s: got %s seq %d clock %d, want %s seq %d clock %d", name, w.model.Tier(a), a.Seq, a.Clock, w.model.Tier(x), x.Seq, x.Clock)
		}
	}
}

// standing reads an account as stored, under the model in force; nil where there is none.
func standing(t testing.TB, s engine.Store, past engine.Past, m *scoring.Model, name string) *scoring.Account {
	t.Helper()
	records, err := s.Load(t.Context(), engine.WantedOf([]string{name}, s.Shards())...)
	if err != nil {
		t.Fatal(err)
	}
	a, err := past.Read(m, records[0])
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// drawChanges draws a model and one to three that replace it, sometimes at once.
func drawChanges(t *testing.T, r *rand.Rand, first scoring.Spec, log []engine.Input) ([]*scoring.Model, []change) {
	t.Helper()
	specs := []scoring.Spec{first}
	for v := range 1 + r.IntN(3) {
		s := spec()
		if r.IntN(2) == 0 {
			s = stricter()
		}
		s.Version, s.Identity = v+2, first.Identity
		for i := range s.Signals {
			s.Signals[i].Points *= 0.5 + r.Float64()
			s.Signals[i].HalfLife = int64(float64(s.Signals[i].HalfLife) * (0.5 + r.Float64()))
		}
		s.Tiers[0].MinDwell, s.Tiers[0].Hysteresis = int64(r.IntN(2))*hour, float64(r.IntN(8))
		specs = append(specs, s)
	}
	var models []*scoring.Model
	var changes []change
	after, at := 0, int64(0)
	for i, s := range specs {
		models = append(models, compile(t, s, specs...))
		if i == 0 {
			continue
		}
		after = min(after+1+r.IntN(len(log)/2), len(log)-1)
		// What was noted last: not all that is applied was before it.
		at = max(at+1, log[max(after-1-r.IntN(10), 0)].Event.Time+r.Int64N(hour))
		changes = append(changes, change{after, models[i], at})
	}
	return models, changes
}

// stillWorld is what one account after the other comes to where all stand still until
// each is under the new model.
func stillWorld(t *testing.T, m *scoring.Model, log []engine.Input, changes []change, until int64) (outbox map[string][]string, accounts map[string]*scoring.Account) {
	t.Helper()
	outbox, accounts = map[string][]string{}, map[string]*scoring.Account{}
	told := func(name string, out scoring.Outcome) {
		for i := range out.Crossings {
			value, err := lines{}.Change(name, &out.Crossings[i])
			if err != nil {
				t.Fatal(err)
			}
			outbox[name] = append(outbox[name], string(value))
		}
	}
	for i, in := range log {
		for len(changes) > 0 && changes[0].after <= i {
			for name, a := range accounts {
				told(name, changes[0].model.Adopt(a, m, changes[0].at))
			}
			m, changes = changes[0].model, changes[1:]
		}
		a := accounts[in.Event.Account]
		if a == nil {
			a = &scoring.Account{}
			m.Open(a)
			accounts[in.Event.Account] = a
		}
		e := *in.Event
		told(e.Account, m.Apply(a, &e, engine.UnknownWatermark))
	}
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		told(name, m.Advance(accounts[name], until))
	}
	return outbox, accounts
}
