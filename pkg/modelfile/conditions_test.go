package modelfile

import (
	"strings"
	"testing"

	"tidemark/scoring"
)

const (
	T = scoring.True
	F = scoring.False
	U = scoring.Unknown
)

var acme = map[string]any{
	"employees": 500.0, "revenue": 4.5, "country": "CH", "industry": "fintech", "gone": nil,
	"public": true, "private": false, "technologies": []any{"kafka", "sap"}, "none": []any{},
	"count": 3.0, "type": "firm", "holes": []any{"a", nil}, "annual-revenue": 7.0, "founded": "2001-05-06",
}

func TestProfileExpressions(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]scoring.Truth{
		// Numbers are float64, literals are integers.
		`employees == 500`: T, `500 == employees`: T, `employees == 500.0`: T, `employees != 500`: F,
		`employees in [1, 500]`: T, `employees in [1, 2]`: F, `employees in 1..1000`: T, `revenue in 1..10`: F,
		`employees not in 1..10`: T, `country in 1..10`: F, `employees in 1..99999999`: T,
		`employees > 499.5 and revenue < 5`: T, `employees >= 500`: T, `employees <= 499`: F, `revenue > -1`: T,
		`employees / 2 == 250`: T, `employees + revenue > 504`: T, `-employees < 0`: T, `employees % 7 == 3`: U,
		`country in ["XX"]`: F, `country in ["XX", "CH"]`: T, `country == "CH"`: T, `country != "CH"`: F,
		`"kafka" in technologies`: T, `"KAFKA" in technologies`: F, `"a" in none`: F,
		`industry matches "^fin"`: T, `industry matches "^tech"`: F, `industry contains "nte"`: T,
		`industry startsWith "fin"`: T, `industry endsWith "x"`: F, `lower(country) == "ch"`: T,

		// Names that are also functions.
		`count == 3`: T, `type == "firm"`: T, `type(count) == "float"`: T, `min == 1`: U, `count([1], # == 1) + count == 4`: T,

		// Different kinds are not equal, and have no order.
		`employees == "500"`: F, `employees != "500"`: T, `country == 1`: F, `public == "true"`: F, `public == 1`: F,
		`employees < "500"`: U, `country > 5`: U, `public < private`: U, `technologies > 1`: U, `employees startsWith "5"`: U,
		`employees matches "5"`: U, `"a" in employees`: U, `"a" in country`: U, `employees in technologies`: F,

		// Missing and null are unknown, wherever they are read.
		`missing == 1`: U, `missing != 1`: U, `missing == nil`: U, `gone == nil`: U, `gone != nil`: U, `country == nil`: F,
		`not missing`: U, `not (missing == 1)`: U, `missing in ["a"]`: U, `missing not in ["a"]`: U, `"a" in missing`: U,
		`(missing ?? 5) == 5`: U, `(gone ?? "x") == "x"`: U, `(country ?? "x") == "CH"`: T,
		`missing.deep == 1`: U, `missing?.deep == 1`: U, `(missing?.deep ?? 1) == 1`: U, `missing > 1 ? true : true`: U,
		`$env["missing"] == 1`: U, `$env["annual-revenue"] == 7`: T, `$env.country == "CH"`: T, `get($env, "missing") == nil`: U,
		`get($env, "country") == "CH"`: T, `$env["coun" + "try"] == "CH"`: T, `"gone" in $env`: T, `"missing" in $env`: F,
		`len(missing) == 0`: U, `string(missing) == ""`: U, `[missing] == [1]`: U, `{"a": missing}.a == 1`: U,

		// What short-circuits is not read; what is read first decides.
		`true or missing`: T, `missing or true`: U, `false and missing`: F, `missing and false`: U,
		`true and missing == 1`: U, `public or missing > 1`: T, `private and missing > 1`: F, `public ? true : missing`: T,
		`private ? missing : false`: F, `private ? true : missing`: U, `employees > 1 || missing`: T, `!(private && missing)`: T,
		`any(["a", "b"], # == "a" or missing == 1)`: T, `any(["b", "a"], # == "a" or missing == 1)`: U,
		`all([], missing == 1)`: T, `none([], missing)`: T,

		// Elements.
		`technologies[0] == "kafka"`: T, `technologies[-1] == "sap"`: T, `technologies[2] == "x"`: U, `none[0] == nil`: U,
		`first(none) == nil`: U, `first(technologies) == "kafka"`: T, `last(technologies) == "sap"`: T, `last(none) == nil`: U,
		`any(holes, # == "a")`: T, `any(holes, # == "b")`: U, `all(holes, # == "a")`: U, `count(holes, # == "a") == 1`: U,
		`any(technologies, # == "sap")`: T, `count(technologies, # startsWith "s") == 1`: T, `len(technologies) == 2`: T,
		`any(technologies, {# == "sap"})`: T, `technologies[0:1] == ["kafka"]`: T, `map(technologies, upper(#)) == ["KAFKA", "SAP"]`: T,
		`technologies | any(# == "sap")`: T, `(technologies | filter(# == "x") | len()) == 0`: T,
		`find(technologies, # == "x") == nil`: T, `find(technologies, # == "x").name == 1`: U,
		`reduce(technologies, #acc + #, "") == "kafkasap"`: T, `let n = employees; n > 100`: T, `let n = missing; true`: U,
		`let country = 1; country == 1`: T, `sum([1, 2], # * employees) == 1500`: T, `1; employees == 500`: T,
		`if public { country == "CH" } else { missing }`: T,

		// No boolean.
		`employees`: U, `country`: U, `technologies`: U, `1 + 1`: U, `"true"`: U, `nil`: U, `public`: T, `private`: F, `true`: T,
		`not country`: U, `country and true`: U, `country or true`: U, `public and country`: U, `not not public`: T,
		`employees ? true : false`: U, `public == true`: T, `(employees > 1) == public`: T, `any(technologies, #)`: U,

		// The same everywhere and always.
		`keys({"b": 1, "a": 2})[0] == "a"`: T, `values({"b": 1, "a": 2})[0] == 2`: T, `toPairs({"b": 1, "a": 2})[0][0] == "a"`: T,
		`date(founded) < date("2002-01-01")`: T, `date(founded).Year() == 2001`: T, `string(date(founded)) contains "UTC"`: T,
		`date(founded, "2006-01-02", "Local") == date(founded)`: U, `timezone("Local") == nil`: U,
		`date(missing) < date("2002-01-01")`: U, `date("never") == date("never")`: U, `duration("1h") > duration("1m")`: T,
		`replace(country, "C", "X") == "XH"`: T, `join(technologies, "+") == "kafka+sap"`: T, `len(concat([1], [2])) == 2`: T,
		`uniq([1, 1]) == [1]`: T, `string(employees) == "500"`: T, `flatten([[1], [2]]) == [1, 2]`: T, `repeat("a", 3) == "aaa"`: T,
	} {
		parsed, err := parse(expr, profileScope{})
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		for way, eval := range ways(t, parsed) {
			if got := eval(subject{attributes: acme}); got != want {
				t.Errorf("%s by %s: got %s, want %s", expr, way, name(got), name(want))
			}
		}
	}
}

