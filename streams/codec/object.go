package codec

import (
	"sync/atomic"
	"unsafe"
)

// object is an object of a document that outlives it: its text and its nodes, checked
// already, of which nothing is made before somebody asks. The first node is the object's.
type object struct {
	text  string
	nodes []node
	// whole is what Map made, as expressions that ask once mostly ask again.
	whole atomic.Pointer[map[string]any]
}

// keepObject is the object at n. It lives as long as texts that the document keeps.
func (d *document) keepObject(n int) *object {
	of := d.nodes[n:d.nodes[n].next]
	start := of[0].start
	o := d.objects.next(d.lent)
	o.text = d.keep(d.text[start:of[0].end])
	o.nodes = d.room(o.nodes, len(of))
	for _, x := range of {
		x.start, x.end, x.next = x.start-start, x.end-start, x.next-int32(n)
		o.nodes = append(o.nodes, x)
	}
	return o
}

// objects are objects that are made many at once.
type objects struct {
	made [][]object
	used int
}

// next is an object to fill. Of one that was taken back its nodes' memory is left.
func (o *objects) next(again bool) *object {
	n := o.used / slab
	if n == len(o.made) {
		if !again {
			o.made, n, o.used = o.made[:0], 0, 0
		}
		o.made = append(o.made, make([]object, slab))
	}
	x := &o.made[n][o.used%slab]
	o.used++
	if again {
		x.nodes = x.nodes[:0]
		x.whole.Store(nil)
	}
	return x
}

// manyNodes is how many nodes of objects are made at once.
const manyNodes = 1024

// room is memory for n nodes: that given, if it is enough.
func (d *document) room(given []node, n int) []node {
	if cap(given) >= n {
		return given
	}
	if cap(d.held)-len(d.held) < n {
		d.held = make([]node, 0, max(manyNodes, n))
	}
	at := len(d.held)
	d.held = d.held[:at+n]
	return d.held[at : at : at+n]
}

// document is the object as one to read values from; it keeps no copies.
func (o *object) document() document {
	return document{text: unsafe.Slice(unsafe.StringData(o.text), len(o.text)), nodes: o.nodes, lent: true}
}

// member is the place of a member's value, the last of duplicates, or none.
func (o *object) member(name string) int {
	found := none
	for i := 1; i < len(o.nodes); i = int(o.nodes[i+1].next) {
		key := &o.nodes[i]
		text := o.text[key.start:key.end]
		if key.escaped {
			text = string(unescape([]byte(text)))
		}
		if text == name {
			found = i + 1
		}
	}
	return found
}

// Get implements scoring.Object.
func (o *object) Get(name string) any {
	n := o.member(name)
	if n == none {
		return nil
	}
	d := o.document()
	return d.any(n)
}

// Text implements scoring.Object.
func (o *object) Text(name string) (string, bool) {
	n := o.member(name)
	if n == none || o.nodes[n].kind != kindString {
		return "", false
	}
	x := &o.nodes[n]
	if x.escaped {
		d := o.document()
		return d.string(n), true
	}
	return o.text[x.start:x.end], true
}

// Map implements scoring.Object.
func (o *object) Map() map[string]any {
	if m := o.whole.Load(); m != nil {
		return *m
	}
	d := o.document()
	m := d.mapping(0)
	o.whole.Store(&m)
	return m
}
