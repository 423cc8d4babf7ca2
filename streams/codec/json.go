package codec

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"tidemark/scoring"
)

// kind is what a JSON value is.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindList
	kindObject
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "a list", "an object"}[k]
}

// maxDepth bounds the nesting of lists and objects.
const maxDepth = 64

// node is one value of a document. An object's members follow it as pairs of a
// string (the key) and a value, a list's elements follow it as values.
type node struct {
	kind    kind
	escaped bool  // a string with at least one backslash
	start   int32 // of the text in the document; strings without their quotes
	end     int32
	next    int32 // the node behind this one and all within it
}

// none stands for a value that is not there.
const none = -1

// document is parsed JSON as one flat slice, so that reading an event costs no
// allocation once the slice has grown. It aliases the text it was parsed from.
type document struct {
	text  []byte
	nodes []node
	fault string // why the text is not JSON, without any of the text

	// What outlives the document is taken from here.
	memory  *Memory // in place of slots and kept; nil: none
	slots   []slot
	singles []single
	taken   int // of slots and singles
	objects objects
	held    []node // of objects
	hints   []scoring.Hint
	kept    []byte
	lent    bool        // instead, texts are those of the document itself
	pieces  []piece     // memory of batch, used again
	call    segmentCall // likewise, of segment
	scratch []byte
	// noProfiles: the group calls of the record in hand make no profiles.
	noProfiles bool
}

// parse reads text, which must be one JSON value in UTF-8. A byte order mark in
// front is left out. It reports false with the fault set.
func (d *document) parse(text []byte) bool {
	text = trimMark(text)
	d.text, d.nodes, d.fault = text, d.nodes[:0], ""
	if len(text) > math.MaxInt32 {
		d.fail(0, "too long")
		return false
	}
	if !utf8.Valid(text) {
		d.fault = "not valid UTF-8"
		return false
	}
	i := d.value(d.space(0), 0)
	if i < 0 {
		return false
	}
	if i = d.space(i); i != len(text) {
		d.fail(i, "more text behind the value")
		return false
	}
	return true
}

// trimMark leaves out a byte order mark.
func trimMark(text []byte) []byte {
	if len(text) >= 3 && text[0] == 0xEF && text[1] == 0xBB && text[2] == 0xBF {
		return text[3:]
	}
	return text
}

func (d *document) fail(i int, what string) int {
	if i >= len(d.text) {
		d.fault = "not JSON: it ends too early"
	} else {
		d.fault = fmt.Sprintf("not JSON: %s at byte %d", what, i)
	}
	return -1
}

func (d *document) space(i int) int {
	if i < len(d.text) && d.text[i] > ' ' { // as mostly
		return i
	}
	return d.skip(i)
}

