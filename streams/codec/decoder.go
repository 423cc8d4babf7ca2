package codec

import (
	"strings"
	"sync"
	"time"

	"tidemark/scoring"
)

// Record is a Kafka record as it came.
type Record struct {
	Topic     string
	Partition int
	Offset    int64
	Time      int64  // the Kafka timestamp, Unix milliseconds
	Key       []byte // nil: none
	Value     []byte // nil: a tombstone
	Headers   []Header
	// Refused are the places (Bad.Place) of events to pass over, of a record that
	// holds several: what was a dead letter before must not count when the log is
	// read again.
	Refused []string
	// Memory is where the event may be, for a while. Nil: it can be kept.
	Memory *Memory
}

// Header is one header of a Record. A key may come more than once.
type Header struct {
	Key   string
	Value []byte
}

// The limits that hold where Rules do not say.
const (
	DefaultFutureTolerance = int64(5 * time.Minute / time.Millisecond)
	DefaultMaxEventAge     = int64(400 * 24 * time.Hour / time.Millisecond)
	DefaultMaxBytes        = 256 << 10
)

// Rules are what a Decoder checks beyond the form of an event.
type Rules struct {
	// Now is the clock, Unix milliseconds. Nil: no time is too late or too old.
	Now func() int64
	// AgeAsArrived takes an event's age at its record's own timestamp where that is
	// before Now: what was not too old when it came is not so when it is read again.
	AgeAsArrived bool
	// FutureTolerance is how far ahead of the clock a time may be, in
	// milliseconds. 0 stands for DefaultFutureTolerance.
	FutureTolerance int64
	// MaxEventAge is how far behind the clock the time of an event or an outcome
	// may be, in milliseconds. 0 stands for DefaultMaxEventAge. Profiles and
	// erasures hold at any age.
	MaxEventAge int64
	// MaxBytes bounds the value and the ce_ headers together. 0 stands for
	// DefaultMaxBytes.
	MaxBytes int
	// ProfilesTopic is where a record without a value erases the account that
	// its key names.
	ProfilesTopic string
	// Formats are those of the topics that do not hold CloudEvents.
	Formats map[string]Format
	// Users says that who decodes also learns from Event.Hint whose users are whose: then
	// an event without account and domain is no fault yet if it names a user, and a
	// call that only says who belongs to an account is a scoring.KindNotice.
	Users bool
	// Reads tells whether anybody reads Event.Properties and Contact.Fields of
	// events of a type: they are most of the cost of decoding. Nil: nobody does.
	Reads func(typ string) (properties, fields bool)
}

// Decoder makes events of records. It is safe for concurrent use.
type Decoder struct {
	rules Rules
	work  sync.Pool // of *document
}

// New makes a Decoder. Rules left at zero take their defaults.
func New(rules Rules) *Decoder {
	if rules.FutureTolerance == 0 {
		rules.FutureTolerance = DefaultFutureTolerance
	}
	if rules.MaxEventAge == 0 {
		rules.MaxEventAge = DefaultMaxEventAge
	}
	if rules.MaxBytes == 0 {
		rules.MaxBytes = DefaultMaxBytes
	}
	return &Decoder{rules: rules, work: sync.Pool{New: func() any { return new(document) }}}
}

// Decode returns the events of a record, in the order in which it lists them, and
// why what it does not return cannot be used: one Bad for a record that is of no use
// as a whole, or one for each bad event of several. A record may well hold neither.
// Nothing of the record's bytes is kept, so buffers may be reused. Where the record has a
// Memory, events are good until its Free; what profiles and merges say can be kept.
func (d *Decoder) Decode(r *Record) ([]*scoring.Event, []*Bad) {
	doc := d.document()
	defer d.release(doc)
	headers := headersOf(r.Headers)
	if fault := d.tooLarge(len(r.Value) + headers.size); fault != nil {
		return nil, []*Bad{fault}
	}
	switch format := d.format(r); {
	case format.segment:
		doc.noProfiles = format.noProfiles
		return d.segment(doc, r)
	case format.mapper != nil:
		return d.mapped(doc, r, format.mapper)
	case headers.media == mediaBatch && !d.erases(r):
		return d.batch(doc, r, &headers)
	}
	s, fault := d.single(doc, r, &headers)
	if fault != nil {
		return nil, []*Bad{fault}
	}
	return doc.only(s, r.Memory), nil
}

