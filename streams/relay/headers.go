package relay

import (
	"slices"
	"strings"

	"tidemark/streams/sink"
)

// contentType marks what is published as a CloudEvent in structured mode. Shared
// by all messages: read only.
var contentType = []sink.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}}

// headers are those of an entry with this trace. As the trace is kept with the entry, a
// repeat has the same.
func headers(trace string) []sink.Header {
	if trace == "" {
		return contentType
	}
	parent, state, stated := strings.Cut(trace, " ")
	out := append(slices.Clone(contentType), sink.Header{Key: "traceparent", Value: []byte(parent)})
	if stated {
		out = append(out, sink.Header{Key: "tracestate", Value: []byte(state)})
	}
	return out
}

// traced reports whether an entry has a trace.
func traced(entries []Entry) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool { return e.Trace != "" })
}
