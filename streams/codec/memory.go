package codec

import (
	"sync"
	"unsafe"

	"tidemark/scoring"
)

// Memory is where events of records that came together are until Free, and then those of
// the next ones. The zero value is ready; it is for one goroutine at a time.
type Memory struct {
	pages []*page
	used  int   // slots of the last page
	clock int64 // what the clock showed when it was asked for the first of them; 0: it was not
}

// page is a part of a Memory.
type page struct {
	text []byte
	// The allocator puts a word of its own before a page: slots begin where the
	// processor's cache lines do.
	_       [4]uint64
	slots   [slab]slot
	singles [slab]single
}

// pageText is the room for the texts of a page's events: what the allocator gives for some
// 96 bytes each.
const pageText = 6784

// pages are those that nobody uses.
var pages = sync.Pool{New: func() any { return new(page) }}

// Free takes all events back: neither they nor their texts may be read again.
func (m *Memory) Free() {
	for _, p := range m.pages {
		if spoils {
			p.spoil()
		}
		p.text = p.text[:0]
		pages.Put(p)
	}
	clear(m.pages)
	m.pages, m.used, m.clock = m.pages[:0], 0, 0
}

// slot is the next free one.
func (m *Memory) slot() *slot {
	if len(m.pages) == 0 || m.used == slab {
		m.pages, m.used = append(m.pages, pages.Get().(*page)), 0
	}
	s := &m.pages[len(m.pages)-1].slots[m.used]
	m.used++
	*s = slot{}
	return s
}

// back takes the latest slot back.
func (m *Memory) back() { m.used-- }

// keep is a copy of text, which is not empty, for the latest slot.
func (m *Memory) keep(text []byte) string {
	p := m.pages[len(m.pages)-1]
	if p.text == nil {
		p.text = make([]byte, 0, pageText)
	}
	if cap(p.text)-len(p.text) < len(text) {
		return string(text)
	}
	start := len(p.text)
	p.text = append(p.text, text...)
	return unsafe.String(&p.text[start], len(text)) // nobody writes to it before Free
}

// spoil makes plain what is read after Free.
func (p *page) spoil() {
	for i := range p.slots {
		p.slots[i].event = scoring.Event{Kind: scoring.KindTombstone, Account: "freed"}
	}
	text := p.text[:cap(p.text)]
	for i := range text {
		text[i] = '?'
	}
}
