package modelfile

import (
	"github.com/expr-lang/expr/ast"

	"tidemark/scoring"
)

// Words are what a part of an expression comes to where that is a string; false: it is
// something else, or unknown. It says what value says and makes no object of a string,
// which a value costs.
type words func(subject) (string, bool)

// text compiles what of an event is mostly a string, and constants, or returns nil.
func (b builder) text(n ast.Node) words {
	if name, ok := plainName(n); ok {
		return b.named(name)
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return func(subject) (string, bool) { return n.Value, true }
	case *ast.ChainNode:
		return b.text(n.Node)
	case *ast.MemberNode:
		key, ok := n.Property.(*ast.StringNode)
		object := b.object(n.Node)
		if !ok || object == nil {
			return nil
		}
		name := key.Value
		return func(s subject) (string, bool) {
			if o := object(s); o != nil {
				return o.Text(name)
			}
			return "", false
		}
	}
	return nil
}

// plainName is the name that a part of an expression stands for, if it is no more than one.
func plainName(n ast.Node) (name string, ok bool) {
	switch n := n.(type) {
	case *ast.ChainNode:
		return plainName(n.Node)
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.MemberNode:
		if key, ok := n.Property.(*ast.StringNode); ok && isEnv(n.Node) {
			return key.Value, true
		}
	}
	return "", false
}

// named is a name that is always a string.
func (b builder) named(name string) words {
	if _, ok := b.scope.(eventScope); !ok {
		return nil
	}
	switch name {
	case "type":
		return func(s subject) (string, bool) { return s.event.Type, true }
	case "source":
		return func(s subject) (string, bool) { return s.event.Source, true }
	}
	return nil
}

// object compiles what is one of the event's objects as a whole, or returns nil.
func (b builder) object(n ast.Node) func(subject) scoring.Object {
	if _, ok := b.scope.(eventScope); !ok {
		return nil
	}
	switch name, _ := plainName(n); name {
	case "properties":
		return propertiesOf
	case "contact":
		return contactOf
	}
	return nil
}

// texts compares two texts, and leaves all else to otherwise.
func texts(a, b words, compare func(a, b string) bool, otherwise condition) condition {
	if a == nil || b == nil || otherwise == nil {
		return otherwise
	}
	return func(s subject) scoring.Truth {
		if x, ok := a(s); ok {
			if y, ok := b(s); ok {
				return truth(compare(x, y))
			}
		}
		return otherwise(s)
	}
}

// oneText is texts for a condition on a single value.
func oneText(a words, holds func(string) bool, otherwise condition) condition {
	if a == nil || otherwise == nil {
		return otherwise
	}
	return func(s subject) scoring.Truth {
		if x, ok := a(s); ok {
			return truth(holds(x))
		}
		return otherwise(s)
	}
}