func (d *document) skip(i int) int {
	for i < len(d.text) {
		switch d.text[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value reads the value at i and returns where it ends, or -1.
func (d *document) value(i, depth int) int {
	if i >= len(d.text) {
		return d.fail(i, "")
	}
	switch c := d.text[i]; {
	case c == '"':
		return d.quoted(i)
	case c == '{':
		return d.object(i, depth+1)
	case c == '[':
		return d.list(i, depth+1)
	case c == 't':
		return d.word(i, "true", kindBool)
	case c == 'f':
		return d.word(i, "false", kindBool)
	case c == 'n':
		return d.word(i, "null", kindNull)
	case c == '-' || c >= '0' && c <= '9':
		return d.number(i)
	}
	return d.fail(i, "unexpected character")
}

func (d *document) add(k kind, escaped bool, start, end int) {
	d.nodes = append(d.nodes, node{
		kind: k, escaped: escaped,
		start: int32(start), end: int32(end), next: int32(len(d.nodes) + 1),
	})
}

func (d *document) word(i int, word string, k kind) int {
	end := i + len(word)
	if end > len(d.text) || string(d.text[i:end]) != word {
		return d.fail(i, "unknown word")
	}
	d.add(k, false, i, end)
	return end
}

func (d *document) object(i, depth int) int {
	if depth > maxDepth {
		return d.fail(i, "nested too deeply")
	}
	at := len(d.nodes)
	d.add(kindObject, false, i, i)
	if i = d.space(i + 1); i < len(d.text) && d.text[i] == '}' {
		return d.close(at, i+1)
	}
	for {
		if i >= len(d.text) || d.text[i] != '"' {
			return d.fail(i, "a key is expected")
		}
		if i = d.quoted(i); i < 0 {
			return i
		}
		if i = d.space(i); i >= len(d.text) || d.text[i] != ':' {
			return d.fail(i, "a colon is expected")
		}
		if i = d.value(d.space(i+1), depth); i < 0 {
			return i
		}
		if i = d.space(i); i >= len(d.text) {
			return d.fail(i, "")
		}
		switch d.text[i] {
		case '}':
			return d.close(at, i+1)
		case ',':
			i = d.space(i + 1)
		default:
			return d.fail(i, "a comma or the end of the object is expected")
		}
	}
}

func (d *document) list(i, depth int) int {
	if depth > maxDepth {
		return d.fail(i, "nested too deeply")
	}
	at := len(d.nodes)
	d.add(kindList, false, i, i)
	if i = d.space(i + 1); i < len(d.text) && d.text[i] == ']' {
		return d.close(at, i+1)
	}
	for {
		if i = d.value(d.space(i), depth); i < 0 {
			return i
		}
		if i = d.space(i); i >= len(d.text) {
			return d.fail(i, "")
		}
		switch d.text[i] {
		case ']':
			return d.close(at, i+1)
		case ',':
			i++
		default:
			return d.fail(i, "a comma or the end of the list is expected")
		}
	}
}

func (d *document) close(at, end int) int {
	d.nodes[at].end, d.nodes[at].next = int32(end), int32(len(d.nodes))
	return end
}

// quoted reads the string whose opening quote is at i.
func (d *document) quoted(i int) int {
	i++
	start, escaped := i, false
	text := d.text // in a register
	for {
		for i < len(text) && !special[text[i]] {
			i++
		}
		if i >= len(text) {
			return d.fail(i, "")
		}
		switch text[i] {
		case '"':
			d.add(kindString, escaped, start, i)
			return i + 1
		case '\\':
			n := escapeLength(text[i:])
			if n == 0 {
				return d.fail(i, "a bad escape")
			}
			i, escaped = i+n, true
		default:
			return d.fail(i, "a control character in a string")
		}
	}
}

// special are the bytes of a string that are not just text.
var special = func() (set [256]bool) {
	for c := range 0x20 {
		set[c] = true
	}
	set['"'], set['\\'] = true, true
	return set
}()

// escapeLength is the length of the escape that s begins with, 0 for a bad one.
func escapeLength(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if hex4(s) >= 0 {
			return 6
		}
	}
	return 0
}

func (d *document) number(start int) int {
	i := start
	if d.text[i] == '-' {
		i++
	}
	if i < len(d.text) && d.text[i] == '0' {
		i++
	} else if n := d.digits(i); n > i {
		i = n
	} else {
		return d.fail(i, "a bad number")
	}
	if i < len(d.text) && d.text[i] == '.' {
		n := d.digits(i + 1)
		if n == i+1 {
			return d.fail(n, "a bad number")
		}
		i = n
	}
	mantissa := i
	if i < len(d.text) && (d.text[i] == 'e' || d.text[i] == 'E') {
		if i++; i < len(d.text) && (d.text[i] == '+' || d.text[i] == '-') {
			i++
		}
		n := d.digits(i)
		if n == i {
			return d.fail(n, "a bad number")
		}
		i = n
	}
	// Only an exponent or hundreds of digits can leave the range of a float64.
	if i > mantissa || i-start > 300 {
		if _, err := strconv.ParseFloat(string(d.text[start:i]), 64); err != nil {
			return d.fail(start, "a number out of range")
		}
	}
	d.add(kindNumber, false, start, i)
	return i
}

func (d *document) digits(i int) int {
	for i < len(d.text) && d.text[i] >= '0' && d.text[i] <= '9' {
		i++
	}
	return i
}
