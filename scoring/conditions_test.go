package scoring_test

import (
	"fmt"
	"strconv"
	"strings"

	"tidemark/scoring"
)

// miniConditions is a tiny expression language for tests, so that scoring is
// tested without the loader of model files: "<name> <op> <number or quoted>",
// with == != < <= > >= and startsWith; properties.x reads a property.
type miniConditions struct{}

func (miniConditions) Profile(expr string) (func(map[string]any) scoring.Truth, error) {
	c, err := parseComparison(expr)
	if err != nil {
		return nil, err
	}
	return func(attributes map[string]any) scoring.Truth { return c.holds(attributes[c.name]) }, nil
}

func (miniConditions) Event(expr string) (func(*scoring.Event) scoring.Truth, error) {
	c, err := parseComparison(expr)
	if err != nil {
		return nil, err
	}
	if property, ok := strings.CutPrefix(c.name, "properties."); ok {
		return func(e *scoring.Event) scoring.Truth { return c.holds(member(e.Properties, property)) }, nil
	}
	switch c.name {
	case "strength":
		return func(e *scoring.Event) scoring.Truth { return c.holds(e.Strength) }, nil
	case "source":
		return func(e *scoring.Event) scoring.Truth { return c.holds(e.Source) }, nil
	}
	return nil, fmt.Errorf("no %q in an event", c.name)
}

type comparison struct {
	name, op string
	value    any
}

func parseComparison(expr string) (comparison, error) {
	parts := strings.SplitN(expr, " ", 3)
	if len(parts) != 3 {
		return comparison{}, fmt.Errorf("%q: want <name> <op> <value>", expr)
	}
	c := comparison{name: parts[0], op: parts[1]}
	if text, err := strconv.Unquote(parts[2]); err == nil {
		c.value = text
		return c, nil
	}
	number, err := strconv.ParseFloat(parts[2], 64)
	c.value = number
	return c, err
}

func (c comparison) holds(v any) scoring.Truth {
	order := 0
	switch want := c.value.(type) {
	case string:
		got, ok := v.(string)
		if !ok {
			return scoring.Unknown
		}
		if c.op == "startsWith" {
			return truth(strings.HasPrefix(got, want))
		}
		order = strings.Compare(got, want)
	case float64:
		got, ok := v.(float64)
		if !ok {
			return scoring.Unknown
		}
		if got < want {
			order = -1
		} else if got > want {
			order = 1
		}
	}
	switch c.op {
	case "==":
		return truth(order == 0)
	case "!=":
		return truth(order != 0)
	case "<":
		return truth(order < 0)
	case "<=":
		return truth(order <= 0)
	case ">":
		return truth(order > 0)
	case ">=":
		return truth(order >= 0)
	}
	return scoring.Unknown
}

func truth(b bool) scoring.Truth {
	if b {
		return scoring.True
	}
	return scoring.False
}

// member is the value of a name, nil where there is no object.
func member(o scoring.Object, name string) any {
	if o == nil {
		return nil
	}
	return o.Get(name)
}
