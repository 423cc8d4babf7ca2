package codec

import (
	"bytes"
	"fmt"
	"unicode/utf8"
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

// Bad is why a record cannot be used: the data's own fault, never a passing one.
type Bad struct {
	Reason Reason
	// Message is for people: the attribute, the value where it is not personal,
	// and what is allowed.
	Message string
}

func (b *Bad) Error() string { return string(b.Reason) + ": " + b.Message }

func bad(reason Reason, format string, args ...any) *Bad {
	return &Bad{Reason: reason, Message: fmt.Sprintf(format, args...)}
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
