package yamltree

import "math"

// Decoder fills Go values from a tree and notes what does not fit.
type Decoder struct {
	Faults *Faults
}

// Field takes the value at a path.
type Field func(n *Node, path string)

// Fields are what a map may have, in the order in which errors name them.
type Fields []struct {
	Key string
	Use Field
}

// Object is a map with the given keys and no others. No value at all is an
// empty map.
func (d *Decoder) Object(fields Fields) Field {
	return func(n *Node, path string) {
		if !d.is(n, path, Map) {
			return
		}
		for _, e := range n.Entries {
			if use := fields.find(e.Key); use != nil {
				use(at(e), Join(path, e.Key))
				continue
			}
			d.Faults.Add(e.At, Join(path, e.Key), "unknown key%s", fields.hint(e.Key))
		}
	}
}

// Require adds to an object that it must have the given keys.
func (d *Decoder) Require(object Field, keys ...string) Field {
	return func(n *Node, path string) {
		object(n, path)
		for _, key := range keys {
			if (n.Kind == Map || n.Kind == Null) && n.Get(key) == nil {
				d.Faults.Add(n.Position, Join(path, key), "is missing")
			}
		}
	}
}

// Entries is a map whose keys the user chooses.
func (d *Decoder) Entries(use func(key string, n *Node, path string)) Field {
	return func(n *Node, path string) {
		if !d.is(n, path, Map) {
			return
		}
		for _, e := range n.Entries {
			use(e.Key, at(e), Join(path, e.Key))
		}
	}
}

// at gives a missing value the place of its key.
func at(e Entry) *Node {
	if e.Value.Kind == Null {
		return &Node{Position: e.At}
	}
	return e.Value
}

// is reports whether n is a collection of kind k. Null is an empty one.
func (d *Decoder) is(n *Node, path string, k Kind) bool {
	if n.Kind != k && n.Kind != Null {
		d.Faults.Add(n.Position, path, "%s is not %s", n.Brief(), k)
	}
	return n.Kind == k
}

// Text is a string.
func (d *Decoder) Text(to *string) Field {
	return func(n *Node, path string) {
		switch n.Kind {
		case Text:
			*to = n.Raw
		case Number, Bool:
			d.Faults.Add(n.Position, path, `%s is %s, not text: write "%s"`, n.Brief(), n.Kind, n.Raw)
		default:
			d.Faults.Add(n.Position, path, "%s is not text", n.Brief())
		}
	}
}

// Bool is true or false.
func (d *Decoder) Bool(to *bool) Field {
	return func(n *Node, path string) {
		if n.Kind != Bool {
			d.Faults.Add(n.Position, path, "%s is neither true nor false", n.Brief())
			return
		}
		*to = n.Truth
	}
}

// Number is a finite number.
func (d *Decoder) Number(to *float64) Field {
	return func(n *Node, path string) {
		if n.Kind != Number || math.IsNaN(n.Float) || math.IsInf(n.Float, 0) {
			d.Faults.Add(n.Position, path, "%s is not a number", n.Brief())
			return
		}
		*to = n.Float
	}
}

// Int is a whole number.
func (d *Decoder) Int(to *int) Field {
	return func(n *Node, path string) {
		const most = 1 << 53
		if n.Kind != Number || !n.Whole || math.Abs(n.Float) > most {
			d.Faults.Add(n.Position, path, "%s is not a whole number", n.Brief())
			return
		}
		*to = int(n.Float)
	}
}

// Texts is a list of strings.
func (d *Decoder) Texts(to *[]string) Field {
	return ListOf(d, to, d.Text)
}

// ListOf is a list, each of whose values is taken by what field makes.
func ListOf[T any](d *Decoder, to *[]T, field func(*T) Field) Field {
	return func(n *Node, path string) {
		if !d.is(n, path, List) {
			return
		}
		out := make([]T, len(n.Items))
		for i, item := range n.Items {
			field(&out[i])(item, index(path, i))
		}
		*to = out
	}
}

// Optional is a value that may be left out: to stays nil without its key.
func Optional[T any](to **T, field func(*T) Field) Field {
	return func(n *Node, path string) {
		*to = new(T)
		field(*to)(n, path)
	}
}
