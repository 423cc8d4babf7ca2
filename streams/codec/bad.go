package codec

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"

	"tidemark/scoring"
)

// Reason says what is wrong with a record. The names are the specification's
// and stand in dead letters and metric labels.
type Reason string

// The reasons, all of them.
const (
	Malformed        Reason = "malformed"         // not a CloudEvent, or not JSON
	MissingAttribute Reason = "missing_attribute" // something required is not there
	BadAttribute     Reason = "bad_attribute"     // something is there and not usable
	BadTime          Reason = "bad_time"          // time is not RFC 3339
	FutureTime       Reason = "future_time"       // time is too far ahead of the clock
	TooOld           Reason = "too_old"           // time is before the oldest allowed
	Oversize         Reason = "oversize"          // more bytes than allowed
	NoAccount        Reason = "no_account"        // neither a subject nor a usable domain
)

// Reasons lists every reason, for whoever counts by them.
func Reasons() []Reason {
	return []Reason{Malformed, MissingAttribute, BadAttribute, BadTime, FutureTime, TooOld, Oversize, NoAccount}
}

// Bad is why a record, or one event of several in it, cannot be used: the data's
// own fault, never a passing one.
type Bad struct {
	Reason Reason
	// Place says which event of a record that holds several, counted from 0, such as
	// batch[3]; the message begins with it. Empty: the record as a whole.
	Place string
	// Message is for people: the attribute, the value where it is not personal,
	// and what is allowed.
	Message string
}

func (b *Bad) Error() string { return string(b.Reason) + ": " + b.Message }

func bad(reason Reason, format string, args ...any) *Bad {
	return &Bad{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// in is the fault with the place of the event that has it.
func (b *Bad) in(place string) *Bad {
	if place == "" {
		return b
	}
	b.Place, b.Message = place, place+": "+b.Message
	return b
}

var places = regexp.MustCompile(`^((?:batch|item)\[\d+\](?:\.events\[\d+\])?): `)

// PlaceIn is the place that the message of a Bad begins with, empty for the record
// as a whole: a dead letter carries no more than the message.
func PlaceIn(message string) string {
	if found := places.FindStringSubmatch(message); found != nil {
		return found[1]
	}
	return ""
}

// mostFaults bounds the faults of one record: each becomes a dead letter with the
// whole record in it, so a record of nothing but commas would make a thousand
// times its size.
const mostFaults = 64

// collection is what comes of a record that holds several events.
type collection struct {
	refused []string
	events  []*scoring.Event
	faults  []*Bad
	beyond  int // faults that are not in the list
}

// passes reports whether an event is to be left out.
func (c *collection) passes(place string) bool { return slices.Contains(c.refused, place) }

// fault takes the fault of the event at a place.
func (c *collection) fault(place string, b *Bad) {
	if len(c.faults) >= mostFaults {
		c.beyond++
		return
	}
	c.faults = append(c.faults, b.in(place))
}

// end is what Decode returns. The last fault speaks for those that are not in the list.
func (c *collection) end() ([]*scoring.Event, []*Bad) {
	if c.beyond > 0 {
		last := c.faults[len(c.faults)-1]
		last.Message += fmt.Sprintf("; %d more bad events behind it have no dead letter of their own", c.beyond)
	}
	return c.events, c.faults
}

// shownBytes is how much of a value a message quotes.
const shownBytes = 48

// show quotes a value for a message: shortened, and hidden altogether where it
// may be an e-mail address.
func show(value []byte) string {
	if bytes.IndexByte(value, '@') >= 0 {
		return "<redacted>"
	}
	if len(value) <= shownBytes {
		return fmt.Sprintf("%q", value)
	}
	cut := value[:shownBytes]
	for len(cut) > 0 && !utf8.Valid(cut) {
		cut = cut[:len(cut)-1]
	}
	return fmt.Sprintf("%q… (%d bytes)", cut, len(value))
}
