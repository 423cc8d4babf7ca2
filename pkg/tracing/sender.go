package tracing

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// sender counts what an exporter sends and what it does not, and tells of an outage
// when it begins and when it is over. Its errors go no further: the SDK would print
// each to the standard error.
type sender struct {
	sdk.SpanExporter
	metrics *Metrics
	log     zerolog.Logger

	waiting atomic.Int64 // spans in the queue or on their way

	life   context.Context // of what is on its way
	cancel context.CancelFunc
	ended  chan struct{} // closed when the SDK's goroutine is done with us
	since  time.Time     // of the outage; only the SDK's goroutine looks at it
}

func newSender(to sdk.SpanExporter, m *Metrics, log zerolog.Logger) *sender {
	s := &sender{SpanExporter: to, metrics: m, log: log, ended: make(chan struct{})}
	s.life, s.cancel = context.WithCancel(context.Background())
	return s
}

// ExportSpans implements sdk.SpanExporter.
func (s *sender) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)() //nolint:contextcheck // the SDK's context does not end when we do
	err := s.SpanExporter.ExportSpans(ctx, spans)
	s.waiting.Add(int64(-len(spans)))
	s.metrics.count(err, len(spans))
	switch {
	case err != nil && s.since.IsZero():
		s.since = time.Now()
		s.log.Warn().Err(err).Msg("the collector does not take spans, they are dropped until it does")
	case err == nil && !s.since.IsZero():
		s.log.Info().Dur("lasted", time.Since(s.since)).Msg("the collector takes spans again")
		s.since = time.Time{}
	}
	return nil
}

// Shutdown implements sdk.SpanExporter. It is the last that the SDK's goroutine calls.
func (s *sender) Shutdown(ctx context.Context) error {
	defer close(s.ended)
	return s.SpanExporter.Shutdown(ctx)
}

// end cuts off what is on its way and waits for the SDK's goroutine.
func (s *sender) end() {
	s.cancel()
	<-s.ended
}

// bounded drops and counts spans that the queue has no room for.
type bounded struct {
	sdk.SpanProcessor
	sender *sender
	most   int64
}

// OnEnd implements sdk.SpanProcessor. It never blocks.
func (b *bounded) OnEnd(span sdk.ReadOnlySpan) {
	if b.sender.waiting.Add(1) > b.most {
		b.sender.waiting.Add(-1)
		b.sender.metrics.dropped.Inc()
		return
	}
	b.SpanProcessor.OnEnd(span)
}
