package codec

import (
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
// must be copied. Where there is a Memory, usual events are there.
const (
	slab  = 64
	chunk = 32 << 10
)

// slot is the next free one.
func (d *document) slot() *slot {
	if d.memory != nil {
		return d.memory.slot()
	}
	if d.taken == len(d.slots) {
		d.slots, d.taken = make([]slot, slab), 0
	}
	s := &d.slots[d.taken]
	d.taken++
	return s
}

// back takes the latest slot back.
func (d *document) back() {
	if d.memory != nil {
		d.memory.back()
		return
	}
	d.taken--
	d.slots[d.taken] = slot{}
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
	if d.memory != nil {
		return d.memory.keep(text)
	}
	d.grow(len(text))
	start := len(d.kept)
	d.kept = append(d.kept, text...)
	return unsafe.String(&d.kept[start], len(text)) // only ever appended to
}

// grow makes room for n bytes of text that is kept.
func (d *document) grow(n int) {
	if cap(d.kept)-len(d.kept) < n {
		d.kept = make([]byte, 0, max(chunk, n))
	}
}

// join is keep for two texts, one behind the other.
func (d *document) join(a string, b []byte) string {
	if len(a)+len(b) == 0 {
		return ""
	}
	d.grow(len(a) + len(b))
	start := len(d.kept)
	d.kept = append(append(d.kept, a...), b...)
	return unsafe.String(&d.kept[start], len(a)+len(b))
}
