package tracing

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The headers of the W3C trace context.
const (
	ParentHeader = "traceparent"
	StateHeader  = "tracestate"
)

// Trace is a trace context on its way through Redis: the traceparent and, where there
// is one, a space and the tracestate. Empty: none. What Join and Span.Trace give is
// well-formed, and short enough for an outbox.
type Trace string

// mostState bounds what a producer's tracestate can put into an outbox; W3C asks for
// 512 characters at least. A longer one is left out, which the standard allows.
const mostState = 512

// carrier is a trace context that a propagator can read and write.
type carrier struct{ parent, state string }

// Get implements propagation.TextMapCarrier.
func (c *carrier) Get(key string) string {
	switch key {
	case ParentHeader:
		return c.parent
	case StateHeader:
		return c.state
	}
	return ""
}

// Set implements propagation.TextMapCarrier.
func (c *carrier) Set(key, value string) {
	switch key {
	case ParentHeader:
		c.parent = value
	case StateHeader:
		c.state = value
	}
}

// Keys implements propagation.TextMapCarrier.
func (c *carrier) Keys() []string { return []string{ParentHeader, StateHeader} }

// remote is the context of whoever sent these; not valid where parent is none.
func remote(parent, state string) trace.SpanContext {
	c := carrier{parent, state}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), &c))
}

// traceOf is how a context travels.
func traceOf(of trace.SpanContext) Trace {
	var c carrier
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), of), &c)
	if c.state == "" || len(c.state) > mostState {
		return Trace(c.parent)
	}
	return Trace(c.parent + " " + c.state)
}

// context is what traceOf was given.
func (t Trace) context() trace.SpanContext {
	parent, state, _ := strings.Cut(string(t), " ")
	return remote(parent, state)
}

// Sampled is the ids of the trace and the span; false where there is none, or where
// nobody records it.
func (t Trace) Sampled() (traceID, spanID string, ok bool) { return sampledIDs(t.context()) }

// Sampled is the ids of the trace and the span; false where nobody records it.
func (s *Span) Sampled() (traceID, spanID string, ok bool) { return sampledIDs(s.self) }

func sampledIDs(c trace.SpanContext) (traceID, spanID string, ok bool) {
	if !c.IsSampled() {
		return "", "", false
	}
	return c.TraceID().String(), c.SpanID().String(), true
}
