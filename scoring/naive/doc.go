// Package naive is scoring's twin for tests: SPEC sections 3 and 4 read word by
// word. It keeps every counted event for ever, adds the whole history up again
// whenever it is asked for a score, and finds crossings by looking.
//
// It shares no arithmetic with scoring, only the types of a Spec and an Event, so
// that the two can disagree. It is slow on purpose: where a choice is between
// literal and clever, it is literal. Only tests import it.
package naive
