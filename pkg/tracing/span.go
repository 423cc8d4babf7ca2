package tracing

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Place is where an event lies in Kafka.
type Place struct {
	Topic     string
	Partition int
	Offset    int64
}

// Event names an event; Account is empty where it is found only later.
type Event struct{ ID, Source, Type, Account string }

// Span follows one event from its record until its effect is stored. Only then is it
// made one of OpenTelemetry's: as many wait to be scored as events do, and may never be.
// It may be told things by several goroutines, one after the other.
type Span struct {
	parent  trace.SpanContext // the producer's; not valid where there is none
	self    trace.SpanContext // the parent's, where nobody records it
	fetched time.Time
	scored  time.Time
}

// Join begins the span of an event that was fetched at an instant, as part of the
// producer's trace if the record's headers name one. It returns nil where there is
// nothing to follow or to pass on.
func (t *Tracer) Join(parent, state string, fetched time.Time) *Span {
	from := trace.SpanContext{}
	if parent != "" {
		from = remote(parent, state)
	}
	switch {
	case from.IsValid() && !from.IsSampled():
		return &Span{parent: from, self: from}
	case !from.IsValid() && rand.Float64() >= t.config.Sample:
		return nil
	}
	return &Span{parent: from, self: child(from), fetched: fetched}
}

// Trace is what goes on with what the event leads to.
func (s *Span) Trace() Trace { return traceOf(s.self) }

// Scored notes that the event was applied to its account just now. It may be noted
// again: who was overtaken by another writer applies again.
func (s *Span) Scored() { s.scored = time.Now() }

// Stored ends the span of an event: what it did is stored.
func (t *Tracer) Stored(s *Span, at Place, e Event) {
	if !s.self.IsSampled() || !t.room() {
		return
	}
	// Copies: the texts are parts of larger ones, which a span that waits must not hold.
	attributes := append(t.consumed(at), semconv.CloudEventsEventID(strings.Clone(e.ID)),
		semconv.CloudEventsEventSource(strings.Clone(e.Source)), semconv.CloudEventsEventType(strings.Clone(e.Type)))
	if e.Account != "" {
		attributes = append(attributes, accountKey.String(strings.Clone(e.Account)))
	}
	_, span := t.tracer.Start(named(s.parent, s.self), "process "+at.Topic,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(s.fetched), trace.WithAttributes(attributes...))
	if !s.scored.IsZero() {
		span.AddEvent("scored", trace.WithTimestamp(s.scored))
	}
	span.End()
}

// accountKey is Tidemark's own attribute: the account of a span.
const accountKey = attribute.Key("tidemark.account")

// consumed are the attributes of a span about a record that was read.
func (t *Tracer) consumed(at Place) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKafka, semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("process"),
		semconv.MessagingConsumerGroupName(t.config.Group), semconv.MessagingDestinationName(at.Topic),
		semconv.MessagingDestinationPartitionID(strconv.Itoa(at.Partition)), semconv.MessagingKafkaOffset(int(at.Offset)),
	}
}

// Refused tells of a record of a sampled trace that could not be used: its dead letter
// was acknowledged just now. Only producers' traces have such a span.
func (t *Tracer) Refused(parent, state string, at Place, reason string) {
	if parent == "" {
		return
	}
	from := remote(parent, state)
	if !from.IsSampled() || !t.room() {
		return
	}
	_, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(context.Background(), from), "process "+at.Topic,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(append(t.consumed(at), semconv.ErrorTypeKey.String(reason))...))
	span.SetStatus(codes.Error, "dead letter: "+reason)
	span.End()
}

// Published tells of a message that carried a trace: taken from its outbox at an
// instant, and acknowledged just now.
func (t *Tracer) Published(of Trace, topic, key string, taken time.Time) {
	from := of.context()
	if !from.IsSampled() || !t.room() {
		return
	}
	_, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(context.Background(), from), "send "+topic,
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithTimestamp(taken), trace.WithAttributes(
			semconv.MessagingSystemKafka, semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("send"),
			semconv.MessagingDestinationName(topic), accountKey.String(key)))
	span.End()
}
