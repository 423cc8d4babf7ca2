package codec

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

func (d *document) kind(n int) kind {
	if n == none {
		return kindNull
	}
	return d.nodes[n].kind
}

func (d *document) raw(n int) []byte { return d.text[d.nodes[n].start:d.nodes[n].end] }

// bytes is the string at n with its escapes resolved. Without escapes it
// aliases the document.
func (d *document) bytes(n int) []byte {
	if d.nodes[n].escaped {
		return unescape(d.raw(n))
	}
	return d.raw(n)
}

func (d *document) string(n int) string { return d.keep(d.bytes(n)) }

// float is the number at n. The parser has made sure that it fits.
func (d *document) float(n int) float64 {
	f, _ := strconv.ParseFloat(string(d.raw(n)), 64)
	return f
}

// members calls f with every key and value of the object at n, in order, so
// that a caller who assigns lets the last of duplicate keys win. The key is
// valid only during the call.
func (d *document) members(n int, f func(key []byte, value int)) {
	for i, end := n+1, int(d.nodes[n].next); i < end; i = int(d.nodes[i+1].next) {
		f(d.bytes(i), i+1)
	}
}

// member is the value of a name in the object at n, the last of duplicates, or none.
func (d *document) member(n int, name string) int {
	found := none
	for i, end := n+1, int(d.nodes[n].next); i < end; i = int(d.nodes[i+1].next) {
		if string(d.bytes(i)) == name {
			found = i + 1
		}
	}
	return found
}

// elements calls f with every element of the list at n until f reports false.
func (d *document) elements(n int, f func(value int) bool) {
	for i, end := n+1, int(d.nodes[n].next); i < end; i = int(d.nodes[i].next) {
		if !f(i) {
			return
		}
	}
}

// any is the value at n as encoding/json would make it.
func (d *document) any(n int) any {
	switch d.nodes[n].kind {
	case kindString:
		return d.string(n)
	case kindNumber:
		return d.float(n)
	case kindBool:
		return d.raw(n)[0] == 't'
	case kindList:
		list := []any{}
		d.elements(n, func(value int) bool {
			list = append(list, d.any(value))
			return true
		})
		return list
	case kindObject:
		return d.mapping(n)
	}
	return nil
}

func (d *document) mapping(n int) map[string]any {
	m := map[string]any{}
	d.members(n, func(key []byte, value int) { m[d.keep(key)] = d.any(value) })
	return m
}

// unescape resolves the escapes of a string that the parser has accepted.
func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			out = append(out, s[i])
			i++
			continue
		}
		if s[i+1] != 'u' {
			out = append(out, plainEscape(s[i+1]))
			i += 2
			continue
		}
		r := rune(hex4(s[i:]))
		i += 6
		if utf16.IsSurrogate(r) {
			// A pair gives one rune. A lone half gives U+FFFD, and what stands
			// behind it is read on its own.
			pair := utf16.DecodeRune(r, rune(hex4(s[i:])))
			if pair != utf8.RuneError {
				i += 6
			}
			r = pair
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

func plainEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// hex4 is the value of the \uXXXX that s begins with, or -1.
func hex4(s []byte) int {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	n := 0
	for _, c := range s[2:6] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | int(c-'A'+10)
		default:
			return -1
		}
	}
	return n
}
