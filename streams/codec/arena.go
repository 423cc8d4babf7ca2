package codec

import (
	"strings"
	"unsafe"

	"tidemark/scoring"
)

// slot is everything of one event that is allocated: the event, its contact, and
// the list of one that Decode returns.
type slot struct {
	event   scoring.Event
	contact scoring.Contact
	list    [1]*scoring.Event
}

// slab is how many slots are allocated at once, and chunk how many bytes of text.
// An event that is kept holds its slab and its chunk, so what is kept for long
// must be copied.
const (
	slab  = 64
	chunk = 32 << 10
)

// slot is the next free one.
func (d *document) slot() *slot {
	if len(d.slots) == 0 {
		d.slots = make([]slot, slab)
	}
	s := &d.slots[0]
	d.slots = d.slots[1:]
	return s
}

// keep is a copy of text that outlives the document, or where the document's text is
// lent the text itself.
func (d *document) keep(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if d.lent {
		return unsafe.String(&text[0], len(text)) // nobody writes to it before Lines.Reset
	}
	if d.kept == nil || d.kept.Cap()-d.kept.Len() < len(text) {
		d.kept = new(strings.Builder)
		d.kept.Grow(max(chunk, len(text)))
	}
	start := d.kept.Len()
	d.kept.Write(text)
	return d.kept.String()[start:]
}

// join is keep for two texts, one behind the other.
func (d *document) join(a string, b []byte) string {
	if d.kept == nil || d.kept.Cap()-d.kept.Len() < len(a)+len(b) {
		d.kept = new(strings.Builder)
		d.kept.Grow(max(chunk, len(a)+len(b)))
	}
	start := d.kept.Len()
	d.kept.WriteString(a)
	d.kept.Write(b)
	return d.kept.String()[start:]
}
