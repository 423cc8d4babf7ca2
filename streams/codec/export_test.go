package codec

import "tidemark/scoring"

// Quickly is the event of a text as the quick way reads it, false where it does not.
func (d *Decoder) Quickly(text []byte) (*scoring.Event, bool) {
	var s slot
	ok := d.quick(new(document), text, &s)
	return &s.event, ok
}

// Thoroughly is the event of a text as the document has it.
func (d *Decoder) Thoroughly(text []byte) (*scoring.Event, *Bad) {
	var s slot
	doc := new(document)
	if !doc.parse(text) {
		return nil, bad(Malformed, "%s", doc.fault)
	}
	if doc.kind(0) != kindObject {
		return nil, bad(Malformed, "no object")
	}
	fault := d.structured(doc, &s)
	return &s.event, fault
}

// Elements is how many elements a text has that is a JSON list, -1 where it is none.
func Elements(text []byte) int {
	var d document
	if !d.parse(text) || d.kind(0) != kindList {
		return -1
	}
	n := 0
	d.elements(0, func(int) bool { n++; return true })
	return n
}
