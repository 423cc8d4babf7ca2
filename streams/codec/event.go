package codec

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"tidemark/scoring"
)

// The types that mean something before any model is asked.
const (
	typeProfile   = "account.profile"
	typeErasure   = "contact.erased"
	typeMerge     = "account.merged"
	outcomePrefix = "outcome."
)

// maxAccountBytes bounds an account id.
const maxAccountBytes = 256

// fill makes the event of an envelope.
func (d *Decoder) fill(e *envelope, event *scoring.Event) (fault *Bad) {
	if fault = e.version(); fault != nil {
		return fault
	}
	for n, target := range [...]*string{&event.ID, &event.Source, &event.Type} {
		if *target, fault = e.required(id + n); fault != nil {
			return fault
		}
	}
	if event.Kind = kindOf(event.Type); lasts(event.Kind) {
		e.doc.own(event)
	}
	if event.Time, fault = e.time(); fault != nil {
		return fault
	}
	if fault = d.checkTime(event); fault != nil {
		return fault
	}
	if event.Account, fault = e.account(); fault != nil {
		return fault
	}
	switch event.Kind {
	case scoring.KindProfile:
		return e.fillProfile(event)
	case scoring.KindErasure:
		return e.fillErasure(event)
	case scoring.KindMerge:
		return e.fillMerge(event)
	}
	return e.fillActivity(event, d.rules.Reads)
}

func kindOf(typ string) scoring.Kind {
	switch {
	case typ == typeProfile:
		return scoring.KindProfile
	case typ == typeErasure:
		return scoring.KindErasure
	case typ == typeMerge:
		return scoring.KindMerge
	case strings.HasPrefix(typ, outcomePrefix):
		return scoring.KindOutcome
	}
	return scoring.KindEvent
}

func (e *envelope) time() (int64, *Bad) {
	a := &e.attributes[instant]
	if !a.present {
		return 0, bad(MissingAttribute, "time: missing, an RFC 3339 time such as 2026-11-02T09:30:00Z is required")
	}
	if a.kind != kindString {
		return 0, bad(BadTime, "time: %s, must be a string such as 2026-11-02T09:30:00Z", a.kind)
	}
	ms, ok := parseInstant(a.text)
	if !ok {
		return 0, bad(BadTime, "time: %s is not RFC 3339, such as 2026-11-02T09:30:00Z", show(a.text))
	}
	return ms, nil
}

// checkTime holds the time against the clock. Only what earns or counts can be
// too old: an old profile is still the truth, an old erasure still a duty.
func (d *Decoder) checkTime(event *scoring.Event) *Bad {
	if d.rules.Now == nil {
		return nil
	}
	return d.checkTimeAt(event, d.rules.Now())
}

// checkTimeAt is checkTime where the clock shows now.
func (d *Decoder) checkTimeAt(event *scoring.Event, now int64) *Bad {
	if event.Time > now+d.rules.FutureTolerance {
		return bad(FutureTime, "time: %s is %s ahead of the clock, at most %s is allowed",
			written(event.Time), span(event.Time-now), span(d.rules.FutureTolerance))
	}
	if d.rules.AgeAsArrived {
		now = min(now, event.Arrived)
	}
	ages := event.Kind == scoring.KindEvent || event.Kind == scoring.KindOutcome
	if ages && event.Time < now-d.rules.MaxEventAge {
		return bad(TooOld, "time: %s is %s ago, at most %s is allowed",
			written(event.Time), span(now-event.Time), span(d.rules.MaxEventAge))
	}
	return nil
}

func written(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// span writes milliseconds for people: whole days where it is days. A Duration
// would overflow after 292 years.
func span(ms int64) string {
	const day = 24 * 60 * 60 * 1000
	if ms >= 2*day {
		return strconv.FormatInt(ms/day, 10) + " days"
	}
	return (time.Duration(ms) * time.Millisecond).String()
}

// fillActivity reads the data of events and outcomes.
func (e *envelope) fillActivity(event *scoring.Event, reads func(string) (bool, bool)) *Bad {
	event.Strength = 1
	var properties, fields bool
	if reads != nil {
		properties, fields = reads(event.Type)
	}
	data, fault := e.members()
	if fault != nil {
		return fault
	}
	if event.Contact, fault = e.contact(data.contact, fields); fault != nil {
		return fault
	}
	if data.strength != none {
		if event.Strength, fault = e.strength(data.strength); fault != nil {
			return fault
		}
	}
	switch kind := e.doc.kind(data.properties); {
	case kind == kindNull:
	case kind != kindObject:
		return bad(BadAttribute, "data.properties: %s, must be an object", kind)
	case properties:
		event.Properties = e.doc.keepObject(data.properties)
	}
	return e.resolveDomain(event, data.domain)
}

// data are the members of data that mean something, none where they are not there.
type data struct{ contact, strength, properties, domain, attributes, domains, parent int }

// members finds the members of data, which may be missing or null.
func (e *envelope) members() (data, *Bad) {
	m := data{none, none, none, none, none, none, none}
	switch kind := e.doc.kind(e.data); kind {
	case kindNull:
		return m, nil
	case kindObject:
	default:
		return m, bad(BadAttribute, "data: %s, must be an object", kind)
	}
	e.doc.members(e.data, func(key []byte, value int) {
		switch string(key) {
		case "contact":
			m.contact = value
		case "strength":
			m.strength = value
		case "properties":
			m.properties = value
		case "domain":
			m.domain = value
		case "attributes":
			m.attributes = value
		case "domains":
			m.domains = value
		case "parent":
			m.parent = value
		}
	})
	return m, nil
}

func (e *envelope) strength(n int) (float64, *Bad) {
	if kind := e.doc.kind(n); kind != kindNumber {
		return 0, bad(BadAttribute, "data.strength: %s, must be a number from 0 to 10", kind)
	}
	f := e.doc.float(n)
	if f < 0 || f > 10 {
		return 0, bad(BadAttribute, "data.strength: %s, must be from 0 to 10", show(e.doc.raw(n)))
	}
	// The sum makes a plain zero of -0.
	return f + 0, nil
}

// plainID reports whether a text is an account id as it stands, as most are: then
// accountID would change nothing.
func plainID(text []byte) bool {
	for _, c := range text {
		if c <= ' ' || c >= 0x7f || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return len(text) <= maxAccountBytes
}

// accountID is a text as an account id: trimmed, lower-cased and checked.
func accountID(name string, text []byte) (string, *Bad) {
	s := strings.TrimSpace(string(text))
	lower := strings.ToLower(s)
	if len(s) > maxAccountBytes || len(lower) > maxAccountBytes {
		return "", bad(BadAttribute, "%s: %d bytes, at most %d are allowed", name, len(s), maxAccountBytes)
	}
	if strings.IndexFunc(lower, unicode.IsControl) >= 0 {
		return "", bad(BadAttribute, "%s: has a control character, none is allowed", name)
	}
	return lower, nil
}
