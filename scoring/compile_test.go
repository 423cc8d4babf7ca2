package scoring_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"tidemark/scoring"
)

// whole is a valid spec with something under every key.
func whole() scoring.Spec {
	outside, least, most := 40.0, 0.0, 100.0
	return scoring.Spec{
		Name: "whole", Version: 1,
		ICP: &scoring.ICPSpec{Require: []string{"employees >= 50"}, Exclude: []string{`country == "XX"`}, OutsideMax: &outside},
		Fit: scoring.FitSpec{Cap: ptr(45), Rules: []scoring.FitRuleSpec{{Name: "large", When: "employees > 500", Points: 15}}},
		Contacts: scoring.ContactsSpec{
			Seniority: []scoring.PatternSpec{{Match: "vp", Is: "vp"}}, Multipliers: map[string]float64{"vp": 1.5},
			Roles: []scoring.PatternSpec{{Match: "cfo", Is: "buyer"}},
		},
		Groups: []scoring.GroupSpec{{Name: "web", Cap: ptr(60)}, {Name: "negative", Floor: ptr(-40)}},
		Signals: []scoring.SignalSpec{
			{Name: "view", Group: "web", Type: "web.*", Where: "strength > 0.5", Points: 30, HalfLife: 7 * day, Limit: ptr(3), OncePer: day},
			{Name: "complaint", Group: "negative", Type: "web.complaint", Points: -20, HalfLife: scoring.Never},
		},
		Committee: &scoring.CommitteeSpec{Window: 30 * day, PointsPerRole: 5, Cap: ptr(15)},
		Surge:     []scoring.SurgeSpec{{Name: "rush", Group: "web", Short: day, Long: 10 * day, Ratio: 3, Min: 2, Points: 10}},
		Score:     scoring.ScoreSpec{Min: &least, Max: &most},
		Tiers: []scoring.TierSpec{
			{
				Name: "A", Min: ptr(85), MQA: true, Hysteresis: 5, MinDwell: day, Cooldown: day,
				Requires: scoring.RequiresSpec{People: 1, Roles: 1, Groups: []scoring.GroupFigure{{Group: "web", Min: 20}}},
			},
			{Name: "B", Min: ptr(60)},
			{Name: "C"},
		},
		Portfolio: &scoring.PortfolioSpec{
			Attractiveness: []scoring.AxisRuleSpec{{When: "revenue >= 100", Points: 2}},
			Potential:      []scoring.AxisRuleSpec{{When: "cases >= 2", Points: 2}},
			Classes:        []scoring.ClassSpec{{Name: "bespoke", Capacity: 5}, {Name: "bulk"}},
		},
	}
}

