package codec

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"tidemark/scoring"
)

// quick reads the usual event in one pass over its text: an activity in structured
// mode that names its account by an id, and none of whose texts is written with an
// escape. It knows no faults. Whatever is not as usual it leaves to the document, which
// reads everything and says what is wrong; where quick does read an event, the
// document reads the same (FuzzQuick).
type quick struct {
	doc        *document
	attributes [attributes]extent
	person     [len(contactFields)]extent
	contact    extent // the whole object
	given      bool   // the contact has a member that is not null
	data       bool   // it was there
	strength   int    // node of the document, or none
	properties int    // likewise
}

// extent is a text in the document. The zero value is none: no text begins at 0.
type extent struct{ start, end int32 }

func (q *quick) text(s extent) []byte { return q.doc.text[s.start:s.end] }

// quick fills the slot's event, or reports false and leaves it to fill.
func (d *Decoder) quick(doc *document, text []byte, s *slot) bool {
	if len(text) == 0 || text[0] != '{' || !plain(text) {
		return false
	}
	doc.text, doc.nodes = text, doc.nodes[:0]
	q := quick{doc: doc, strength: none, properties: none}
	end := q.members(1, 0)
	return end > 0 && doc.space(end) == len(text) && d.quickEvent(&q, s)
}

const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain reports whether a text is UTF-8 without escapes and control characters.
func plain(text []byte) bool {
	var odd, high uint64
	i := 0
	for ; i+8 <= len(text); i += 8 {
		x := binary.LittleEndian.Uint64(text[i:])
		slash := x ^ lows*'\\'
		odd |= (x-lows*' ')&^x | (slash-lows)&^slash
		high |= x
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '\\' {
			return false
		}
		high |= uint64(text[i])
	}
	return odd&highs == 0 && (high&highs == 0 || utf8.Valid(text))
}

// members reads the object at i, so deep in the text; where it ends, or -1.
func (q *quick) members(depth, i int) int {
	doc := q.doc
	if i = doc.space(i + 1); i < len(doc.text) && doc.text[i] == '}' {
		return i + 1
	}
	for {
		key, next := q.quoted(i)
		if next < 0 {
			return -1
		}
		if i = doc.space(next); i >= len(doc.text) || doc.text[i] != ':' {
			return -1
		}
		if i = q.member(depth, q.text(key), doc.space(i+1)); i < 0 {
			return -1
		}
		if i = doc.space(i); i >= len(doc.text) {
			return -1
		}
		switch doc.text[i] {
		case '}':
			return i + 1
		case ',':
			i = doc.space(i + 1)
		default:
			return -1
		}
	}
}

// member reads the value of a key: of the event, of data or of the contact.
func (q *quick) member(depth int, key []byte, i int) int {
	switch depth {
	case 1:
		return q.attribute(key, i)
	case 2:
		return q.datum(key, i)
	}
	return q.trait(key, i)
}

// quoted is the string whose opening quote is at i, and where it ends, or -1.
func (q *quick) quoted(i int) (extent, int) {
	text := q.doc.text
	if i < 0 || i >= len(text) || text[i] != '"' {
		return extent{}, -1
	}
	n := bytes.IndexByte(text[i+1:], '"')
	if n < 0 {
		return extent{}, -1
	}
	return extent{int32(i + 1), int32(i + 1 + n)}, i + n + 2
}

// string is quoted for a value that may be null as well: then it is none.
func (q *quick) string(i int, to *extent) (end int) {
	if *to, end = q.quoted(i); end >= 0 {
		return end
	}
	return q.null(i)
}

// null is where the null at i ends, or -1.
func (q *quick) null(i int) int {
	if i+4 <= len(q.doc.text) && string(q.doc.text[i:i+4]) == "null" {
		return i + 4
	}
	return -1
}

