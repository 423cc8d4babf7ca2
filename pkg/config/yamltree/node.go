package yamltree

import (
	"strconv"
	"strings"
)

// Kind says what a value is.
type Kind uint8

// The kinds of value.
const (
	Null Kind = iota
	Bool
	Number
	Text
	List
	Map
)

func (k Kind) String() string {
	return [...]string{"nothing", "a boolean", "a number", "text", "a list", "a map"}[k]
}

// Position is a place in the file; both count from 1.
type Position struct {
	Line, Column int
}

// Node is one value.
type Node struct {
	Position
	Kind    Kind
	Raw     string  // a scalar as the file has it, without quotes
	Float   float64 // a Number's value
	Whole   bool    // a Number written without fraction or exponent
	Truth   bool    // a Bool's value
	Items   []*Node // a List's values
	Entries []Entry // a Map's keys and values, in the file's order
}

// Entry is one key of a map.
type Entry struct {
	Key   string
	At    Position // of the key
	Value *Node
}

// Get returns the value of key, or nil.
func (n *Node) Get(key string) *Node {
	for i := range n.Entries {
		if n.Entries[i].Key == key {
			return n.Entries[i].Value
		}
	}
	return nil
}

// Brief is the value as an error message shows it.
func (n *Node) Brief() string {
	switch n.Kind {
	case Text:
		return strconv.Quote(shorten(n.Raw))
	case Bool, Number:
		return shorten(n.Raw)
	case List, Map:
		return n.Kind.String()
	}
	return "no value"
}

func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Locate finds the value at a path such as signals[3].match.type, or its
// nearest parent that is in the file. Keys may contain dots: the longest that
// fits is taken.
func (n *Node) Locate(path string) Position {
	if path == "" || n == nil {
		return n.position()
	}
	if path[0] == '[' {
		return n.locateItem(path)
	}
	path = strings.TrimPrefix(path, ".")
	var best *Entry
	for i := range n.Entries {
		e := &n.Entries[i]
		rest, ok := strings.CutPrefix(path, e.Key)
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') && (best == nil || len(e.Key) > len(best.Key)) {
			best = e
		}
	}
	switch {
	case best == nil:
		return n.Position
	case best.Value.Kind == Null:
		return best.At
	}
	return best.Value.Locate(path[len(best.Key):])
}

func (n *Node) locateItem(path string) Position {
	end := strings.IndexByte(path, ']')
	if end < 0 {
		return n.Position
	}
	i, err := strconv.Atoi(path[1:end])
	if err != nil || i < 0 || i >= len(n.Items) {
		return n.Position
	}
	return n.Items[i].Locate(path[end+1:])
}

func (n *Node) position() Position {
	if n == nil {
		return Position{1, 1}
	}
	return n.Position
}