// TestFaults changes one thing of a valid spec in each row: the first fault has
// that path, and its text contains the words.
func TestFaults(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	rows := []struct {
		name       string
		change     func(*scoring.Spec)
		path, text string
	}{
		{"no name", func(s *scoring.Spec) { s.Name = "" }, "name", "missing"},
		{"negative version", func(s *scoring.Spec) { s.Version = -1 }, "version", "-1"},
		{"no outside_max", func(s *scoring.Spec) { s.ICP.OutsideMax = nil }, "icp.outside_max", "missing"},
		{"infinite outside_max", func(s *scoring.Spec) { s.ICP.OutsideMax = &inf }, "icp.outside_max", "finite"},
		{"bad requirement", func(s *scoring.Spec) { s.ICP.Require[0] = "employees" }, "icp.require[0]", "employees"},
		{"empty exclusion", func(s *scoring.Spec) { s.ICP.Exclude[0] = " " }, "icp.exclude[0]", "empty"},
		{"negative fit cap", func(s *scoring.Spec) { s.Fit.Cap = ptr(-1) }, "fit.cap", "-1"},
		{"nameless fit rule", func(s *scoring.Spec) { s.Fit.Rules[0].Name = "" }, "fit.rules[0].name", "missing"},
		{"bad fit rule", func(s *scoring.Spec) { s.Fit.Rules[0].When = "employees >" }, "fit.rules[0].when", "employees"},
		{"infinite fit points", func(s *scoring.Spec) { s.Fit.Rules[0].Points = inf }, "fit.rules[0].points", "finite"},
		{"bad seniority pattern", func(s *scoring.Spec) { s.Contacts.Seniority[0].Match = "(" }, "contacts.seniority[0].match", "("},
		{"empty role pattern", func(s *scoring.Spec) { s.Contacts.Roles[0].Match = "" }, "contacts.roles[0].match", "pattern"},
		{"nameless role", func(s *scoring.Spec) { s.Contacts.Roles[0].Is = "" }, "contacts.roles[0].is", "missing"},
		{"negative multiplier", func(s *scoring.Spec) { s.Contacts.Multipliers["vp"] = -1 }, "contacts.multipliers.vp", "-1"},
		{"group twice", func(s *scoring.Spec) { s.Groups = append(s.Groups, s.Groups[0]) }, "groups.web", "unique"},
		{"floor above cap", func(s *scoring.Spec) { s.Groups[0].Floor = ptr(70) }, "groups.web", "above"},
		{"NaN cap", func(s *scoring.Spec) { s.Groups[0].Cap = ptr(math.NaN()) }, "groups.web.cap", "finite"},
		{"signal twice", func(s *scoring.Spec) { s.Signals[1].Name = "view" }, "signals[1].name", "unique"},
		{"undeclared group", func(s *scoring.Spec) { s.Signals[0].Group = "mail" }, "signals[0].group", "mail"},
		{"no type", func(s *scoring.Spec) { s.Signals[0].Type = "" }, "signals[0].match.type", "type"},
		{"star within a type", func(s *scoring.Spec) { s.Signals[0].Type = "web.*.x" }, "signals[0].match.type", "web.*.x"},
		{"bad where", func(s *scoring.Spec) { s.Signals[0].Where = "title == 1" }, "signals[0].match.where", "title"},
		{"infinite points", func(s *scoring.Spec) { s.Signals[0].Points = inf }, "signals[0].points", "finite"},
		{"no half-life", func(s *scoring.Spec) { s.Signals[0].HalfLife = 0 }, "signals[0].half_life", "above 0"},
		{"negative half-life", func(s *scoring.Spec) { s.Signals[0].HalfLife = -hour }, "signals[0].half_life", "-1h"},
		{"limit of 0", func(s *scoring.Spec) { s.Signals[0].Limit = ptr(0) }, "signals[0].limit", "above 0"},
		{"negative limit", func(s *scoring.Spec) { s.Signals[0].Limit = ptr(-1) }, "signals[0].limit", "above 0"},
		{"negative once_per", func(s *scoring.Spec) { s.Signals[0].OncePer = -1 }, "signals[0].once_per", "-1ms"},
		{"endless once_per", func(s *scoring.Spec) { s.Signals[0].OncePer = scoring.Never }, "signals[0].once_per", "never"},
		{"negative window", func(s *scoring.Spec) { s.Committee.Window = -1 }, "committee.window", "-1"},
		{"infinite points_per_role", func(s *scoring.Spec) { s.Committee.PointsPerRole = inf }, "committee.points_per_role", "finite"},
		{"surge twice", func(s *scoring.Spec) { s.Surge = append(s.Surge, s.Surge[0]) }, "surge[1].name", "unique"},
		{"surge of no group", func(s *scoring.Spec) { s.Surge[0].Group = "mail" }, "surge[0].group", "mail"},
		{"short as long", func(s *scoring.Spec) { s.Surge[0].Short = s.Surge[0].Long }, "surge[0].short", "below"},
		{"no short", func(s *scoring.Spec) { s.Surge[0].Short = 0 }, "surge[0].short", "above 0"},
		{"ratio of 0", func(s *scoring.Spec) { s.Surge[0].Ratio = 0 }, "surge[0].ratio", "above 0"},
		{"min above max", func(s *scoring.Spec) { s.Score.Min = ptr(100) }, "score", "100"},
		{"no tiers", func(s *scoring.Spec) { s.Tiers = nil }, "tiers", "empty"},
		{"tier twice", func(s *scoring.Spec) { s.Tiers[1].Name = "A" }, "tiers[1].name", "unique"},
		{"mins that do not fall", func(s *scoring.Spec) { s.Tiers[1].Min = ptr(85) }, "tiers[1].min", "below"},
		{"last tier with a min", func(s *scoring.Spec) { s.Tiers[2].Min = ptr(0) }, "tiers[2].min", "last"},
		{"tier without a min", func(s *scoring.Spec) { s.Tiers[1].Min = nil }, "tiers[1].min", "missing"},
		{"negative hysteresis", func(s *scoring.Spec) { s.Tiers[0].Hysteresis = -1 }, "tiers[0].hysteresis", "negative"},
		{"negative dwell", func(s *scoring.Spec) { s.Tiers[0].MinDwell = -1 }, "tiers[0].min_dwell", "-1"},
		{"negative cool-down", func(s *scoring.Spec) { s.Tiers[0].Cooldown = -1 }, "tiers[0].cooldown", "-1"},
		{"negative people", func(s *scoring.Spec) { s.Tiers[0].Requires.People = -1 }, "tiers[0].requires", "-1"},
		{"too many people", func(s *scoring.Spec) { s.Tiers[0].Requires.People = 65 }, "tiers[0].requires.people", "65"},
		{"group that is not there", func(s *scoring.Spec) { s.Tiers[0].Requires.Groups[0].Group = "mail" }, "tiers[0].requires.groups.mail", "mail"},
		{"figure out of reach", func(s *scoring.Spec) { s.Tiers[0].Requires.Groups[0].Min = 61 }, "tiers[0].requires.groups.web", "61"},
		{"score out of reach", func(s *scoring.Spec) { s.Tiers[0].Min = ptr(100.5) }, "tiers[0].min", "100.5"},
		{"last tier with requires", func(s *scoring.Spec) { s.Tiers[2].Requires.People = 1 }, "tiers[2].requires", "requires nothing"},
		{"bad axis", func(s *scoring.Spec) { s.Portfolio.Potential[0].When = "?" }, "portfolio.potential[0].when", "?"},
		{"nameless class", func(s *scoring.Spec) { s.Portfolio.Classes[1].Name = "" }, "portfolio.classes[1].name", "missing"},
	}
	if err := compileErr(whole()); err != nil {
		t.Fatalf("the spec that rows change is invalid: %v", err)
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			spec := whole()
			row.change(&spec)
			var faults scoring.Faults
			if err := compileErr(spec); !errors.As(err, &faults) {
				t.Fatalf("error %v, want faults", err)
			}
			if faults[0].Path != row.path || !strings.Contains(faults[0].Text, row.text) {
				t.Errorf("got %v, want %s: …%s…", faults, row.path, row.text)
			}
		})
	}
}

// TestFaultsAreAllReported: every mistake at once, in the order of the spec.
func TestFaultsAreAllReported(t *testing.T) {
	t.Parallel()
	spec := whole()
	spec.Name, spec.Signals[0].HalfLife, spec.Tiers[1].Hysteresis = "", 0, -1
	var faults scoring.Faults
	if err := compileErr(spec); !errors.As(err, &faults) || len(faults) != 3 {
		t.Fatalf("got %v, want three faults", faults)
	}
	if got := faults.Error(); strings.Count(got, "\n") != 2 || !strings.HasPrefix(got, "name: ") {
		t.Errorf("faults read %q", got)
	}
}

func compileErr(spec scoring.Spec) error {
	_, err := scoring.Compile(spec, "hash", miniConditions{}, scoring.NewNames(spec.Names()))
	return err
}
