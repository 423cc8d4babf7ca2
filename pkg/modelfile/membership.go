package modelfile

import (
	"regexp"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm/runtime"

	"tidemark/scoring"
)

// in compiles `value in list`: a list of constants, a range of constants, or
// what a name or member holds.
func (b builder) in(n *ast.BinaryNode) condition {
	needle := b.value(n.Left)
	if needle == nil {
		return nil
	}
	switch right := n.Right.(type) {
	case *ast.ArrayNode:
		return inConstants(needle, b.text(n.Left), right)
	case *ast.BinaryNode:
		return inConstantRange(needle, right)
	}
	return compared(needle, b.value(n.Right), contained)
}

func inConstants(needle value, text words, list *ast.ArrayNode) condition {
	items := make([]any, len(list.Nodes))
	var texts []string // of them
	for i, n := range list.Nodes {
		v, ok := literal(n)
		if !ok {
			return nil
		}
		items[i] = v
		if t, ok := v.(string); ok {
			texts = append(texts, t)
		}
	}
	return oneText(text, func(t string) bool { return slices.Contains(texts, t) }, func(s subject) scoring.Truth {
		v, ok := needle(s)
		if !ok {
			return scoring.Unknown
		}
		return among(items, v)
	})
}

func inConstantRange(needle value, span *ast.BinaryNode) condition {
	if span.Operator != ".." {
		return nil
	}
	from, fromOK := literal(span.Left)
	to, toOK := literal(span.Right)
	first, firstOK := from.(int)
	last, lastOK := to.(int)
	if !fromOK || !toOK || !firstOK || !lastOK {
		return nil
	}
	return func(s subject) scoring.Truth {
		v, ok := needle(s)
		if !ok {
			return scoring.Unknown
		}
		return truth(inRange(v, first, last))
	}
}

// contained is `needle in haystack` for a list or a map of the event or profile.
func contained(needle, haystack any) scoring.Truth {
	switch h := haystack.(type) {
	case []any:
		return among(h, needle)
	case map[string]any:
		if key, ok := needle.(string); ok {
			_, has := h[key]
			return truth(has)
		}
	}
	return slowly(func() bool { return runtime.In(needle, haystack) })
}

func among(items []any, v any) scoring.Truth {
	for _, item := range items {
		if equal(item, v) == scoring.True {
			return scoring.True
		}
	}
	return scoring.False
}

// slowly asks the language's own runtime, which panics where it has no answer.
func slowly(ask func() bool) (t scoring.Truth) {
	defer func() {
		if recover() != nil {
			t = scoring.Unknown
		}
	}()
	return truth(ask())
}

// matches compiles `value matches "constant"`.
func (b builder) matches(n *ast.BinaryNode) condition {
	pattern, ok := n.Right.(*ast.StringNode)
	text := b.value(n.Left)
	if !ok || text == nil {
		return nil
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		return nil // the machine says what is wrong with it
	}
	return oneText(b.text(n.Left), re.MatchString, func(s subject) scoring.Truth {
		v, ok := text(s)
		if !ok {
			return scoring.Unknown
		}
		if t, ok := v.(string); ok {
			return truth(re.MatchString(t))
		}
		if runtime.IsNil(v) {
			return scoring.False
		}
		return scoring.Unknown
	})
}
