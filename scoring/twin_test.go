package scoring_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tidemark/scoring"
	"tidemark/scoring/naive"
)

// histories is how many random histories the twin checks; TIDEMARK_SOAK=10 asks
// for ten times as many, of other seeds.
const histories = 20_000

func soak(t *testing.T) int {
	text := os.Getenv("TIDEMARK_SOAK")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("TIDEMARK_SOAK=%q: want a whole number above 0", text)
	}
	return n
}

// TestTwinAgrees runs random histories under random models through scoring and
// through its naive twin. A failure names the seed; TIDEMARK_SEED=n runs one.
func TestTwinAgrees(t *testing.T) {
	t.Parallel()
	if text := os.Getenv("TIDEMARK_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		checkSeed(t, seed, t.Logf)
		return
	}
	const parts = 8
	total := uint64(histories * soak(t) / underRace)
	for part := range uint64(parts) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			for seed := part; seed < total && !t.Failed(); seed += parts {
				checkSeed(t, seed, nil)
			}
		})
	}
}

type logf func(format string, args ...any)

// checkSeed compares crossings after every input, the score at the end of each
// step, and both again at the end of a quiet stretch.
func checkSeed(t *testing.T, seed uint64, log logf) {
	t.Helper()
	d := newDice(seed)
	model, twinModel := d.models(t)
	account, twin := new(scoring.Account), twinModel.Account()
	model.Open(account)
	if log != nil {
		log("model %s", describe(model.Spec()))
	}
	end := start
	for i, in := range d.history(model.Spec(), 3+d.IntN(9)) {
		want := twin.Apply(in.event, in.watermark)
		got := model.Apply(account, in.event, in.watermark).Crossings
		if log != nil {
			log("%d: watermark %s %s\n got %s\nwant %s", i, instant(in.watermark), describeEvent(in.event), crossings(got), twinCrossings(want))
		}
		if err := compare(model, account, got, twin, want); err != nil {
			t.Errorf("seed %d, input %d (%s): %v", seed, i, describeEvent(in.event), err)
			return
		}
		end = max(end, in.event.Time, in.watermark)
	}
	end += d.Int64N(120 * day)
	want, got := twin.Advance(end), model.Advance(account, end).Crossings
	if log != nil {
		log("until %s\n got %s\nwant %s", instant(end), crossings(got), twinCrossings(want))
	}
	if err := compare(model, account, got, twin, want); err != nil {
		t.Errorf("seed %d, until %s: %v", seed, instant(end), err)
		return
	}
	if a, b := model.Score(account, end), twin.Read(end).Score; math.Abs(a-b) > 1e-6 {
		t.Errorf("seed %d: score at the end %v, want %v", seed, a, b)
	}
}

// models draws a spec until it is valid and compiles it for both.
func (d dice) models(t testing.TB) (*scoring.Model, *naive.Model) {
	t.Helper()
	models, twins := d.family(t, 1)
	return models[0], twins[0]
}

// family draws a spec and variants of it, over one dictionary.
func (d dice) family(t testing.TB, size int) (models []*scoring.Model, twins []*naive.Model) {
	t.Helper()
	var specs []scoring.Spec
	var names []string
	for len(specs) < size {
		spec := d.spec()
		if len(specs) > 0 {
			spec = d.variant(specs[0])
		}
		if valid(t, spec) {
			specs = append(specs, spec)
			names = append(names, spec.Names()...)
		}
	}
	for _, spec := range specs {
		model, err := scoring.Compile(spec, "hash", miniConditions{}, scoring.NewNames(unique(names)))
		if err != nil {
			t.Fatal(err)
		}
		twin, err := naive.New(spec, miniConditions{})
		if err != nil {
			t.Fatal(err)
		}
		models, twins = append(models, model), append(twins, twin)
	}
	return models, twins
}

// valid reports whether a drawn spec compiles; only what chance can't help
// drawing may be wrong with it.
func valid(t testing.TB, spec scoring.Spec) bool {
	t.Helper()
	_, err := scoring.Compile(spec, "hash", miniConditions{}, scoring.NewNames(spec.Names()))
	if err != nil && !strings.Contains(err.Error(), "can't be reached") && !strings.Contains(err.Error(), "is above cap") {
		t.Fatalf("drew an invalid spec: %v", err)
	}
	return err == nil
}