func TestEventExpressions(t *testing.T) {
	t.Parallel()
	event := &scoring.Event{
		Type: "engagement.page_view", Source: "/web", Strength: 2,
		Properties: scoring.Map{"path": "/pricing", "n": 3.0, "null": nil, "tags": []any{"a"}, "deep": map[string]any{"x": "y"}},
		Contact:    &scoring.Contact{Title: "VP", Fields: scoring.Map{"title": "VP", "role": nil}},
	}
	bare := &scoring.Event{Type: "t", Contact: &scoring.Contact{Fields: scoring.Map{}}}
	for _, c := range []struct {
		expr      string
		want, not scoring.Truth // for the full event, and for the bare one
	}{
		{`properties.path startsWith "/pricing"`, T, U},
		{`properties["path"] == "/pricing"`, T, U},
		{`properties?.path == "/pricing"`, T, U},
		{`(properties?.path ?? "/pricing") == "/pricing"`, T, U},
		{`properties.missing == nil`, U, U},
		{`properties.null == nil`, U, U},
		{`properties.path.deeper == 1`, U, U},
		{`properties.deep.x == "y"`, T, U},
		{`properties.deep.z == "y"`, U, U},
		{`get(properties, "z") == nil`, U, U},
		{`get(properties.deep, "x") == "y"`, T, U},
		{`"path" in properties`, T, U},
		{`"null" in properties`, T, U},
		{`"other" in properties`, F, U},
		{`not ("other" in properties)`, T, U},
		{`"a" in properties.tags`, T, U},
		{`properties.n in 1..5`, T, U},
		{`type == "engagement.page_view" and source == "/web"`, T, F},
		{`type startsWith "engagement."`, T, F},
		{`strength >= 2`, T, F},
		{`contact.title == "VP"`, T, U},
		{`contact.role == "x"`, U, U},
		{`contact == nil`, F, U},
		{`"title" in contact`, T, U},
		{`type == "t" or contact.title == "VP"`, T, T},
		{`type == "x" and contact.title == "VP"`, F, F},
		{`$env.type == "t"`, F, T},
		{`$env["strength"] == 2`, T, F},
		{`let p = properties; p.path == "/pricing"`, T, U},
		{`values(properties)[0] == 1`, U, U},
		{`len(keys(properties)) == 5`, T, U},
	} {
		parsed, err := parse(c.expr, eventScope{})
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		for way, eval := range ways(t, parsed) {
			if got := eval(subject{event: event}); got != c.want {
				t.Errorf("%s by %s: got %s, want %s", c.expr, way, name(got), name(c.want))
			}
			if got := eval(subject{event: bare}); got != c.not {
				t.Errorf("%s by %s on a bare event: got %s, want %s", c.expr, way, name(got), name(c.not))
			}
		}
	}
	if eval, _ := Conditions().Event(`contact.title == "VP"`); eval(&scoring.Event{}) != U {
		t.Error("an event without contact: want unknown")
	}
}

