package modelfile

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// rewriter replaces every read of an attribute or member, and whatever could
// grow or loop without bound, by a call of ours that fails where the rule of
// three values says so. A failing call ends the run, which is exactly
// "unknown", and `and`, `or` and `?:` go on to skip what they do not need.
type rewriter struct {
	variables []string // those of `let`, innermost last
}

func (r *rewriter) node(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return r.identifier(n)
	case *ast.MemberNode:
		return r.member(n)
	case *ast.ChainNode:
		return r.node(n.Node) // ?. has no softer meaning here
	case *ast.PointerNode:
		if n.Name == "" {
			return call(fnPresent, n)
		}
	case *ast.BuiltinNode:
		return r.builtin(n)
	case *ast.CallNode:
		n.Callee = r.node(n.Callee)
		r.nodes(n.Arguments)
	case *ast.BinaryNode:
		return r.binary(n)
	case *ast.UnaryNode:
		n.Node = r.node(n.Node)
	case *ast.ConditionalNode:
		n.Cond, n.Exp1, n.Exp2 = r.node(n.Cond), r.node(n.Exp1), r.node(n.Exp2)
	case *ast.SliceNode:
		n.Node, n.From, n.To = r.node(n.Node), r.node(n.From), r.node(n.To)
	case *ast.PredicateNode:
		n.Node = call(fnStep, env(), r.node(n.Node))
	case *ast.VariableDeclaratorNode:
		n.Value = r.node(n.Value)
		r.variables = append(r.variables, n.Name)
		n.Expr = r.node(n.Expr)
		r.variables = r.variables[:len(r.variables)-1]
	case *ast.SequenceNode:
		r.nodes(n.Nodes)
	case *ast.ArrayNode:
		if !slices.ContainsFunc(n.Nodes, notLiteral) {
			return n
		}
		r.nodes(n.Nodes)
		return call(fnCharge, env(), n)
	case *ast.MapNode:
		r.nodes(n.Pairs)
		return call(fnCharge, env(), n)
	case *ast.PairNode:
		n.Key, n.Value = r.node(n.Key), r.node(n.Value)
	}
	return n
}

func (r *rewriter) nodes(ns []ast.Node) {
	for i := range ns {
		ns[i] = r.node(ns[i])
	}
}

func (r *rewriter) identifier(n *ast.IdentifierNode) ast.Node {
	switch {
	case slices.Contains(r.variables, n.Value):
		return n
	case n.Value == "$env":
		return call(fnWhole, env())
	}
	return call(fnRead, env(), &ast.StringNode{Value: n.Value})
}

func (r *rewriter) member(n *ast.MemberNode) ast.Node {
	if name, ok := n.Property.(*ast.StringNode); ok && isEnv(n.Node) {
		return call(fnRead, env(), name)
	}
	return call(fnMember, r.node(n.Node), r.node(n.Property))
}

func (r *rewriter) builtin(n *ast.BuiltinNode) ast.Node {
	r.nodes(n.Arguments)
	switch n.Name {
	case "get":
		return call(fnMember, n.Arguments...)
	case "first":
		return call(fnMember, n.Arguments[0], &ast.IntegerNode{})
	case "last":
		return call(fnMember, n.Arguments[0], &ast.IntegerNode{Value: -1})
	}
	if _, ok := guarded[n.Name]; ok {
		return call(fnGuard+n.Name, append([]ast.Node{env()}, n.Arguments...)...)
	}
	return n
}

func (r *rewriter) binary(n *ast.BinaryNode) ast.Node {
	if span, ok := n.Right.(*ast.BinaryNode); ok && n.Operator == "in" && span.Operator == ".." {
		return call(fnInRange, r.node(n.Left), r.node(span.Left), r.node(span.Right))
	}
	n.Left, n.Right = r.node(n.Left), r.node(n.Right)
	if n.Operator == "+" {
		return call(fnAdd, env(), n.Left, n.Right)
	}
	return n
}

func notLiteral(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode:
		return false
	case *ast.UnaryNode:
		return notLiteral(n.Node)
	}
	return true
}

func env() ast.Node { return &ast.IdentifierNode{Value: "$env"} }

func call(fn string, args ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: fn}, Arguments: args}
}
