package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"tidemark/pkg/config/yamltree"
)

// expression is compiled source.
type expression struct {
	program *vm.Program
	line    int // in the file
}

// names are what an expression may read.
var names = types.Map{
	"row": types.Any, "message": types.Any, "topic": types.String, "key": types.String, "headers": types.Any, "arrived": types.Int,
}

// barred are builtins that are not offered: what depends on the clock, the machine or
// the order of a Go map, and what grows or runs without bound.
var barred = []string{"now", "timezone", "keys", "values", "toPairs", "repeat", "reduce", "uniq"}

// options turn the optimizer off: it rewrites `in` for integers, and would answer
// differently for the numbers of JSON.
var options = func() []expr.Option {
	out := []expr.Option{expr.Env(names), expr.Optimize(false), expr.MaxNodes(1000)}
	for _, name := range barred {
		out = append(out, expr.DisableBuiltin(name))
	}
	return append(out, helpers()...)
}()

// compile reads an expression. Its error is one line that does not repeat it.
func compile(source string) (*expression, error) {
	if strings.TrimSpace(source) == "" {
		return nil, errors.New("an empty expression; leave the key out instead")
	}
	program, err := compileSafely(source)
	if err != nil {
		return nil, brief(err)
	}
	node := program.Node()
	bounded := bounds{}
	bounded.look(node, 0)
	if bounded.err != nil {
		return nil, bounded.err
	}
	return &expression{program: program}, nil
}

// compileSafely keeps a panic of the library from reaching a user.
func compileSafely(source string) (program *vm.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not an expression (%v)", r)
		}
	}()
	return expr.Compile(source, options...)
}

// brief is the library's error in one line, with the names that there are where one
// is unknown.
func brief(err error) error {
	var known *file.Error
	if !errors.As(err, &known) {
		return err
	}
	text := known.Message
	if name, ok := strings.CutPrefix(text, "unknown name "); ok {
		text += yamltree.Suggest(name, slices.Sorted(mapKeys)) + " (there are row, message, topic, key, headers and arrived; constants are in quotes of their own)"
		if slices.Contains(barred, name) {
			text = name + " is not allowed: a message must always give the same events, at a cost that its size bounds"
		}
	}
	return fmt.Errorf("%s (column %d)", text, known.Column+1)
}

func mapKeys(yield func(string) bool) {
	for name := range names {
		if !yield(name) {
			return
		}
	}
}

// bounds refuses what makes the cost of an expression more than linear in its input.
type bounds struct{ err error }

// look walks down; loops counts the predicates around a node.
func (b *bounds) look(n ast.Node, loops int) {
	if b.err != nil || n == nil {
		return
	}
	if p, ok := n.(*ast.PredicateNode); ok {
		if loops++; loops > 1 {
			b.err = fmt.Errorf("a loop within a loop is not allowed (column %d)", p.Location().From+1)
			return
		}
	}
	if call, ok := n.(*ast.BuiltinNode); ok && call.Name == "replace" && len(call.Arguments) > 2 {
		for _, arg := range call.Arguments[1:] {
			if _, constant := arg.(*ast.StringNode); !constant {
				b.err = fmt.Errorf("replace takes constants for what is replaced and by what (column %d)", call.Location().From+1)
				return
			}
		}
	}
	for _, child := range children(n) {
		b.look(child, loops)
	}
}

func children(n ast.Node) []ast.Node {
	switch n := n.(type) {
	case *ast.UnaryNode:
		return []ast.Node{n.Node}
	case *ast.BinaryNode:
		return []ast.Node{n.Left, n.Right}
	case *ast.ChainNode:
		return []ast.Node{n.Node}
	case *ast.MemberNode:
		return []ast.Node{n.Node, n.Property}
	case *ast.SliceNode:
		return []ast.Node{n.Node, n.From, n.To}
	case *ast.CallNode:
		return append([]ast.Node{n.Callee}, n.Arguments...)
	case *ast.BuiltinNode:
		return append(slices.Clone(n.Arguments), n.Map)
	case *ast.PredicateNode:
		return []ast.Node{n.Node}
	case *ast.VariableDeclaratorNode:
		return []ast.Node{n.Value, n.Expr}
	case *ast.SequenceNode:
		return n.Nodes
	case *ast.ConditionalNode:
		return []ast.Node{n.Cond, n.Exp1, n.Exp2}
	case *ast.ArrayNode:
		return n.Nodes
	case *ast.MapNode:
		return n.Pairs
	case *ast.PairNode:
		return []ast.Node{n.Key, n.Value}
	}
	return nil
}

// machine is a virtual machine with the environment of one row, kept for reuse.
type machine struct {
	vm  vm.VM
	env map[string]any
}

// budget bounds the elements that one expression may make.
const budget = 100_000

var machines = sync.Pool{New: func() any { return &machine{vm: vm.VM{MemoryBudget: budget}, env: map[string]any{}} }}

// run is the value of an expression. Its error says what failed, and nothing of the data.
func (m *machine) run(e *expression) (value any, err error) {
	value, err = m.vm.Run(e.program, m.env)
	if err != nil {
		return nil, discreet(err)
	}
	return value, nil
}

// discreet keeps of an error what cannot hold data: what our functions say, and which
// member of what was asked for.
func discreet(err error) error {
	var ours misuse
	if errors.As(err, &ours) {
		return ours
	}
	var known *file.Error
	if errors.As(err, &known) {
		text := known.Message
		if strings.HasPrefix(text, "cannot fetch ") && !strings.ContainsRune(text, '@') && len(text) < 100 {
			return errors.New(text)
		}
		if text == "memory budget exceeded" {
			return fmt.Errorf("it makes more than %d elements", budget)
		}
	}
	return errors.New("it fails on what this message holds")
}
