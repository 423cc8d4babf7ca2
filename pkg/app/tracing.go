package app

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/tracing"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/relay"
	"tidemark/streams/sink"
	"tidemark/streams/source"
)

// tracer follows events from their records to the tier changes that they lead to. A
// nil one is none, and leaves every hook as it is.
type tracer struct {
	*tracing.Tracer
	fresh *freshness // is given examples of its delays
	topic string     // of tier changes
}

// newTracer makes what follows events, nil where otel.endpoint is empty.
func newTracer(ctx context.Context, c config.Config, instance string, fresh *freshness, r prometheus.Registerer, log zerolog.Logger) (*tracer, error) {
	metrics := tracing.NewMetrics(r)
	if c.OTel.Endpoint == "" {
		return nil, nil
	}
	t, err := tracing.New(ctx, tracing.Config{
		Endpoint: c.OTel.Endpoint, Sample: c.OTel.Sample, Namespace: c.Namespace, Instance: instance, Group: c.Kafka.Group,
	}, metrics, log)
	if err != nil {
		return nil, err
	}
	return &tracer{t, fresh, c.Kafka.Topics.TierChanges}, nil
}

// close sends what is finished.
func (t *tracer) close(ctx context.Context) {
	if t != nil {
		t.Close(ctx)
	}
}

// followed is the letter of an input that is traced. It goes the way of letters, so
// that the many inputs that are not need no room for it.
type followed struct {
	span   tracing.Span
	at     tracing.Place
	letter any // that of the input itself, nil for most
}

// letterOf is the letter that an input came with, whether it is traced or not.
func letterOf(letter any) any {
	if f, ok := letter.(*followed); ok {
		return f.letter
	}
	return letter
}

// decoding is decode, and begins a span for each event that is to be followed.
func (t *tracer) decoding(decode source.Decode) source.Decode {
	if t == nil {
		return decode
	}
	return func(r *source.Record) source.Decoded {
		fetched := time.Now()
		d := decode(r)
		if len(d.Events) == 0 {
			return d
		}
		parent, state := traceOf(r.Headers)
		for _, e := range d.Events {
			if engine.IsCanary(e) {
				continue
			}
			span := t.Join(parent, state, fetched)
			if span == nil {
				continue
			}
			if d.Spare == nil {
				d.Spare = make(map[*scoring.Event]any, len(d.Events))
			}
			d.Spare[e] = &followed{*span, tracing.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}, d.Spare[e]}
		}
		return d
	}
}

// traceOf is the W3C trace context of a record's headers, empty where there is none.
func traceOf[H source.Header | sink.Header](headers []H) (parent, state string) {
	for _, h := range headers {
		switch h := source.Header(h); h.Key {
		case tracing.ParentHeader:
			parent = string(h.Value)
		case tracing.StateHeader:
			state = string(h.Value)
		}
	}
	return parent, state
}

// scored is the engine's hook, nil where nothing is traced.
func (t *tracer) scored() func(*engine.Input, []engine.Message) {
	if t == nil {
		return nil
	}
	return func(in *engine.Input, led []engine.Message) {
		f, ok := in.Letter.(*followed)
		if !ok {
			return
		}
		f.span.Scored()
		for i := range led {
			if led[i].Appended != 0 {
				led[i].Trace = string(f.span.Trace())
			}
		}
	}
}

// stored is the pump's hook: what is told of rounds besides is told first.
func (t *tracer) stored(first func(*source.Batch, int64)) func(*source.Batch, int64) {
	if t == nil {
		return first
	}
	return func(batch *source.Batch, watermark int64) {
		first(batch, watermark)
		now := t.fresh.now()
		for i := range batch.Inputs {
			switch in := &batch.Inputs[i]; letter := in.Dead.(type) {
			case *followed:
				t.end(letter, in.Event, now)
			case *sink.DeadLetter:
				if in.Event == nil {
					parent, state := traceOf(letter.Headers)
					t.Refused(parent, state, tracing.Place{Topic: letter.Topic, Partition: letter.Partition, Offset: letter.Offset}, letter.Reason)
				}
			}
		}
	}
}

// end ends the span of an event that is stored.
func (t *tracer) end(f *followed, e *scoring.Event, now int64) {
	// The event's texts are lent.
	of := tracing.Event{ID: strings.Clone(e.ID), Source: strings.Clone(e.Source), Type: strings.Clone(e.Type), Account: strings.Clone(e.Account)}
	t.Stored(&f.span, f.at, of)
	t.fresh.scored.Exemplify(now-e.Arrived, exemplar(&f.span, now))
}

// published is the relay's hook, nil where nothing is traced.
func (t *tracer) published() func([]relay.Entry, time.Time) {
	if t == nil {
		return nil
	}
	return func(entries []relay.Entry, taken time.Time) {
		now := t.fresh.now()
		for i := range entries {
			e := &entries[i]
			if e.Trace == "" {
				continue
			}
			trace := tracing.Trace(e.Trace)
			t.Published(trace, t.topic, e.Account, taken)
			t.fresh.published.Exemplify(now-e.Appended, exemplar(trace, now))
			if at, ok := codec.InstantOf(e.Value); ok {
				t.fresh.crossed[true].Exemplify(now-at, exemplar(trace, now))
			}
		}
	}
}

// exemplar names a trace to who looks at a histogram, nil where nobody records it.
func exemplar(of interface {
	Sampled() (traceID, spanID string, ok bool)
}, now int64,
) *prometheus.Exemplar {
	traceID, spanID, ok := of.Sampled()
	if !ok {
		return nil
	}
	return &prometheus.Exemplar{Labels: prometheus.Labels{"trace_id": traceID, "span_id": spanID}, Timestamp: time.UnixMilli(now)}
}