func unique(names []string) (out []string) {
	for _, name := range names {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func compare(m *scoring.Model, a *scoring.Account, got []scoring.Crossing, twin *naive.Account, want []naive.Crossing) error {
	if len(got) != len(want) {
		return fmt.Errorf("crossings %s, want %s", crossings(got), twinCrossings(want))
	}
	var errs []error
	for i := range got {
		errs = append(errs, compareCrossing(got[i], want[i]), sameDirection(m, got[i]))
	}
	if m.Tier(a) != twin.Tier() || a.Seq != twin.Seq || a.Begun != twin.Begun || abs(a.Clock-twin.Clock) > second {
		errs = append(errs, fmt.Errorf("tier %s seq %d clock %d begun %t, want %s %d %d %t",
			m.Tier(a), a.Seq, a.Clock, a.Begun, twin.Tier(), twin.Seq, twin.Clock, twin.Begun))
	}
	if a.Known() != twin.Known() {
		errs = append(errs, fmt.Errorf("known %t, want %t", a.Known(), twin.Known()))
	}
	at := max(a.Clock, twin.Clock)
	if x, y := m.Score(a, at), twin.Read(at).Score; math.Abs(x-y) > 1e-6 {
		errs = append(errs, fmt.Errorf("score %v, want %v", x, y))
	}
	receipt := m.Receipt(a, at)
	errs = append(errs, addsUp(receipt), sameReading(receipt, twin.Read(at)), sameHeld(m, receipt, twin, at))
	return errors.Join(errs...)
}

func compareCrossing(got scoring.Crossing, want naive.Crossing) error {
	same := got.Seq == want.Seq && got.From == want.From && got.To == want.To &&
		abs(got.At-want.At) <= second && math.Abs(got.Score-want.Score) <= 1e-6 &&
		got.Cause.Kind == want.Cause && got.Cause.ID == want.EventID &&
		sameFigure(got.Threshold, want.Threshold) && sameInstant(got.DemotesAt, want.DemotesAt)
	if !same {
		return fmt.Errorf("crossing %s, want %s", crossings([]scoring.Crossing{got}), twinCrossings([]naive.Crossing{want}))
	}
	if math.Abs(got.Receipt.Score-got.Score) > 1e-9 {
		return fmt.Errorf("receipt's score %v, crossing's %v", got.Receipt.Score, got.Score)
	}
	return addsUp(got.Receipt)
}

// sameDirection checks what follows from the names of the tiers, where the model
// has both: a change of models may leave a tier that is no more.
func sameDirection(m *scoring.Model, x scoring.Crossing) error {
	tiers := m.Spec().Tiers
	named := func(name string) int {
		return slices.IndexFunc(tiers, func(t scoring.TierSpec) bool { return t.Name == name })
	}
	from, to := named(x.From), named(x.To)
	if from < 0 || to < 0 || x.Cause.Kind == scoring.CauseModel {
		return nil
	}
	if mqa := tiers[to].MQA && !tiers[from].MQA; x.Up != (to < from) || x.MQA != mqa {
		return fmt.Errorf("%s→%s: up %t, mqa %t", x.From, x.To, x.Up, x.MQA)
	}
	return nil
}

// addsUp checks the arithmetic a reader of a receipt would do.
func addsUp(r scoring.Receipt) error {
	total := r.Fit.Points + r.Committee.Points + r.Adjustment
	for _, g := range r.Groups {
		sum := 0.0
		for _, s := range g.Signals {
			x := s.Intensity
			if s.Limit != nil {
				x = min(x, *s.Limit)
			}
			if math.Abs(s.Points-s.Weight*x) > 1e-9 {
				return fmt.Errorf("signal %s: %v points for %v × %v", s.Name, s.Points, s.Weight, x)
			}
			sum += s.Points
		}
		bound := sum
		if g.Cap != nil {
			bound = *g.Cap
		}
		if g.Floor != nil {
			bound = *g.Floor
		}
		if math.Abs(g.Sum-sum) > 1e-9 || math.Abs(g.Points-bound) > 1e-9 {
			return fmt.Errorf("group %s: sum %v and points %v, signals give %v and %v", g.Name, g.Sum, g.Points, sum, bound)
		}
		total += g.Points
	}
	for _, s := range r.Surges {
		total += s.Points
	}
	if math.Abs(total-r.Score) > 1e-9 {
		return fmt.Errorf("receipt adds up to %v, its score is %v", total, r.Score)
	}
	return nil
}

func sameReading(r scoring.Receipt, want naive.Reading) error {
	for i, g := range r.Groups {
		if math.Abs(g.Points-want.Groups[i]) > 1e-6 {
			return fmt.Errorf("group %s: %v, want %v", g.Name, g.Points, want.Groups[i])
		}
	}
	if r.Committee.People != want.People {
		return fmt.Errorf("people %d, want %d", r.Committee.People, want.People)
	}
	known := 0
	for _, role := range r.Committee.Roles {
		if role != "unknown" {
			known++
		}
	}
	if known != want.Roles {
		return fmt.Errorf("roles %v, want %d", r.Committee.Roles, want.Roles)
	}
	return nil
}

func sameHeld(m *scoring.Model, r scoring.Receipt, twin *naive.Account, at int64) error {
	lines := map[string]scoring.SignalReceipt{}
	for _, g := range r.Groups {
		for _, s := range g.Signals {
			lines[s.Name] = s
		}
	}
	for i, s := range m.Spec().Signals {
		if got, want := lines[s.Name].Held, twin.Held(i, at); math.Abs(got-want) > 1e-6 {
			return fmt.Errorf("held of %s: %v, want %v", s.Name, got, want)
		}
	}
	return nil
}

func sameFigure(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return math.Abs(*a-*b) <= 1e-9
}

func sameInstant(a, b *int64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return abs(*a-*b) <= second
}

func abs(x int64) int64 { return max(x, -x) }
