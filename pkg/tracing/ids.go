package tracing

import (
	"context"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
)

// child is the context of a span below another, or of a trace's first.
func child(parent trace.SpanContext) trace.SpanContext {
	c := trace.SpanContextConfig{
		TraceID: parent.TraceID(), SpanID: newSpanID(), TraceFlags: parent.TraceFlags() | trace.FlagsSampled, TraceState: parent.TraceState(),
	}
	if !parent.IsValid() {
		c.TraceID = newTraceID()
	}
	return trace.NewSpanContext(c)
}

func newTraceID() (id trace.TraceID) {
	binary.BigEndian.PutUint64(id[:8], rand.Uint64()|1) // never all zeros, which is none
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	return id
}

func newSpanID() (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], max(rand.Uint64(), 1))
	return id
}

// selfKey is under which named keeps a span's own context.
type selfKey struct{}

// named is for starting a span below parent that has its ids already: they were given
// to others before it was known that it would be one.
func named(parent, self trace.SpanContext) context.Context {
	ctx := context.WithValue(context.Background(), selfKey{}, self)
	return trace.ContextWithRemoteSpanContext(ctx, parent)
}

// ids gives spans their ids: those of named, else new ones.
type ids struct{}

// NewIDs implements sdk.IDGenerator.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if self, ok := ctx.Value(selfKey{}).(trace.SpanContext); ok {
		return self.TraceID(), self.SpanID()
	}
	return newTraceID(), newSpanID()
}

// NewSpanID implements sdk.IDGenerator.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if self, ok := ctx.Value(selfKey{}).(trace.SpanContext); ok {
		return self.SpanID()
	}
	return newSpanID()
}
