package backtest_test

import (
	"encoding/json"
	"testing"
	"time"

	"tidemark/pkg/backtest"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/offline"
	"tidemark/scoring"
)

const tiers = "name: m\nversion: 2\ngroups: {g: {}}\nsignals: [{name: s, group: g, match: {type: e}, points: 1, half_life: never}]\n" +
	"tiers: [{name: A, min: 80, mqa: true}, {name: B, min: 40}, {name: C}]\n"

func compile(t *testing.T) *scoring.Model {
	t.Helper()
	file, err := modelfile.Parse("m.yaml", []byte(tiers))
	if err != nil {
		t.Fatal(err)
	}
	m, err := scoring.Compile(file.Spec, file.Hash, modelfile.Conditions(), scoring.NewNames(file.Spec.Names()))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// day is an instant of November 2026; the 2nd is a Monday.
func day(n int) int64 { return time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC).UnixMilli() }

// The figures of a small history, worked out by hand.
func TestFigures(t *testing.T) {
	t.Parallel()
	tape := backtest.NewTape()
	cross := func(account string, at int64, to string, mqa bool) {
		if _, err := tape.Change(account, &scoring.Crossing{At: at, To: to, MQA: mqa}); err != nil {
			t.Fatal(err)
		}
	}
	outcome := func(account, kind string, at int64) {
		tape.Outcome(&scoring.Event{Account: account, Type: "outcome." + kind, Time: at})
	}
	cross("hit", day(3), "A", true)
	outcome("hit", "opportunity", day(10))
	outcome("hit", "won", day(12))
	cross("miss", day(3), "B", false)
	cross("miss", day(17), "A", true)
	cross("miss", day(18), "C", false)
	outcome("miss", "lost", day(20))
	cross("before", day(17), "A", true) // was won before it came in
	outcome("before", "won", day(2))
	cross("again", day(4), "A", true)
	cross("again", day(5), "C", false)
	cross("again", day(18), "A", true)
	outcome("unseen", "won", day(9)) // no event of it
	cross("gone", day(3), "B", false)
	outcome("gone", "won", day(9)) // it was merged into heir later
	var standings []offline.Score
	for account, tier := range map[string]string{"hit": "A", "miss": "C", "before": "A", "again": "A", "heir": "C", "idle": "C"} {
		standings = append(standings, offline.Score{Account: account, Tier: tier})
	}
	heir := func(account string) string {
		if account == "gone" {
			return "heir"
		}
		return account
	}
	m := compile(t)
	got, err := json.Marshal(tape.Report(m, standings, heir, day(24)))
	if err != nil {
		t.Fatal(err)
	}
	// Good: hit, before, unseen, heir, of 7. A: hit, miss and again count, before does not.
	want := `{"model":"m","version":2,"hash":"` + m.Hash() + `","accounts":6,"tier_changes":9,` +
		`"tiers":[{"tier":"A","accounts":3,"entered":4},{"tier":"B","accounts":0,"entered":2},{"tier":"C","accounts":3,"entered":2}],"mqas":5,` +
		`"mqas_by_week":[{"week":"2026-11-02","mqas":2},{"week":"2026-11-09","mqas":0},{"week":"2026-11-16","mqas":3},{"week":"2026-11-23","mqas":0}],` +
		`"outcomes":{"events":6,"good":4,"base":0.5714285714285714,"tiers":[` +
		`{"tier":"A","entered":3,"hits":1,"precision":0.3333333333333333,"recall":0.25,"lift":0.5833333333333334},` +
		`{"tier":"B","entered":2,"hits":1,"precision":0.5,"recall":0.25,"lift":0.875}]}}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Without outcomes there is nothing to say of them.
func TestNothingIsForetoldWithoutOutcomes(t *testing.T) {
	t.Parallel()
	r := backtest.NewTape().Report(compile(t), nil, func(a string) string { return a }, day(2))
	if r.Outcomes != nil || r.MQAs != 0 || len(r.Weeks) != 0 || len(r.Tiers) != 3 {
		t.Errorf("got %+v", r)
	}
}
