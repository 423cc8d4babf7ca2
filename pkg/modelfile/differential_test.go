package modelfile

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"tidemark/scoring"
)

// The closures must come to what the virtual machine comes to, for any
// expression that they take and whatever a profile or event holds.
func TestClosuresAgreeWithMachine(t *testing.T) {
	t.Parallel()
	taken := 0
	for seed := range uint64(6000) {
		g := &generator{rand.New(rand.NewPCG(seed, 1))}
		expr := g.condition(3)
		closures, machine := bothOf(t, expr, profileScope{})
		if closures == nil {
			continue
		}
		taken++
		for range 12 {
			s := subject{attributes: g.attributes()}
			if got, want := closures(s), machine(s); got != want {
				t.Fatalf("%s\nof %#v\nclosures: %s, machine: %s", expr, s.attributes, name(got), name(want))
			}
		}
	}
	if taken < 3000 {
		t.Errorf("only %d of 6000 expressions had closures", taken)
	}
}

// bothOf are the closures and the machine of an expression; nil where it has no closures, or
// compares two literals that cannot be compared.
func bothOf(t *testing.T, expr string, of scope) (closures, machine condition) {
	t.Helper()
	parsed, err := parse(expr, of)
	if err != nil {
		return nil, nil
	}
	if closures = parsed.closures(); closures == nil {
		return nil, nil
	}
	if machine, err = parsed.machine(); err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return closures, machine
}

// So they must of an event, whose objects are read by name.
func TestClosuresAgreeWithMachineOverEvents(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile(`(^|[^."\w])(text|number|flag|list|object|other|missing|count)\b`)
	taken := 0
	for seed := range uint64(2000) {
		g := &generator{rand.New(rand.NewPCG(seed, 2))}
		expr := strings.ReplaceAll(g.condition(3), "$env", "properties")
		expr = names.ReplaceAllStringFunc(expr, func(name string) string {
			at := strings.IndexFunc(name, unicode.IsLetter)
			return name[:at] + map[string]string{
				"flag": "contact?.flag", "object": "properties", "other": "type", "count": "$env.contact", "missing": `$env["properties"].text`,
			}[name[at:]] + map[bool]string{true: "properties." + name[at:]}[strings.Contains("text number list", name[at:])]
		})
		closures, machine := bothOf(t, expr, eventScope{})
		if closures == nil {
			continue
		}
		taken++
		for n := range 12 {
			e := &scoring.Event{Type: g.pick("a", "b", "ab"), Properties: scoring.Map(g.attributes()), Contact: &scoring.Contact{Fields: scoring.Map(g.attributes())}}
			switch n {
			case 0:
				e.Properties, e.Contact = nil, nil
			case 1:
				e.Properties, e.Contact.Fields = scoring.Map(nil), scoring.Map{}
			}
			s := subject{event: e}
			if got, want := closures(s), machine(s); got != want {
				t.Fatalf("%s\nof %#v\nclosures: %s, machine: %s", expr, e, name(got), name(want))
			}
		}
	}
	if taken < 900 {
		t.Errorf("only %d of 2000 expressions had closures", taken)
	}
}

// generator makes random expressions and profiles from a small vocabulary, so
// that they often meet.
type generator struct{ *rand.Rand }

func (g *generator) pick(s ...string) string { return s[g.IntN(len(s))] }

func (g *generator) condition(depth int) string {
	if depth == 0 {
		return g.comparison()
	}
	a, b := g.condition(depth-1), g.condition(depth-1)
	switch g.IntN(7) {
	case 0:
		return "(" + a + g.pick(" and ", " && ") + b + ")"
	case 1:
		return "(" + a + g.pick(" or ", " || ") + b + ")"
	case 2:
		return g.pick("not ", "!") + "(" + a + ")"
	case 3:
		return "(" + a + " ? " + b + " : " + g.condition(depth-1) + ")"
	case 4:
		return "(" + a + ") == (" + b + ")"
	}
	return g.comparison()
}

func (g *generator) comparison() string {
	switch g.IntN(8) {
	case 0:
		return g.value() + g.pick(" in ", " not in ") + g.pick(`["a", "b"]`, `[1, 2, 3.5]`, `["a", 1, true, nil]`, `[]`, `[-1, 0]`)
	case 1:
		return g.value() + " in " + g.pick("1..3", "0..2", "-2..1", "5..1")
	case 2:
		return g.value() + " in " + g.pick("list", "object", "other", "$env.list")
	case 3:
		return g.value() + " matches " + g.pick(`"^a"`, `"b$"`, `"."`)
	case 4:
		return g.value() + g.pick(" startsWith ", " endsWith ", " contains ") + g.value()
	case 5:
		return g.pick("flag", "text", "true", "false", "missing", "object.deep")
	}
	return g.value() + g.pick(" == ", " != ", " < ", " <= ", " > ", " >= ") + g.value()
}

func (g *generator) value() string {
	return g.pick("text", "number", "flag", "list", "object", "missing", "other", "object.text", "object?.text", "object.deep.text",
		`object["number"]`, `$env["number"]`, "count", `"a"`, `"b"`, `"ab"`, "1", "2", "3.5", "-1", "0", "true", "nil")
}

