package scoring_test

import (
	"fmt"
	"time"

	"tidemark/scoring"
)

// noConditions is for models without expressions.
type noConditions struct{}

func (noConditions) Profile(expr string) (func(map[string]any) scoring.Truth, error) {
	return nil, fmt.Errorf("no expressions here: %s", expr)
}

func (noConditions) Event(expr string) (func(*scoring.Event) scoring.Truth, error) {
	return nil, fmt.Errorf("no expressions here: %s", expr)
}

func exampleModel() *scoring.Model {
	a, b := 80.0, 50.0
	spec := scoring.Spec{
		Name: "example", Version: 1,
		Groups:  []scoring.GroupSpec{{Name: "web"}},
		Signals: []scoring.SignalSpec{{Name: "pricing", Group: "web", Type: "web.pricing", Points: 30, HalfLife: 7 * scoring.Day}},
		Tiers:   []scoring.TierSpec{{Name: "A", Min: &a, MQA: true, Hysteresis: 5}, {Name: "B", Min: &b}, {Name: "C"}},
	}
	model, err := scoring.Compile(spec, "sha256", noConditions{}, scoring.NewNames(spec.Names()))
	if err != nil {
		panic(err)
	}
	return model
}

func day1(hour int) int64 { return time.Date(2026, 11, 2, hour, 0, 0, 0, time.UTC).UnixMilli() }

func visit(id string, at int64) *scoring.Event {
	return &scoring.Event{ID: id, Source: "/web", Type: "web.pricing", Time: at, Arrived: at, Strength: 1}
}

func show(crossings []scoring.Crossing) {
	for _, x := range crossings {
		fmt.Printf("%s #%d %s→%s by %s, score %.1f\n", time.UnixMilli(x.At).UTC().Format(time.DateTime), x.Seq, x.From, x.To, x.Cause.Kind, x.Score)
	}
}

// Three visits within two hours make an MQA; silence unmakes it.
func ExampleModel_Apply() {
	model := exampleModel()
	var account scoring.Account
	model.Open(&account)
	for i, id := range []string{"v1", "v2", "v3"} {
		at := day1(9 + i)
		show(model.Apply(&account, visit(id, at), at).Crossings)
	}
	show(model.Advance(&account, day1(9)+30*scoring.Day).Crossings)
	// Output:
	// 2026-11-02 10:00:00 #1 C→B by event, score 59.9
	// 2026-11-02 11:00:00 #2 B→A by event, score 89.6
	// 2026-11-04 06:11:28 #3 A→B by decay, score 75.0
	// 2026-11-08 08:27:53 #4 B→C by decay, score 50.0
}

func ExampleModel_NextCrossing() {
	model := exampleModel()
	var account scoring.Account
	model.Open(&account)
	for _, id := range []string{"v1", "v2"} {
		model.Apply(&account, visit(id, day1(9)), day1(9))
	}
	at, ok := model.NextCrossing(&account)
	fmt.Println(model.Tier(&account), time.UnixMilli(at).UTC().Format(time.DateTime), ok)
	// Output: B 2026-11-04 05:11:23 true
}

func ExampleModel_Receipt() {
	model := exampleModel()
	var account scoring.Account
	model.Open(&account)
	model.Apply(&account, visit("v1", day1(9)), day1(9))
	model.Apply(&account, visit("v2", day1(9)), day1(9))
	receipt := model.Receipt(&account, day1(9)+7*scoring.Day)
	for _, s := range receipt.Groups[0].Signals {
		fmt.Printf("%s: %.0f points = %.0f × %.2f, half-life %s\n", s.Name, s.Points, s.Weight, s.Intensity, s.HalfLife)
	}
	fmt.Printf("score %.0f\n", receipt.Score)
	// Output:
	// pricing: 30 points = 30 × 1.00, half-life 7d
	// score 30
}

// An account is stored as a few bytes; the profile, if any, beside it.
func ExampleModel_Unpack() {
	model := exampleModel()
	var account scoring.Account
	model.Open(&account)
	model.Apply(&account, visit("v1", day1(9)), day1(9))
	model.Apply(&account, visit("v2", day1(9)), day1(9))
	stored := model.Pack(nil, &account)
	restored, err := model.Unpack(stored)
	if err != nil {
		fmt.Println(err)
		return
	}
	model.Open(restored)
	fmt.Println(model.Tier(restored), restored.Seq, model.Score(restored, day1(9)))
	// Output: B 1 60
}

func ExampleCompile() {
	_, err := scoring.Compile(scoring.Spec{
		Name:    "broken",
		Signals: []scoring.SignalSpec{{Name: "pricing", Group: "web", Type: "web.pricing", Points: 30}},
		Tiers:   []scoring.TierSpec{{Name: "C"}},
	}, "", noConditions{}, scoring.NewNames(nil))
	fmt.Println(err)
	// Output:
	// signals[0].group: "web" is not declared under groups
	// signals[0].half_life: 0s is not above 0: give a duration such as 7d, or never
}

func ExampleFormatDuration() {
	fmt.Println(scoring.FormatDuration(36*scoring.Hour), scoring.FormatDuration(scoring.Never))
	// Output: 1d12h never
}
