package modelfile

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// mostNodes bounds an expression's size; a long one has a few dozen.
const mostNodes = 1000

// expression is parsed and checked source.
type expression struct {
	source string
	scope  scope
	tree   *parser.Tree
	static reflect.Type // of the result; nil or an interface if only a run can tell
}

// parse checks the expression as written: syntax, names, functions and what
// types can be known. Its tree is what the user wrote.
func parse(source string, s scope) (*expression, error) {
	config := newConfig()
	tree, err := parser.ParseWithConfig(source, config)
	if err != nil {
		return nil, brief(err)
	}
	names, err := checkNames(tree.Node, s)
	if err != nil {
		return nil, err
	}
	config.Env = names.Nature()
	config.Strict = false
	static, err := checker.Check(tree, config)
	if err != nil {
		return nil, brief(err)
	}
	return &expression{source: source, scope: s, tree: tree, static: static}, nil
}

// neverBoolean reports whether every run would come to unknown for its type.
func (e *expression) neverBoolean() bool {
	return e.static == nil || e.static.Kind() != reflect.Interface && e.static.Kind() != reflect.Bool
}

// machine compiles for the virtual machine. It parses again, as the rewriting
// that makes reads fail consumes the tree.
func (e *expression) machine() (evaluator, error) {
	config := newConfig()
	withReads(config, e.scope)
	tree, err := parser.ParseWithConfig(e.source, config)
	if err != nil {
		return nil, brief(err)
	}
	tree.Node = new(rewriter).node(tree.Node)
	if _, err := checker.Check(tree, config); err != nil {
		return nil, brief(err)
	}
	program, err := compiler.Compile(tree, config)
	if err != nil {
		return nil, brief(err)
	}
	return newMachine(program), nil
}

// newConfig turns the optimizer off: it rewrites `in` lists and ranges for
// integers, and would answer differently for the numbers of JSON.
func newConfig() *conf.Config {
	config := conf.CreateNew()
	config.Optimize = false
	config.MaxNodes = mostNodes
	// Two runs at different times must come to the same.
	config.Disabled["now"] = true
	delete(config.Builtins, "now")
	return config
}

// brief is the library's error in one line.
func brief(err error) error {
	var known *file.Error
	if !errors.As(err, &known) {
		return err
	}
	if known.Line > 1 {
		return fmt.Errorf("%s (line %d, column %d)", known.Message, known.Line, known.Column+1)
	}
	return fmt.Errorf("%s (column %d)", known.Message, known.Column+1)
}

func at(n ast.Node, text string, args ...any) error {
	return fmt.Errorf("%s (column %d)", fmt.Sprintf(text, args...), n.Location().From+1)
}
