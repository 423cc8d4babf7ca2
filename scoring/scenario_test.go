package scoring_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/modelfile"
	"tidemark/scoring"
)

var update = flag.Bool("update", false, "rewrite the expectations of scenarios and golden files")

// TestScenarios plays testdata/scenarios, one file for each rule of SPEC: a few
// words, models, steps, and what must come of them. -update rewrites the last
// section; commit a rewrite only when you understand each changed line.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "scenarios", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newScenario(t, string(text))
			got := s.play(t)
			if *update {
				head, _, _ := strings.Cut(string(text), "-- want --\n")
				if err := os.WriteFile(file, []byte(head+"-- want --\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := s.sections["want"]; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// scenario is one file: "-- name --" begins a section, as in a txtar archive.
type scenario struct {
	sections map[string]string
	models   map[string]*scoring.Model
	model    *scoring.Model
	account  *scoring.Account
	latest   int64
	out      strings.Builder
}

// step is a line of the section "steps": an input, or time going by ("until"), or
// another model ("adopt").
type step struct {
	wireEvent

	Until time.Time `json:"until"`
	Adopt string    `json:"adopt"`
}

func newScenario(t *testing.T, text string) *scenario {
	t.Helper()
	s := &scenario{sections: map[string]string{}, models: map[string]*scoring.Model{}, account: new(scoring.Account), latest: math.MinInt64}
	name := "about"
	for line := range strings.Lines(text) {
		if trimmed, ok := strings.CutPrefix(line, "-- "); ok {
			name = strings.TrimSuffix(trimmed, " --\n")
			continue
		}
		s.sections[name] += line
	}
	specs, names := map[string]*modelfile.File{}, []string(nil)
	for _, section := range []string{"model", "model2"} {
		if s.sections[section] == "" {
			continue
		}
		file, err := modelfile.Parse(section, []byte(s.sections[section]))
		if err != nil {
			t.Fatal(err)
		}
		specs[section] = file
		names = append(names, file.Spec.Names()...)
	}
	for section, file := range specs {
		model, err := scoring.Compile(file.Spec, file.Hash, modelfile.Conditions(), scoring.NewNames(unique(names)))
		if err != nil {
			t.Fatal(file.Explain(err))
		}
		s.models[section] = model
	}
	s.model = s.models["model"]
	s.model.Open(s.account)
	return s
}

func (s *scenario) play(t *testing.T) string {
	t.Helper()
	at := int64(0)
	for line := range strings.Lines(s.sections["steps"]) {
		var x step
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		at = s.do(t, x)
	}
	s.receipt(s.model.Receipt(s.account, at))
	return s.out.String()
}

func (s *scenario) do(t *testing.T, x step) int64 {
	t.Helper()
	if x.Adopt != "" {
		before := s.model
		s.model = s.models[x.Adopt]
		at := x.Time.UnixMilli()
		s.report(at, "adopt "+x.Adopt, s.model.Adopt(s.account, before, at))
		return at
	}
	if !x.Until.IsZero() {
		at := x.Until.UnixMilli()
		s.latest = max(s.latest, at)
		s.report(at, "nothing more", s.model.Advance(s.account, at))
		return at
	}
	e, err := x.event()
	if err != nil {
		t.Fatal(err)
	}
	e.Arrived = max(s.latest, e.Time)
	out := s.model.Apply(s.account, e, s.latest)
	s.latest = max(s.latest, e.Time)
	s.report(max(e.Time, s.account.Clock), e.Type+" "+e.ID+" of "+instant(e.Time), out)
	return max(e.Time, s.account.Clock)
}

var effects = []string{"counted", "duplicate", "unmatched", "outdated", "unscored"}

func (s *scenario) report(at int64, what string, out scoring.Outcome) {
	fmt.Fprintf(&s.out, "%s %s: %s, tier %s, score %s\n", instant(at), what, effects[out.Effect],
		s.model.Tier(s.account), six(s.model.Score(s.account, at)))
	for _, x := range out.Crossings {
		direction := "down"
		if x.Up {
			direction = "up"
		}
		if x.MQA {
			direction += ", mqa"
		}
		threshold := "a requirement"
		if x.Threshold != nil {
			threshold = "threshold " + six(*x.Threshold)
		}
		signals := ""
		if len(x.Cause.Signals) > 0 {
			signals = " of " + strings.Join(x.Cause.Signals, "+")
		}
		demotes := "never"
		if x.DemotesAt != nil {
			demotes = instant(*x.DemotesAt)
		}
		fmt.Fprintf(&s.out, "  %s #%d %s→%s %s by %s%s: score %s, %s, demotes %s\n", instant(x.At), x.Seq, x.From, x.To, direction,
			x.Cause.Kind, signals, six(x.Score), threshold, demotes)
	}
}

func (s *scenario) receipt(r scoring.Receipt) {
	w := func(format string, args ...any) { fmt.Fprintf(&s.out, format, args...) }
	w("receipt: score %s\n", six(r.Score))
	if len(r.Fit.Rules) > 0 {
		w("  fit %s of %s%s:", six(r.Fit.Points), six(r.Fit.Sum), bound(" capped at ", r.Fit.Cap))
		for _, x := range r.Fit.Rules {
			w(" %s %s", x.Name, six(x.Points))
		}
		w("\n")
	}
	for _, g := range r.Groups {
		w("  %s %s of %s%s%s\n", g.Name, six(g.Points), six(g.Sum), bound(" capped at ", g.Cap), bound(" held at ", g.Floor))
		for _, x := range g.Signals {
			held := ""
			if x.Held != 0 {
				held = fmt.Sprintf(", held %s (%s)", six(x.Held), six(x.HeldPoints))
			}
			w("    %s %s = %s × %s%s, half-life %s%s\n", x.Name, six(x.Points), six(x.Weight), six(x.Intensity), bound(" limited to ", x.Limit), x.HalfLife, held)
		}
	}
	w("  committee %s: %d people, roles %v\n", six(r.Committee.Points), r.Committee.People, r.Committee.Roles)
	for _, x := range r.Surges {
		w("  surge %s %s: recent %s, usual %s\n", x.Name, six(x.Points), six(x.Recent), six(x.Usual))
	}
	if !r.ICP.Inside {
		w("  outside the ICP%s: unmet %s\n", bound(" at most ", r.ICP.Max), strings.Join(r.ICP.Unmet, "; "))
	}
	if r.Adjustment != 0 {
		w("  adjustment %s\n", six(r.Adjustment))
	}
}

func bound(text string, x *float64) string {
	if x == nil {
		return ""
	}
	return text + six(*x)
}

// six is a figure to six decimals, which all architectures agree on.
func six(x float64) string {
	return strconv.FormatFloat(math.Round(x*1e6)/1e6+0, 'f', -1, 64)
}
