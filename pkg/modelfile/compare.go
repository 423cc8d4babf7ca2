package modelfile

import (
	"strings"

	"github.com/expr-lang/expr/vm/runtime"

	"tidemark/scoring"
)

// comparison answers for two values, neither of them missing: of any kind, and the
// same for two texts.
type comparison struct {
	any   func(a, b any) scoring.Truth
	texts func(a, b string) bool
}

var comparisons = map[string]comparison{
	"==": {equal, func(a, b string) bool { return a == b }},
	"!=": {func(a, b any) scoring.Truth { return not(equal(a, b)) }, func(a, b string) bool { return a != b }},
	"<":  ordered(func(a, b float64) bool { return a < b }, func(a, b string) bool { return a < b }),
	"<=": ordered(func(a, b float64) bool { return a <= b }, func(a, b string) bool { return a <= b }),
	">":  ordered(func(a, b float64) bool { return a > b }, func(a, b string) bool { return a > b }),
	">=": ordered(func(a, b float64) bool { return a >= b }, func(a, b string) bool { return a >= b }),

	"startsWith": textual(strings.HasPrefix),
	"endsWith":   textual(strings.HasSuffix),
	"contains":   textual(strings.Contains),
}

func compared(a, b value, compare func(a, b any) scoring.Truth) condition {
	if a == nil || b == nil {
		return nil
	}
	return func(s subject) scoring.Truth {
		x, ok := a(s)
		if !ok {
			return scoring.Unknown
		}
		y, ok := b(s)
		if !ok {
			return scoring.Unknown
		}
		return compare(x, y)
	}
}

func equal(a, b any) scoring.Truth {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return truth(x == y)
		}
	case float64:
		if y, ok := b.(float64); ok {
			return truth(x == y)
		}
		if y, ok := b.(int); ok {
			return truth(x == float64(y))
		}
	case bool:
		if y, ok := b.(bool); ok {
			return truth(x == y)
		}
	}
	return truth(runtime.Equal(a, b))
}

func not(t scoring.Truth) scoring.Truth {
	if t == scoring.True {
		return scoring.False
	}
	return scoring.True
}

// ordered compares two numbers or two texts; all else has no order.
func ordered(numbers func(a, b float64) bool, texts func(a, b string) bool) comparison {
	return comparison{texts: texts, any: func(a, b any) scoring.Truth {
		if x, ok := asNumber(a); ok {
			if y, ok := asNumber(b); ok {
				return truth(numbers(x, y))
			}
			return scoring.Unknown
		}
		if x, ok := a.(string); ok {
			if y, ok := b.(string); ok {
				return truth(texts(x, y))
			}
		}
		return scoring.Unknown
	}}
}

// asNumber knows the two kinds there are: JSON's and a literal's.
func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	}
	return 0, false
}

// textual asks something of two texts. The language answers false where one of
// them is null.
func textual(holds func(a, b string) bool) comparison {
	return comparison{texts: holds, any: func(a, b any) scoring.Truth {
		if runtime.IsNil(a) || runtime.IsNil(b) {
			return scoring.False
		}
		x, xok := a.(string)
		y, yok := b.(string)
		if !xok || !yok {
			return scoring.Unknown
		}
		return truth(holds(x, y))
	}}
}
