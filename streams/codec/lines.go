package codec

import (
	"strings"

	"tidemark/scoring"
)

// Lines is memory for the events of some lines, used again for those of the next ones.
// The zero value is ready; it is for one goroutine at a time.
type Lines struct {
	doc    document
	memory Memory
}

// Reset takes all events back.
func (l *Lines) Reset() {
	l.memory.Free()
	l.doc.objects.used = 0
}

// DecodeInto is DecodeLine without a copy of anything: the event is good until the next
// Reset, and as long as nobody writes to the line. What a profile or a merge says may be
// kept all the same, as accounts keep it; the event itself may not.
func (d *Decoder) DecodeInto(l *Lines, line []byte, arrived int64) (*scoring.Event, *Bad) {
	l.doc.lent = true
	return d.line(&l.doc, l.memory.slot(), line, arrived)
}

// lasts reports whether accounts keep texts of inputs of this kind.
func lasts(kind scoring.Kind) bool {
	return kind == scoring.KindProfile || kind == scoring.KindMerge
}

// own makes copies of the event's texts, and of those that are still to be read.
func (d *document) own(event *scoring.Event) {
	if !d.lent {
		return
	}
	d.lent = false
	for _, text := range [...]*string{&event.ID, &event.Source, &event.Type} {
		*text = strings.Clone(*text)
	}
}