// DecodeLine reads a line of a JSON lines file: one CloudEvent in structured
// mode, arrived at the given instant (Unix milliseconds).
func (d *Decoder) DecodeLine(line []byte, arrived int64) (*scoring.Event, *Bad) {
	doc := d.document()
	defer d.release(doc)
	return d.line(doc, doc.slot(), line, arrived)
}

func (d *Decoder) line(doc *document, s *slot, line []byte, arrived int64) (*scoring.Event, *Bad) {
	if fault := d.tooLarge(len(line)); fault != nil {
		return nil, fault
	}
	s.event.Arrived = arrived
	if d.quick(doc, line, s) {
		return &s.event, nil
	}
	if !doc.parse(line) {
		return nil, bad(Malformed, "line: %s", doc.fault)
	}
	if doc.kind(0) != kindObject {
		return nil, bad(Malformed, "line: %s, a CloudEvent is an object", doc.kind(0))
	}
	if fault := d.structured(doc, s); fault != nil {
		return nil, fault
	}
	return &s.event, nil
}

// keptNodes is the largest document that stays in the pool.
const keptNodes = 4096

func (d *Decoder) document() *document { return d.work.Get().(*document) }

func (d *Decoder) release(doc *document) {
	doc.text = nil
	if cap(doc.nodes) <= keptNodes {
		d.work.Put(doc)
	}
}

// single finds the content mode of a record with one event and makes that.
func (d *Decoder) single(doc *document, r *Record, headers *headers) (*slot, *Bad) {
	inHeaders := false
	switch media := headers.media; {
	case d.erases(r):
		s := doc.slot()
		s.event.Arrived = r.Time
		return s, d.tombstone(r, &s.event)
	case media == mediaStructured:
		if fault := headers.unicode(); fault != nil {
			return nil, fault
		}
	case strings.HasPrefix(media, "application/cloudevents"):
		return nil, bad(Malformed, "content-type: %s is not read, only %s and %s are", show([]byte(media)), mediaStructured, mediaBatch)
	default:
		inHeaders = headers.attributes[specversion].present
	}
	if !inHeaders {
		if s := d.usual(doc, r); s != nil {
			return s, nil
		}
	}
	s := doc.slot()
	s.event.Arrived = r.Time
	if inHeaders {
		return s, d.binary(doc, r, headers, s)
	}
	return s, d.whole(doc, r, headers, s)
}

// usual is the event of a record that quick reads, nil of another one. Only that is in the
// record's Memory: accounts keep some of what others say.
func (d *Decoder) usual(doc *document, r *Record) *slot {
	doc.memory = r.Memory
	s := doc.slot()
	s.event.Arrived = r.Time
	if !d.quick(doc, r.Value, s) {
		doc.back()
		s = nil
	}
	doc.memory = nil
	return s
}

// whole fills the event of a record in structured mode by its document.
func (d *Decoder) whole(doc *document, r *Record, headers *headers, s *slot) *Bad {
	if !doc.parse(r.Value) || doc.kind(0) != kindObject || headers.media != mediaStructured && !doc.has(0, "specversion") {
		return notStructured(doc, r, headers)
	}
	return d.structured(doc, s)
}

// unicode refuses texts in another character set.
func (h *headers) unicode() *Bad {
	if h.charset != "utf-8" && h.charset != "us-ascii" {
		return bad(Malformed, "content-type: charset %s, only utf-8 is read", show([]byte(h.charset)))
	}
	return nil
}

// notStructured says why a record that is not in binary mode cannot be read in
// structured mode either.
func notStructured(doc *document, r *Record, headers *headers) *Bad {
	switch {
	case headers.any && headers.media != mediaStructured:
		return bad(MissingAttribute, "ce_specversion: missing; the other ce_ headers need it, with the value 1.0")
	case r.Value == nil:
		return bad(Malformed, "value: null, which only the profiles topic may hold")
	case doc.fault != "":
		return bad(Malformed, "value: %s", doc.fault)
	case doc.kind(0) == kindList:
		return bad(Malformed, "value: a list, a CloudEvent is an object; a batch needs the header content-type with %s", mediaBatch)
	case doc.kind(0) != kindObject:
		return bad(Malformed, "value: %s, a CloudEvent is an object", doc.kind(0))
	}
	return bad(Malformed, "value: not a CloudEvent: it has no specversion, and there is no ce_specversion header")
}

func (d *Decoder) tooLarge(size int) *Bad {
	if size <= d.rules.MaxBytes {
		return nil
	}
	return bad(Oversize, "value and ce_ headers: %d bytes, at most %d are allowed", size, d.rules.MaxBytes)
}
