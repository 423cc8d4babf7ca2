package modelfile

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tidemark/scoring"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden error texts in testdata")

func TestBadFilesSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no bad examples: %v", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := Parse(filepath.Base(path), data)
		if err == nil {
			t.Errorf("%s: no error, got %+v", path, file.Spec)
			continue
		}
		golden := strings.TrimSuffix(path, ".yaml") + ".txt"
		got := err.Error() + "\n"
		if *rewrite {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%swant\n%s", path, got, want)
		}
	}
}

func TestGoodFiles(t *testing.T) {
	t.Parallel()
	file, err := Load("testdata/good/edges.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := file.Spec
	figure := func(f float64) *float64 { return &f }
	hours := int64(3_600_000)
	want := []scoring.GroupSpec{
		{Name: "intent", Cap: figure(34)},
		{Name: "engagement"},
		{Name: "loyalty", Cap: figure(10)},
		{Name: "negative", Floor: figure(-22)},
	}
	if !reflect.DeepEqual(s.Groups, want) {
		t.Errorf("groups: got %+v, want %+v", s.Groups, want)
	}
	signal := scoring.SignalSpec{
		Name: "careers", Group: "negative", Type: "engagement.page_view", Where: `properties.path == "/careers"`,
		Points: -10, HalfLife: 60 * hours, Limit: figure(3), IgnoreSeniority: true,
	}
	if !reflect.DeepEqual(s.Signals[6], signal) {
		t.Errorf("signals[6]: got %+v, want %+v", s.Signals[6], signal)
	}
	tier := scoring.TierSpec{
		Name: "T1", Min: figure(74), MQA: true, Hysteresis: 7, MinDwell: 30 * hours, Cooldown: 96 * hours,
		Requires: scoring.RequiresSpec{People: 2, Roles: 1, Groups: []scoring.GroupFigure{{Group: "engagement", Min: 18}}},
	}
	if !reflect.DeepEqual(s.Tiers[0], tier) {
		t.Errorf("tiers[0]: got %+v, want %+v", s.Tiers[0], tier)
	}
	if s.Signals[5].HalfLife != scoring.Never || s.Signals[2].OncePer != 12*hours || !s.ICP.UnknownInside || *s.ICP.OutsideMax != 24.5 {
		t.Errorf("got %+v", s)
	}
	if s.Portfolio != nil || s.Tiers[3].Min != nil || s.Committee.Window != 12*24*hours || s.Score.Max != nil {
		t.Errorf("got %+v", s)
	}
	every, err := Load("testdata/good/every-key.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if p := every.Spec.Portfolio; len(p.Classes) != 3 || p.Classes[1].ClusterSize != 15 || every.Spec.ReviewEvery != 270*24*hours {
		t.Errorf("got %+v", every.Spec)
	}
}

func TestHashIsOfWhatTheFileSays(t *testing.T) {
	t.Parallel()
	hash := func(text string) string {
		file, err := Parse("m", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return file.Hash
	}
	base := hash("name: m\ngroups: {a: {cap: 1}, b: {}}\n")
	for _, same := range []string{
		"# a comment\nname: \"m\"\ngroups:\n  a:\n    cap: 1.0\n  b: {}\n",
		"name: m\ngroups: {a: {cap: 1}, b: {}}",
	} {
		if hash(same) != base {
			t.Errorf("another hash for %q", same)
		}
	}
	for _, other := range []string{
		"name: m\ngroups: {b: {}, a: {cap: 1}}", "name: m\ngroups: {a: {cap: 2}, b: {}}", "name: m\ngroups: {a: {cap: 1}}",
	} {
		if hash(other) == base {
			t.Errorf("the same hash for %q", other)
		}
	}
}

func TestFaultsGetTheirLines(t *testing.T) {
	t.Parallel()
	file, err := Parse("model.yaml", []byte(`name: m
groups:
  a.b: {cap: 1}
  a:
signals:
  - name: s
    group: g
    match: {type: t}
    points: 1
    half_life: 7d
tiers: [{name: A, requires: {groups: {a: 5}}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	got := file.Explain(scoring.Faults{
		{Path: "tiers[0].requires.groups.a", Text: "t5"},
		{Path: "signals[0].half_life", Text: "t3"},
		{Path: "signals[0].limit", Text: "t2"},
		{Path: "signals[7].limit", Text: "t1"},
		{Path: "groups.a.b.cap", Text: "t4"},
		{Path: "groups.a", Text: "t6"},
		{Path: "icp.outside_max", Text: "t7"},
		{Path: "", Text: "t8"},
	}).Error()
	want := `model.yaml:1:1: icp.outside_max: t7
model.yaml:1:1: t8
model.yaml:3:14: groups.a.b.cap: t4
model.yaml:4:3: groups.a: t6
model.yaml:6:3: signals[7].limit: t1
model.yaml:6:5: signals[0].limit: t2
model.yaml:10:16: signals[0].half_life: t3
model.yaml:11:42: tiers[0].requires.groups.a: t5`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := file.Faults(nil); err != nil {
		t.Errorf("no faults: got %v", err)
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	t.Parallel()
	file, err := Parse("m", []byte(`
signals:
  - &base {name: a, group: g, match: {type: t}, points: 1, half_life: 7d}
  - <<: *base
    name: b
    points: 2
  - {<<: [{points: 3}, *base], name: c}
icp: {require: [&e "x > 1", *e], outside_max: !!float 5}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := file.Spec.Signals
	if s[1].Name != "b" || s[1].Points != 2 || s[1].Group != "g" || s[2].Points != 3 || s[2].Type != "t" || s[2].Name != "c" {
		t.Errorf("got %+v", s)
	}
	if r := file.Spec.ICP.Require; len(r) != 2 || r[1] != "x > 1" {
		t.Errorf("got %q", r)
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("m", data)
		if err == nil && (file.Hash == "" || file.root == nil) {
			t.Errorf("neither file nor error for %q", data)
		}
	})
}

func FuzzConditions(f *testing.F) {
	for _, expr := range []string{`a > 1 and b in ["x"]`, `any(a, # == b?.c)`, `let x = a; x ?? 1`, `$env["a"][0]`, `{"a": b}.a`} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		parsed, err := parse(expr, profileScope{})
		if err != nil {
			return
		}
		machine, err := parsed.machine()
		if err != nil {
			return
		}
		got := machine(subject{attributes: acme})
		if closures := parsed.closures(); closures != nil {
			if c := closures(subject{attributes: acme}); c != got {
				t.Errorf("%s: closures %s, machine %s", expr, name(c), name(got))
			}
		}
	})
}
