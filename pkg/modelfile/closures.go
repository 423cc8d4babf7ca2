package modelfile

import (
	"github.com/expr-lang/expr/ast"

	"tidemark/scoring"
)

// A value is what a part of an expression comes to; false: the whole expression
// is unknown. A condition is a value that should be a boolean.
type (
	value     func(subject) (any, bool)
	condition = evaluator
)

// closures compiles the common part of the language to Go functions, or returns
// nil. What it does compile must come to what the virtual machine comes to; a
// test compares them.
func (e *expression) closures() evaluator {
	return builder{e.scope}.condition(e.tree.Node)
}

type builder struct {
	scope scope
}

func (b builder) condition(n ast.Node) condition {
	switch n := n.(type) {
	case *ast.BoolNode:
		constant := truth(n.Value)
		return func(subject) scoring.Truth { return constant }
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return negate(b.condition(n.Node))
		}
		return nil
	case *ast.ConditionalNode:
		return choose(b.condition(n.Cond), b.condition(n.Exp1), b.condition(n.Exp2))
	case *ast.BinaryNode:
		return b.binary(n)
	}
	return asCondition(b.value(n))
}

func (b builder) binary(n *ast.BinaryNode) condition {
	switch n.Operator {
	case "and", "&&":
		return both(b.condition(n.Left), b.condition(n.Right))
	case "or", "||":
		return either(b.condition(n.Left), b.condition(n.Right))
	case "in":
		return b.in(n)
	case "matches":
		return b.matches(n)
	}
	compare, ok := comparisons[n.Operator]
	if !ok {
		return nil
	}
	return texts(b.text(n.Left), b.text(n.Right), compare.texts, compared(b.value(n.Left), b.value(n.Right), compare.any))
}

func (b builder) value(n ast.Node) value {
	if v, ok := literal(n); ok {
		return func(subject) (any, bool) { return v, true }
	}
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			return nil
		}
		return b.name(n.Value)
	case *ast.ChainNode:
		return b.value(n.Node)
	case *ast.MemberNode:
		return b.member(n)
	case *ast.UnaryNode, *ast.BinaryNode, *ast.ConditionalNode:
		return asValue(b.logic(n))
	}
	return nil
}

// logic is condition for a node that gives a boolean if anything: `a and b`
// gives whatever b is, and that may be compared with.
func (b builder) logic(n ast.Node) condition {
	if !boolean(n) {
		return nil
	}
	return b.condition(n)
}

func boolean(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BoolNode:
		return true
	case *ast.UnaryNode:
		return n.Operator == "not" || n.Operator == "!"
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||":
			return boolean(n.Right)
		case "in", "matches":
			return true
		}
		return comparisons[n.Operator].any != nil
	case *ast.ConditionalNode:
		return boolean(n.Exp1) && boolean(n.Exp2)
	}
	return false
}

func (b builder) name(name string) value {
	if _, ok := b.scope.(profileScope); ok {
		return func(s subject) (any, bool) {
			v := s.attributes[name]
			return v, v != nil
		}
	}
	return func(s subject) (any, bool) { return b.scope.read(s, name) }
}

func (b builder) member(n *ast.MemberNode) value {
	key, ok := n.Property.(*ast.StringNode)
	if !ok {
		return nil
	}
	if isEnv(n.Node) {
		return b.name(key.Value)
	}
	from, name := b.value(n.Node), key.Value
	if object := b.object(n.Node); object != nil {
		return func(s subject) (any, bool) {
			if o := object(s); o != nil {
				v := o.Get(name)
				return v, v != nil
			}
			return nil, false
		}
	}
	if from == nil {
		return nil
	}
	return func(s subject) (any, bool) {
		v, ok := from(s)
		if !ok {
			return nil, false
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false // lists have no names, and nothing else has members
		}
		v = m[name]
		return v, v != nil
	}
}

// literal is the value of a constant.
func literal(n ast.Node) (any, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.BoolNode:
		return n.Value, true
	case *ast.NilNode:
		return nil, true
	case *ast.UnaryNode:
		v, ok := literal(n.Node)
		switch v := v.(type) {
		case int:
			return -v, ok && n.Operator == "-"
		case float64:
			return -v, ok && n.Operator == "-"
		}
	}
	return nil, false
}
