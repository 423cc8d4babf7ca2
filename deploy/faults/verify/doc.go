// Package verify holds a finished run of Tidemark against the specification. It
// takes what stood in Kafka and in Redis when everything was drained, computes from
// the input what should have come out, and lists every difference.
//
// It shares no scoring code with the program: events are decoded by a plain decoder
// of its own, and scores, tiers and crossings come from scoring/naive, which adds
// the whole history up by the formulas of the specification. Only tests import it.
package verify
