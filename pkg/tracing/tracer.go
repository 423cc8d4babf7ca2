package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Config says where spans go, and whose they are.
type Config struct {
	// Endpoint is the collector's URL, such as http://127.0.0.1:4318. Without a path
	// it is that of OTLP, /v1/traces.
	Endpoint string
	// Sample is the part, 0 to 1, of events without a traced producer that are
	// followed. The others are followed if their producer's trace is.
	Sample float64
	// Namespace, Instance and Group are told with each span.
	Namespace, Instance, Group string
	// Queue bounds the spans that wait to be sent; 0: DefaultQueue.
	Queue int
}

// DefaultQueue is some 16 MB of spans at most.
const DefaultQueue = 8192

const (
	batchSpans   = 512             // of one request, at most
	batchWait    = time.Second     // until what there is is sent
	sendTimeout  = 5 * time.Second // of one batch, with what is tried again
	retryFirst   = 200 * time.Millisecond
	retryLongest = time.Second
)

// Tracer makes spans and sends them. A nil Tracer follows nothing.
type Tracer struct {
	config   Config
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	sender   *sender
}

// New makes a Tracer that sends at once what is finished, until Close. It connects
// to nothing yet: a collector that is down is no error. Headers, certificates and
// the resource's attributes may be set by OpenTelemetry's own variables
// (OTEL_EXPORTER_OTLP_HEADERS, OTEL_RESOURCE_ATTRIBUTES and so on).
func New(ctx context.Context, c Config, m *Metrics, log zerolog.Logger) (*Tracer, error) {
	if m == nil {
		return nil, errors.New("tracing: metrics are required")
	}
	endpoint, err := target(c.Endpoint)
	if err != nil {
		return nil, err
	}
	if c.Queue <= 0 {
		c.Queue = DefaultQueue
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithTimeout(sendTimeout),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: retryFirst, MaxInterval: retryLongest, MaxElapsedTime: sendTimeout,
		}))
	if err != nil {
		return nil, fmt.Errorf("otel.endpoint: %w", err)
	}
	whose, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("tidemark"), semconv.ServiceNamespace(c.Namespace), semconv.ServiceInstanceID(c.Instance)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	s := newSender(exporter, m, log.With().Str("component", "tracing").Logger())
	batches := sdk.NewBatchSpanProcessor(s, sdk.WithMaxQueueSize(c.Queue), sdk.WithMaxExportBatchSize(min(batchSpans, c.Queue)),
		sdk.WithBatchTimeout(batchWait), sdk.WithExportTimeout(sendTimeout))
	provider := sdk.NewTracerProvider(sdk.WithResource(whose), sdk.WithSampler(sdk.AlwaysSample()), sdk.WithIDGenerator(ids{}),
		sdk.WithSpanProcessor(&bounded{SpanProcessor: batches, sender: s, most: int64(c.Queue)}))
	return &Tracer{config: c, provider: provider, tracer: provider.Tracer("tidemark"), sender: s}, nil
}

// room reports whether a span has room in the queue; one that has not is counted, and
// not even made.
func (t *Tracer) room() bool {
	if t.sender.waiting.Load() < int64(t.config.Queue) {
		return true
	}
	t.sender.metrics.dropped.Inc()
	return false
}

// target is the URL that spans are posted to.
func target(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "", errors.New("otel.endpoint: is not a URL such as http://127.0.0.1:4318")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// lastWords is how long Close waits for the collector.
const lastWords = 2 * time.Second

// Close sends what is finished, for at most two seconds though ctx has ended, and
// returns when every goroutine has. What could not be sent is dropped: that is no error.
func (t *Tracer) Close(ctx context.Context) {
	if t == nil {
		return
	}
	// The SDK does nothing at all where the context has ended before.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // ctx ended, or counted by the sender
	t.sender.end()
}
