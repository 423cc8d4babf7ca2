package modelfile

import (
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/types"

	"tidemark/pkg/config/yamltree"
)

// checkNames refuses unknown names and functions, which the library would only
// notice, or not notice, in a run. It returns the names that are also builtins,
// such as type and count: the library's checker has to be told that they are not.
func checkNames(root ast.Node, s scope) (types.Map, error) {
	v := &nameChecker{scope: s, callees: map[ast.Node]bool{}, declared: map[string]bool{}, shadowed: types.Map{}}
	// The walk is from the leaves up, so what a node says of those below it has
	// to be known before.
	ast.Walk(&root, visit(v.declare))
	ast.Walk(&root, visit(v.check))
	return v.shadowed, v.err
}

type visit func(ast.Node)

func (v visit) Visit(n *ast.Node) { v(*n) }

type nameChecker struct {
	scope    scope
	callees  map[ast.Node]bool // names that are functions, or $env with a member
	declared map[string]bool   // by `let`, anywhere: a shadowed attribute is still checked where it is read
	shadowed types.Map
	err      error
}

func (v *nameChecker) declare(n ast.Node) {
	switch n := n.(type) {
	case *ast.VariableDeclaratorNode:
		v.declared[n.Name] = true
	case *ast.CallNode:
		v.callees[n.Callee] = true
	case *ast.MemberNode:
		if isEnv(n.Node) {
			v.callees[n.Node] = true
		}
	}
}

func (v *nameChecker) check(n ast.Node) {
	if v.err != nil {
		return
	}
	switch n := n.(type) {
	case *ast.IdentifierNode:
		v.identifier(n)
	case *ast.CallNode:
		v.call(n)
	case *ast.MemberNode:
		v.member(n)
	}
}

func (v *nameChecker) identifier(n *ast.IdentifierNode) {
	switch {
	case v.callees[n] || v.declared[n.Value]:
	case n.Value == "$env":
		if !v.scope.open() {
			v.err = at(n, "$env cannot be used here: name what is meant")
		}
	default:
		if err := v.scope.check(n.Value); err != nil {
			v.err = at(n, "%s", err)
		}
		if _, ok := builtin.Index[n.Value]; ok {
			v.shadowed[n.Value] = types.Any
		}
	}
}

func (v *nameChecker) call(n *ast.CallNode) {
	switch callee := n.Callee.(type) {
	case *ast.IdentifierNode:
		if callee.Value == "now" {
			v.err = at(n, "now() is not allowed: the same events must always give the same score")
			return
		}
		v.err = at(n, "unknown function %s%s", callee.Value, yamltree.Suggest(callee.Value, builtin.Names))
	case *ast.MemberNode:
		// Dates and durations have methods; this one depends on the machine.
		if name, ok := callee.Property.(*ast.StringNode); ok && name.Value == "Local" {
			v.err = at(n, "Local() is not allowed: the same events must always give the same score")
		}
	default:
		v.err = at(n, "only functions can be called")
	}
}

func (v *nameChecker) member(n *ast.MemberNode) {
	if !isEnv(n.Node) || v.scope.open() {
		return
	}
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		v.err = at(n, "$env takes a constant name here")
		return
	}
	if err := v.scope.check(name.Value); err != nil {
		v.err = at(n, "%s", err)
	}
}

func isEnv(n ast.Node) bool {
	id, ok := n.(*ast.IdentifierNode)
	return ok && id.Value == "$env"
}