// attribute reads a member of the event.
func (q *quick) attribute(key []byte, i int) int {
	if n := attributeOf(key); n != none {
		return q.string(i, &q.attributes[n])
	}
	switch string(key) {
	case "data":
		if q.data || i >= len(q.doc.text) {
			return -1
		}
		q.data = true
		if q.doc.text[i] == '{' {
			return q.members(2, i)
		}
		return q.null(i)
	case "data_base64":
		return -1
	}
	return q.doc.value(i, 1)
}

// datum reads a member of data.
func (q *quick) datum(key []byte, i int) (end int) {
	switch string(key) {
	case "contact":
		if q.contact.end > 0 || i >= len(q.doc.text) {
			return -1
		}
		if q.doc.text[i] != '{' {
			return q.null(i)
		}
		end = q.members(3, i)
		q.contact = extent{int32(i), int32(end)}
		return end
	case "strength":
		return q.node(i, &q.strength)
	case "properties":
		return q.node(i, &q.properties)
	}
	return q.doc.value(i, 2)
}

// node reads any value into the document, one within data.
func (q *quick) node(i int, to *int) int {
	*to = len(q.doc.nodes)
	return q.doc.value(i, 2)
}

// trait reads a member of the contact.
func (q *quick) trait(key []byte, i int) (end int) {
	if n := contactField(key); n != none {
		return q.string(i, &q.person[n])
	}
	at := len(q.doc.nodes)
	if end = q.doc.value(i, 3); end >= 0 && q.doc.kind(at) != kindNull {
		q.given = true
	}
	return end
}

// quickEvent makes the event of what was found, if there is nothing to say against it.
func (d *Decoder) quickEvent(q *quick, s *slot) bool {
	a, doc, event := &q.attributes, q.doc, &s.event
	account := q.text(a[subject])
	if string(q.text(a[specversion])) != "1.0" || a[id].end == a[id].start || a[source].end == a[source].start ||
		a[typ].end == a[typ].start || len(account) == 0 || !plainID(account) {
		return false
	}
	var ok bool
	if event.Time, ok = parseInstant(q.text(a[instant])); !ok {
		return false
	}
	event.Type = doc.keep(q.text(a[typ]))
	if event.Kind = kindOf(event.Type); event.Kind != scoring.KindEvent && event.Kind != scoring.KindOutcome {
		return false
	}
	if d.rules.Now != nil && d.checkTimeAt(event, q.doc.clock(d.rules.Now)) != nil || !q.fillData(event, &s.contact, d.rules.Reads) {
		return false
	}
	event.ID, event.Source, event.Account = doc.keep(q.text(a[id])), doc.keep(q.text(a[source])), doc.keep(account)
	return true
}

// fillData makes what the event has of data.
func (q *quick) fillData(event *scoring.Event, c *scoring.Contact, reads func(string) (bool, bool)) bool {
	doc := q.doc
	var properties, fields bool
	if reads != nil {
		properties, fields = reads(event.Type)
	}
	strength := 1.0
	if q.strength != none {
		if doc.kind(q.strength) != kindNumber {
			return false
		}
		if strength = doc.float(q.strength) + 0; strength < 0 || strength > 10 {
			return false
		}
	}
	if kind := doc.kind(q.properties); kind != kindNull {
		if kind != kindObject {
			return false
		}
		if properties {
			event.Properties = doc.keepObject(q.properties)
		}
	}
	event.Strength = strength
	event.Contact = q.fillContact(c, fields)
	return true
}

// fillContact makes the contact, nil where nothing is known of it.
func (q *quick) fillContact(c *scoring.Contact, fields bool) *scoring.Contact {
	given := q.given
	for i, target := range [len(contactFields)]*string{&c.ID, &c.Email, &c.Title, &c.Seniority, &c.Role} {
		if s := q.person[i]; s.end > 0 {
			*target, given = q.doc.keep(q.text(s)), true
		}
	}
	if !given {
		return nil
	}
	if fields {
		at := len(q.doc.nodes)
		q.doc.value(int(q.contact.start), 2)
		c.Fields = q.doc.keepObject(at)
	}
	return c
}