func TestBadExpressions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expr, event, profile string }{
		{`employees >> 5`, "unexpected token", "unexpected token"},
		{`(a`, "column", "column"},
		{`propertes.path == 1`, `unknown name propertes, did you mean "properties"? (an event has type, source,`, ""},
		{`employees > 5`, `unknown name employees`, ""},
		{`$env["empl"] > 5`, `unknown name empl`, ""},
		{`$env[type] == 5`, `$env takes a constant name`, ""},
		{`"a" in $env`, `$env cannot be used here`, ""},
		{`uper(type) == "A"`, `unknown function uper, did you mean "upper"?`, `did you mean "upper"`},
		{`type.foo() == 1`, ``, ``}, // no method: known in a run only
		{`date(type).Local() == 1`, `Local() is not allowed`, `Local() is not allowed`},
		{`now() > date(type)`, `now() is not allowed`, `now() is not allowed`},
		{`type matches "("`, `missing closing )`, `missing closing )`},
		{`1 < "a"`, `mismatched types`, `mismatched types`},
		{`upper(type, 2) == "a"`, `too many arguments`, `too many arguments`},
		{strings.Repeat("(type == source) or ", 1000) + "true", "maximum allowed nodes", "maximum allowed nodes"},
	} {
		_, err := Conditions().Event(c.expr)
		wantError(t, c.expr, err, c.event)
		_, err = Conditions().Profile(c.expr)
		wantError(t, c.expr, err, c.profile)
	}
}

func wantError(t *testing.T, expr string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: unexpected error: %v", expr, err)
	case want != "" && err == nil:
		t.Errorf("%s: no error, want %q", expr, want)
	case want != "" && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")):
		t.Errorf("%s: got error %q, want one line with %q", expr, err, want)
	}
}

// ways are the evaluators of an expression: the machine always, closures where
// they can.
func ways(t *testing.T, e *expression) map[string]evaluator {
	t.Helper()
	eval, err := e.machine()
	if err != nil {
		t.Fatalf("%s: %v", e.source, err)
	}
	out := map[string]evaluator{"machine": eval}
	if eval := e.closures(); eval != nil {
		out["closures"] = eval
	}
	return out
}

func name(t scoring.Truth) string { return [...]string{"unknown", "false", "true"}[t] }
