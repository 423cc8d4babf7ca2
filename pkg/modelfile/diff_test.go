package modelfile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tidemark/configs"
)

func diffed(t *testing.T, a, b string) []string {
	t.Helper()
	x, err := Parse("a.yaml", []byte(a))
	if err != nil {
		t.Fatal(err)
	}
	y, err := Parse("b.yaml", []byte(b))
	if err != nil {
		t.Fatal(err)
	}
	say := func(s *string) string {
		if s == nil {
			return "-"
		}
		return *s
	}
	var out []string
	for _, d := range Diff(x, y) {
		out = append(out, fmt.Sprintf("%s: %s > %s (%s)", d.Path, say(d.Before), say(d.After), d.Effect))
	}
	return out
}

func TestDifferencesInTheWordsOfTheModel(t *testing.T) {
	t.Parallel()
	reference := string(configs.ReferenceModel())
	for _, c := range []struct {
		old, to string // in the reference model
		want    []string
	}{
		{"version: 1", "version: 2", []string{"version: 1 > 2 ()"}},
		{"points: 30, half_life: 7d", "points: 35, half_life: 8d", []string{"signals[pricing-page].points: 30 > 35 (at once)", "signals[pricing-page].half_life: 7d > 8d (from then on)"}},
		{`startsWith "/pricing"`, `startsWith "/prices"`, []string{`signals[pricing-page].match.where: properties.path startsWith "/pricing" > properties.path startsWith "/prices" (from then on)`}},
		{"{name: A, min: 85,", "{name: A, min: 80,", []string{"tiers[A].min: 85 > 80 (at once)"}},
		{"requires: {people: 1}", "requires: {people: 1, roles: 2}", []string{"tiers[A].requires.roles: - > 2 (at once)"}},
		{"negative: {floor: -40}", "negative: {}", []string{"groups.negative.floor: -40 > - (at once)"}},
		{"    - employees >= 50\n", "    - employees >= 20\n", []string{"icp.require[employees >= 50]: employees >= 50 > - (at once)", "icp.require[employees >= 20]: - > employees >= 20 (at once)"}},
		{"is: vp}", "is: boss}", []string{`contacts.seniority[\b(vp|vice president|head of)\b].is: vp > boss (from then on)`}},
		{"vp: 1.5", "vp: 1.6", []string{"contacts.multipliers.vp: 1.5 > 1.6 (from then on)"}},
		{"publish_attributes: [owner, territory, industry]", "publish_attributes: [industry, owner]", []string{"publish_attributes[territory]: territory > - ()"}},
		{
			"  - {name: unsubscribed, group: negative, match: {type: engagement.unsubscribed}, points: -25, half_life: 30d, limit: 1, by_seniority: false}\n", "",
			[]string{"signals[unsubscribed]: {name: unsubscribed, group: negative, match: {type: engagement.unsubscribed}, points: -25, half_life: 30d, limit: 1, by_seniority: false} > - (at once)"},
		},
		{
			"surge:\n", "surge:\n  - {name: rush, group: engagement, short: 1d, long: 7d, ratio: 2, points: 3}\n",
			[]string{"surge[rush]: - > {name: rush, group: engagement, short: 1d, long: 7d, ratio: 2, points: 3} (from then on)"},
		},
		{"committee: {window: 30d, points_per_role: 5, cap: 15}\n", "", []string{"committee.points_per_role: 5 > - (at once)", "committee.cap: 15 > - (at once)"}},
		{"negative: {floor: -40}", "negative: {floor: -40}\n  more: {}", []string{"groups.more: - > {} (at once)"}},
		{"identity: {late: true}", "identity: {late: false}", []string{"identity.late: true > false (from then on)"}},
	} {
		if !strings.Contains(reference, c.old) {
			t.Fatalf("the reference model has no %q", c.old)
		}
		changed := strings.Replace(reference, c.old, c.to, 1)
		if got := diffed(t, reference, changed); !slices.Equal(got, c.want) {
			t.Errorf("%q for %q:\n got %q\nwant %q", c.to, c.old, got, c.want)
		}
		if got := diffed(t, changed, reference); len(got) != len(c.want) {
			t.Errorf("the other way round: got %q", got)
		}
	}
}

// What only looks different is the same.
func TestWrittenDifferently(t *testing.T) {
	t.Parallel()
	reference := string(configs.ReferenceModel())
	for _, pair := range [][2]string{
		{"half_life: 7d", "half_life: 168h"},
		{"version: 1", "version: 1 # the first"},
		{"{name: B, min: 60, hysteresis: 5}", "{name: B, mqa: false, cooldown: 0d, min: 60.0, hysteresis: 5}"},
		{"limit: 1.5, once_per: 1d}", "limit: 1.5, by_seniority: true, once_per: 24h}"},
		{"committee: {window: 30d, ", "committee: {"},
		{"  intent: {cap: 40}\n  engagement: {cap: 60}\n", "  engagement: {cap: 60}\n  intent: {cap: 40}\n"},
		{"cooldown: 0s, ", ""},
		{"unknown: outside ", " "},
		{"score: {min: 0, max: 100}\n", ""},
	} {
		if !strings.Contains(reference, pair[0]) {
			t.Fatalf("the reference model has no %q", pair[0])
		}
		changed := strings.Replace(reference, pair[0], pair[1], 1)
		if got := append(diffed(t, reference, changed), diffed(t, changed, reference)...); len(got) != 0 {
			t.Errorf("%q for %q: got %q, want no difference", pair[1], pair[0], got)
		}
	}
}

// Of patterns the first that fits wins, so their order is told.
func TestOrderIsTold(t *testing.T) {
	t.Parallel()
	const one, other = `{match: x, is: a}`, `{match: y, is: b}`
	model := func(first, second string) string {
		return "name: m\nversion: 1\ncontacts: {roles: [" + first + ", " + second + "]}\n"
	}
	want := []string{"contacts.roles (order): x, y > y, x (from then on)"}
	if got := diffed(t, model(one, other), model(other, one)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
