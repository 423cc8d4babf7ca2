package codec

import "tidemark/scoring"

// batch reads a record in batched mode: a list of CloudEvents. Each element is
// parsed on its own, so that one that cannot be read, for whatever reason, takes
// nothing from the others.
func (d *Decoder) batch(doc *document, r *Record, h *headers) ([]*scoring.Event, []*Bad) {
	if fault := h.unicode(); fault != nil {
		return nil, []*Bad{fault}
	}
	list, fault := split(doc.pieces[:0], r.Value)
	if fault != nil {
		return nil, []*Bad{fault}
	}
	doc.pieces = list
	c := collection{refused: r.Refused, events: make([]*scoring.Event, 0, len(list))}
	for i, at := range list {
		if len(r.Refused) > 0 && c.passes(batchPlace(i)) {
			continue
		}
		s := doc.slot()
		s.event.Arrived = r.Time
		if fault := d.element(doc, r.Value[at.start:at.end], s); fault != nil {
			c.fault(batchPlace(i), fault)
			continue
		}
		c.events = append(c.events, &s.event)
	}
	return c.end()
}

func (d *Decoder) element(doc *document, text []byte, s *slot) *Bad {
	if d.quick(doc, text, s) {
		return nil
	}
	if !doc.parse(text) {
		return bad(Malformed, "%s", doc.fault)
	}
	if doc.kind(0) != kindObject {
		return bad(Malformed, "%s, a CloudEvent is an object", doc.kind(0))
	}
	return d.structured(doc, s)
}

// piece is a part of a text.
type piece struct{ start, end int }

// split finds the elements of a JSON list by its brackets, commas and strings, and
// adds them to pieces. What stands in an element is not looked at.
func split(pieces []piece, text []byte) ([]piece, *Bad) {
	i := blank(text, len(text)-len(trimMark(text)))
	if i == len(text) || text[i] != '[' {
		return nil, bad(Malformed, "value: not a list, a batch of CloudEvents is one")
	}
	start := blank(text, i+1)
	if start < len(text) && text[start] == ']' {
		return pieces, ended(text, start)
	}
	depth := 0
	for i = start; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = closing(text, i)
		case '[', '{':
			depth++
		case ',':
			if depth == 0 {
				pieces = append(pieces, piece{start, i})
				start = i + 1
			}
		case ']', '}':
			if depth--; depth < 0 {
				return append(pieces, piece{start, i}), ended(text, i)
			}
		}
	}
	return nil, bad(Malformed, "value: not JSON: it ends too early")
}

// ended checks that the list's last bracket is at i and nothing behind it.
func ended(text []byte, i int) *Bad {
	if text[i] != ']' || blank(text, i+1) != len(text) {
		return bad(Malformed, "value: not JSON: the list does not end where the value does, at byte %d", i)
	}
	return nil
}

// closing is where the string that begins at i ends, or the end of the text.
func closing(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// blank is where the white space at i ends.
func blank(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}
