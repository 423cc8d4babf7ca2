package yamltree

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on what is read. A file of ours is a few kilobytes, and the library's
// time grows with the square of the length; these stop a file that was chosen by
// mistake, or made to expand.
const (
	maxBytes = 256 << 10
	maxNodes = 100_000
	maxDepth = 64
	// Brackets also stand in texts and comments, so this one is generous.
	maxBrackets = 1000
)

// Parse reads one document. Faults of the YAML itself go to faults; the node is
// nil if nothing can be made of the input.
func Parse(data []byte, faults *Faults) *Node {
	start := Position{1, 1}
	switch {
	case len(data) > maxBytes:
		faults.Add(start, "", "the file has %d bytes: at most %d are read", len(data), maxBytes)
		return nil
	case !utf8.Valid(data):
		faults.Add(start, "", "the file is not UTF-8 text")
		return nil
	case nesting(data) > maxBrackets:
		faults.Add(start, "", "the file opens more than %d brackets within each other", maxBrackets)
		return nil
	}
	file, err := parseBytes(data)
	if err != nil {
		syntaxFault(err, faults)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			faults.Add(position(doc.Body), "", "a second document: only one is read")
			return nil
		}
		body = doc.Body
	}
	if body == nil || body.Type() == ast.NullType || body.Type() == ast.CommentType {
		return &Node{Position: start}
	}
	c := &converter{faults: faults, anchors: map[string]*Node{}}
	return c.node(body, "", 0)
}

// parseBytes keeps a panic of the library from reaching a user.
func parseBytes(data []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not readable as YAML (%v)", r)
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// nesting over-estimates how deep flow collections go, without parsing.
func nesting(data []byte) int {
	depth, deepest := 0, 0
	for _, b := range data {
		switch b {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	return deepest
}

func syntaxFault(err error, faults *Faults) {
	at, text := Position{1, 1}, err.Error()
	var known yaml.Error
	if errors.As(err, &known) {
		text = known.GetMessage()
		if tk := known.GetToken(); tk != nil && tk.Position != nil {
			at = Position{tk.Position.Line, tk.Position.Column}
		}
	}
	text, _, _ = strings.Cut(text, "\n")
	faults.Add(at, "", "%s", text)
}

// converter turns the library's tree into ours.
type converter struct {
	faults  *Faults
	anchors map[string]*Node // nil while the anchor's own value is being read
	count   int
}

func (c *converter) node(n ast.Node, path string, depth int) *Node {
	c.count++
	if n == nil {
		return &Node{}
	}
	at := position(n)
	if c.count > maxNodes || depth > maxDepth {
		if c.count <= maxNodes+1 {
			c.faults.Add(at, path, "the file holds too many or too deeply nested values")
			c.count = maxNodes + 2
		}
		return &Node{Position: at}
	}
	switch n := n.(type) {
	case *ast.NullNode:
		return &Node{Position: at}
	case *ast.BoolNode:
		return &Node{Position: at, Kind: Bool, Truth: n.Value, Raw: n.Token.Value}
	case *ast.IntegerNode:
		return number(at, n.Token, n.Value, true)
	case *ast.FloatNode:
		return number(at, n.Token, n.Value, false)
	case *ast.InfinityNode:
		return number(at, n.Token, n.Value, false)
	case *ast.NanNode:
		return number(at, n.Token, math.NaN(), false)
	case *ast.StringNode:
		return &Node{Position: at, Kind: Text, Raw: n.Value}
	case *ast.LiteralNode:
		return &Node{Position: at, Kind: Text, Raw: n.Value.Value}
	case *ast.SequenceNode:
		return c.list(n, path, depth)
	case *ast.MappingNode:
		return c.mapping(n, path, depth)
	case *ast.MappingValueNode:
		return c.mapping(&ast.MappingNode{Start: n.Start, Values: []*ast.MappingValueNode{n}}, path, depth)
	case *ast.AnchorNode:
		return c.anchor(n, path, depth)
	case *ast.AliasNode:
		return c.alias(n, path)
	case *ast.TagNode:
		return c.tagged(n, path, depth)
	}
	c.faults.Add(at, path, "%s is not allowed here", strings.ToLower(n.Type().YAMLName()))
	return &Node{Position: at}
}

func number(at Position, tk *token.Token, value any, whole bool) *Node {
	n := &Node{Position: at, Kind: Number, Raw: tk.Value, Whole: whole}
	switch v := value.(type) {
	case int64:
		n.Float = float64(v)
	case uint64:
		n.Float = float64(v)
	case float64:
		n.Float = v
	default:
		return &Node{Position: at, Kind: Text, Raw: tk.Value}
	}
	return n
}

func position(n ast.Node) Position {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		n = v.Key
	}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		return Position{tk.Position.Line, tk.Position.Column}
	}
	return Position{1, 1}
}
