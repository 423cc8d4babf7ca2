package modelfile

import (
	"fmt"

	"tidemark/scoring"
)

// Warning is something allowed that is hardly meant.
type Warning struct {
	Path string // as in the model file: signals[3].match.where
	Text string
}

// Warnings looks at the expressions of a Spec: one that never comes to a
// boolean is always unknown. Those that do not compile are left to Compile.
func Warnings(spec *scoring.Spec) []Warning {
	var out []Warning
	add := func(s scope, expr, path string, args ...any) {
		if expr == "" {
			return
		}
		if parsed, err := parse(expr, s); err == nil && parsed.neverBoolean() {
			out = append(out, Warning{fmt.Sprintf(path, args...), fmt.Sprintf(
				"%q gives %s, never a boolean: it is always unknown", expr, parsed.static)})
		}
	}
	if spec.ICP != nil {
		for i, expr := range spec.ICP.Require {
			add(profileScope{}, expr, "icp.require[%d]", i)
		}
		for i, expr := range spec.ICP.Exclude {
			add(profileScope{}, expr, "icp.exclude[%d]", i)
		}
	}
	for i, rule := range spec.Fit.Rules {
		add(profileScope{}, rule.When, "fit.rules[%d].when", i)
	}
	for i, signal := range spec.Signals {
		add(eventScope{}, signal.Where, "signals[%d].match.where", i)
	}
	if spec.Holds != nil {
		add(eventScope{}, spec.Holds.ReleasedBy.When, "holds.released_by.when")
		for i, rule := range spec.Holds.Rules {
			add(eventScope{}, rule.When, "holds.rules[%d].when", i)
		}
	}
	if spec.Portfolio != nil {
		for i, rule := range spec.Portfolio.Attractiveness {
			add(profileScope{}, rule.When, "portfolio.attractiveness[%d].when", i)
		}
		for i, rule := range spec.Portfolio.Potential {
			add(profileScope{}, rule.When, "portfolio.potential[%d].when", i)
		}
	}
	return out
}
