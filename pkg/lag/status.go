package lag

import (
	"fmt"
	"time"
)

// Status says what becomes of the records that wait in a partition. The words and the
// rules are Burrow's; a worse status is a greater number.
type Status int

// The statuses.
const (
	// OK: nothing waits, or less and less.
	OK Status = iota
	// Warn: records are taken, and yet no fewer wait.
	Warn
	// Stall: somebody works, and this partition stays where it is.
	Stall
	// Stop: nobody works.
	Stop
	// Rewind: what was done already is to be done again, as Redis was set back.
	Rewind
)

var statusNames = [...]string{"OK", "WARN", "STALL", "STOP", "REWIND"}

// String is Burrow's word.
func (s Status) String() string { return statusNames[s] }

// MarshalText makes it a word in JSON.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Status) UnmarshalText(text []byte) error {
	for i, name := range statusNames {
		if name == string(text) {
			*s = Status(i)
			return nil
		}
	}
	return fmt.Errorf("status %q is not one of %q", text, statusNames)
}

// Sample is where a partition stood at one look. Instants are Unix milliseconds.
type Sample struct {
	At int64
	// Position is the offset from which on nothing is stored: everything from there
	// waits. Below Low everything is stored; between the two, a part.
	Low, Position int64
	End           int64 // of the log
	// Committed is what the group committed, -1 for nothing, and CommittedAt when,
	// 0 where that is not known.
	Committed, CommittedAt int64
}

func (s Sample) behind() int64 { return max(s.End-s.Position, 0) }

// Evaluate is the status of a partition after some looks, the latest last. Checkpoint is
// how often who works commits.
//
// As Burrow does, it looks at how things go and not at how much waits: a window with a
// moment at which nothing waited is good, else it is a rewind, a stop, a stall or slow, in
// this order. What differs: a sign of life is a commit or a step ahead; what was seen of
// commits must leave out two of them before that is a stop, as a window may be short; and a
// store that stands behind what the group has committed is a rewind at the first look.
func Evaluate(window []Sample, checkpoint time.Duration) Status {
	if len(window) == 0 {
		return OK
	}
	last := window[len(window)-1]
	switch {
	case last.Low < last.Committed:
		return Rewind // the group is told after the store
	case last.behind() == 0:
		return OK
	case rewound(window):
		return Rewind
	case drained(window):
		return OK
	case stopped(window, checkpoint.Milliseconds()):
		return Stop
	case stalled(window):
		return Stall
	case slow(window):
		return Warn
	}
	return OK
}

// rewound: the position went back and is not there again.
func rewound(window []Sample) bool {
	last := window[len(window)-1]
	for _, s := range window {
		if s.Position > last.Position {
			return true
		}
	}
	return false
}

func drained(window []Sample) bool {
	for _, s := range window {
		if s.behind() == 0 {
			return true
		}
	}
	return false
}

// stopped: no sign of life for longer than there were some in the window.
func stopped(window []Sample, checkpoint int64) bool {
	first, last := alive(window[0], nil), int64(0)
	for i := range window {
		var before *Sample
		if i > 0 {
			before = &window[i-1]
		}
		last = max(last, alive(window[i], before))
	}
	now := window[len(window)-1].At
	return now-last > max(last-first, 2*checkpoint)
}

// alive is the latest instant at which somebody worked, as far as a look shows.
func alive(s Sample, before *Sample) int64 {
	switch {
	case before != nil && (s.Position > before.Position || s.Committed > before.Committed):
		return s.At
	case s.CommittedAt > 0:
		return min(s.CommittedAt, s.At)
	case before == nil:
		return s.At // nobody knows
	}
	return 0
}

func stalled(window []Sample) bool {
	for i := 1; i < len(window); i++ {
		if window[i].Position != window[i-1].Position {
			return false
		}
	}
	return len(window) > 1
}

func slow(window []Sample) bool {
	for i := 1; i < len(window); i++ {
		if window[i].behind() < window[i-1].behind() {
			return false
		}
	}
	return len(window) > 1
}
