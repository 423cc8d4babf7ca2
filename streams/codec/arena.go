package codec

import (
	"unsafe"

	"tidemark/scoring"
)

// slot is everything of one event that is allocated but for its texts and the list of one
// that Decode returns: 256 bytes, four of the processor's cache lines.
type slot struct {
	event   scoring.Event
	contact scoring.Contact
}

// single is the list of one event.
type single [1]*scoring.Event

// of makes it that of a slot.
func (l *single) of(s *slot) []*scoring.Event {
	l[0] = &s.event
	return l[:]
}

// slab is how many slots are allocated at once, so many that a page of a Memory fills what
// Go's allocator gives for it (18,432 bytes), and chunk how many bytes of text.
// An event that is kept holds its slab and its chunk, so what is kept for long
// must be copied. Where there is a Memory, usual events are there.
const (
	slab  = 69
	chunk = 32 << 10
)

// slot is the next free one.
func (d *document) slot() *slot {
	if d.memory != nil {
		return d.memory.slot()
	}
	if d.taken == len(d.slots) {
		d.slots, d.singles, d.taken = make([]slot, slab), make([]single, slab), 0
	}
	s := &d.slots[d.taken]
	d.taken++
	return s
}

// only is the list of the latest slot, which is in m if that holds it.
func (d *document) only(s *slot, m *Memory) []*scoring.Event {
	if m != nil && m.used > 0 {
		if p := m.pages[len(m.pages)-1]; s == &p.slots[m.used-1] {
			return p.singles[m.used-1].of(s)
		}
	}
	return d.singles[d.taken-1].of(s)
}

// clock is what it shows, asked once for records that came together.
func (d *document) clock(now func() int64) int64 {
	if d.memory == nil {
		return now()
	}
	if d.memory.clock == 0 {
		d.memory.clock = now()
	}
	return d.memory.clock
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