func (g *generator) attributes() map[string]any {
	out := map[string]any{}
	for _, key := range []string{"text", "number", "flag", "list", "object", "other", "count"} {
		if g.IntN(5) > 0 {
			out[key] = g.attribute(key, 2)
		}
	}
	return out
}

func (g *generator) attribute(key string, depth int) any {
	if g.IntN(6) == 0 {
		key = g.pick("text", "number", "flag", "list", "object", "null")
	}
	switch key {
	case "text":
		return g.pick("a", "b", "ab", "")
	case "number", "count":
		return []any{0.0, 1.0, 2.0, 3.5, -1.0}[g.IntN(5)]
	case "flag":
		return g.IntN(2) == 0
	case "list":
		return []any{"a", g.pick("b", "c"), g.attribute("other", 0)}[:g.IntN(4)]
	case "object":
		if depth == 0 {
			return map[string]any{}
		}
		return map[string]any{"text": g.attribute("text", 0), "number": g.attribute("number", 0), "deep": g.attribute("object", depth-1)}
	case "null":
		return nil
	}
	return g.attribute(g.pick("text", "number", "flag", "null"), 0)
}

// Nothing that a model can say may hang or exhaust the process.
func TestHostileExpressionsAreUnknown(t *testing.T) {
	t.Parallel()
	doubling := `let a = text + text; let b = a + a; `
	for i := range 40 {
		doubling += fmt.Sprintf("let v%d = %s + %[2]s; ", i, map[bool]string{true: "b", false: fmt.Sprintf("v%d", i-1)}[i == 0])
	}
	lists := `let l0 = [1, text]; `
	for i := range 40 {
		lists += fmt.Sprintf("let l%d = [l%d, l%[2]d]; ", i+1, i)
	}
	for _, expr := range []string{
		`let r = 1..9999; any(r, any(r, any(r, false)))`,
		`len(1..100000000) > 0`,
		`len(repeat(text, 1000000)) > 0`,
		`len(replace(repeat("a", 9999), "a", repeat("b", 9999))) > 0`,
		`len(join(split(repeat("a,", 9999), ","), repeat("b", 9999))) > 0`,
		`len(string(reduce(1..60, [#acc, #acc], [1]))) > 0`,
		`reduce(1..60, #acc + #acc, "a") == ""`,
		`reduce(1..60, concat(#acc, #acc), [1]) == []`,
		`len(uniq(1..9999)) == 9999`,
		`map(1..9999, 1..9999) == []`,
		doubling + `v39 == ""`,
		lists + `l40 == l39`,
	} {
		eval, err := Conditions().Profile(expr)
		if err != nil {
			t.Errorf("%.60s: %v", expr, err)
			continue
		}
		begun := time.Now()
		if got := eval(map[string]any{"text": "some text"}); got != U {
			t.Errorf("%.60s: got %s, want unknown", expr, name(got))
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%.60s: took %v", expr, took)
		}
	}
}

func TestEvaluatorsAreSafeTogether(t *testing.T) {
	t.Parallel()
	eval, err := Conditions().Profile(`let n = number; any(list, # == text) and n > 1`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			want := truth(i%2 == 0)
			for range 500 {
				if got := eval(map[string]any{"list": []any{"a", "b"}, "text": []any{"b", "c"}[i%2], "number": 2.0}); got != want {
					t.Errorf("got %s, want %s", name(got), name(want))
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	spec := &scoring.Spec{
		ICP:     &scoring.ICPSpec{Require: []string{"a > 1", "1 + 1"}, Exclude: []string{`upper("x")`}},
		Fit:     scoring.FitSpec{Rules: []scoring.FitRuleSpec{{When: "a"}, {When: "len(a)"}}},
		Signals: []scoring.SignalSpec{{}, {Where: `type == "a"`}, {Where: `[type]`}},
		Portfolio: &scoring.PortfolioSpec{
			Attractiveness: []scoring.AxisRuleSpec{{When: "a ? 1 : 2"}},
			Potential:      []scoring.AxisRuleSpec{{When: "not a"}, {When: "{}"}},
		},
	}
	var got []string
	for _, w := range Warnings(spec) {
		got = append(got, w.Path)
		if !strings.Contains(w.Text, "never a boolean") {
			t.Errorf("%s: %s", w.Path, w.Text)
		}
	}
	want := "icp.require[1] icp.exclude[0] fit.rules[1].when signals[2].match.where portfolio.attractiveness[0].when portfolio.potential[1].when"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func BenchmarkConditions(b *testing.B) {
	for _, expr := range []string{
		`employees >= 50`,
		`industry in ["software", "healthcare", "logistics", "fintech"] and employees >= 50 and not (country == "XX")`,
		`"sap" in technologies`,
	} {
		parsed, err := parse(expr, profileScope{})
		if err != nil {
			b.Fatal(err)
		}
		machine, err := parsed.machine()
		if err != nil {
			b.Fatal(err)
		}
		for _, way := range []struct {
			name string
			eval evaluator
		}{{"closures", parsed.closures()}, {"machine", machine}} {
			b.Run(way.name+"/"+expr[:12], func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if way.eval(subject{attributes: acme}) != T {
						b.Fatal("want true")
					}
				}
			})
		}
	}
}
