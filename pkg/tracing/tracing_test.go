package tracing

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"tidemark/pkg/tracing/tracingtest"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	sampled = "00-" + traceID + "-b7ad6b7169203331-01"
	passed  = "00-" + traceID + "-b7ad6b7169203331-00"
)

var (
	place = Place{Topic: "intent", Partition: 3, Offset: 17}
	visit = Event{ID: "e1", Source: "/web", Type: "web.visit", Account: "acme.example"}
)

// log keeps lines.
type log struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(line)
}

func (l *log) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(strings.Lines(l.lines.String()))
}

func newTracer(t *testing.T, c Config) (*Tracer, *log) {
	t.Helper()
	l := &log{}
	tracer, err := New(t.Context(), c, NewMetrics(prometheus.NewRegistry()), zerolog.New(l))
	if err != nil {
		t.Fatal(err)
	}
	return tracer, l
}

func TestAnEventIsFollowedInItsProducersTrace(t *testing.T) {
	t.Parallel()
	c := tracingtest.Start(t)
	tracer, _ := newTracer(t, Config{Endpoint: c.URL, Group: "g", Namespace: "ns", Instance: "one"})
	began := time.Now().Add(-time.Second)
	span := tracer.Join(sampled, "vendor=1", began)
	span.Scored()
	tracer.Stored(span, place, visit)
	tracer.Published(span.Trace(), "tier-changes", "acme.example", began)
	tracer.Refused(sampled, "", place, "bad_time")
	tracer.Close(t.Context())

	spans := c.Spans("")
	if len(spans) != 3 {
		t.Fatalf("got %+v, want three spans", spans)
	}
	got, sent, bad := spans[0], spans[1], spans[2]
	if got.Name != "process intent" || got.Kind != otlp.Span_SPAN_KIND_CONSUMER || got.Trace != traceID || got.Parent != "b7ad6b7169203331" || got.State != "vendor=1" {
		t.Errorf("got %+v, want the consumer of the producer's span", got)
	}
	if got.Start != uint64(began.UnixNano()) || got.End <= got.Start || !slices.Equal(got.Events, []string{"scored"}) {
		t.Errorf("got %d to %d with %q, want it from %d on, and scored", got.Start, got.End, got.Events, began.UnixNano())
	}
	for key, want := range map[string]string{
		"messaging.system": "kafka", "messaging.destination.name": "intent", "messaging.destination.partition.id": "3", "messaging.consumer.group.name": "g",
		"cloudevents.event_id": "e1", "cloudevents.event_source": "/web", "cloudevents.event_type": "web.visit", "tidemark.account": "acme.example",
	} {
		if got.Attributes[key] != want {
			t.Errorf("%s: %q, want %q", key, got.Attributes[key], want)
		}
	}
	if got.Resource["service.name"] != "tidemark" || got.Resource["service.instance.id"] != "one" || got.Resource["service.namespace"] != "ns" {
		t.Errorf("got the resource %q", got.Resource)
	}
	if sent.Name != "send tier-changes" || sent.Kind != otlp.Span_SPAN_KIND_PRODUCER || sent.Trace != traceID || sent.Parent != got.ID {
		t.Errorf("got %+v, want the producer below %s", sent, got.ID)
	}
	if !bad.Failed || bad.Trace != traceID || bad.Attributes["error.type"] != "bad_time" {
		t.Errorf("got %+v, want a failed span", bad)
	}
	if want := Trace("00-" + traceID + "-" + got.ID + "-01 vendor=1"); span.Trace() != want {
		t.Errorf("what goes on is %q, want %q", span.Trace(), want)
	}
}

func TestWhatIsNotSampledIsPassedOn(t *testing.T) {
	t.Parallel()
	c := tracingtest.Start(t)
	tracer, _ := newTracer(t, Config{Endpoint: c.URL, Sample: 1})
	span := tracer.Join(passed, "vendor=1", time.Now())
	span.Scored()
	tracer.Stored(span, place, visit)
	tracer.Published(span.Trace(), "tier-changes", "acme.example", time.Now())
	tracer.Refused(passed, "", place, "bad_time")
	tracer.Published("", "tier-changes", "acme.example", time.Now())
	tracer.Close(t.Context())
	if span.Trace() != passed+" vendor=1" || c.Posts() != 0 {
		t.Errorf("what goes on is %q and the collector was called %d times, want it unchanged and never", span.Trace(), c.Posts())
	}
}

func TestEventsWithoutATraceAreSampled(t *testing.T) {
	t.Parallel()
	c := tracingtest.Start(t)
	none, _ := newTracer(t, Config{Endpoint: c.URL, Sample: 0})
	defer none.Close(t.Context())
	all, _ := newTracer(t, Config{Endpoint: c.URL, Sample: 1})
	for _, parent := range []string{"", "00-zz-1-01", strings.Repeat("x", 1000), "00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01"} {
		if span := none.Join(parent, "", time.Now()); span != nil {
			t.Errorf("%q is followed", parent)
		}
		all.Stored(all.Join(parent, "a=b", time.Now()), place, visit)
	}
	all.Close(t.Context())
	spans := c.Spans("process intent")
	for _, s := range spans {
		if s.Parent != "" || s.State != "" {
			t.Errorf("got %+v, want a trace of its own", s)
		}
	}
	if len(spans) != 4 {
		t.Errorf("got %d spans, want 4", len(spans))
	}
}

func TestALongStateIsLeftOut(t *testing.T) {
	t.Parallel()
	tracer, _ := newTracer(t, Config{Endpoint: "http://127.0.0.1:1"})
	defer tracer.Close(t.Context())
	long := "a=" + strings.Repeat("x", 256)
	if span := tracer.Join(passed, long+",b="+strings.Repeat("x", 256), time.Now()); span.Trace() != passed {
		t.Errorf("got %q", span.Trace())
	}
}

// What is finished while the collector answers nothing waits, up to the bound of the
// queue; nobody waits for it.
func TestACollectorThatHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	const queue, spans = 8, 1000
	c := tracingtest.Start(t)
	c.Hang()
	tracer, l := newTracer(t, Config{Endpoint: c.URL, Queue: queue})
	for range spans {
		tracer.Stored(tracer.Join(sampled, "", time.Now()), place, visit)
	}
	if dropped := testutil.ToFloat64(tracer.sender.metrics.dropped); dropped < spans-queue-1 {
		t.Errorf("%v of %d spans are dropped although the queue holds %d", dropped, spans, queue)
	}
	tracer.Close(t.Context())
	m := tracer.sender.metrics
	if sum := testutil.ToFloat64(m.dropped) + testutil.ToFloat64(m.failed); sum != spans || testutil.ToFloat64(m.sent) != 0 {
		t.Errorf("%v spans are dropped or failed and %v sent, want all %d dropped or failed", sum, testutil.ToFloat64(m.sent), spans)
	}
	if lines := l.all(); len(lines) != 1 {
		t.Errorf("got %q, want one line", lines)
	}
}

func TestAnOutageIsTwoLines(t *testing.T) {
	t.Parallel()
	c := tracingtest.Start(t)
	c.Answer(http.StatusBadRequest)
	tracer, l := newTracer(t, Config{Endpoint: c.URL})
	flush := func(name string) {
		tracer.Stored(tracer.Join(sampled, "", time.Now()), place, Event{ID: name})
		if err := tracer.provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 20 {
		flush(fmt.Sprint(n))
	}
	c.Answer(0)
	for range 5 {
		flush("good")
	}
	tracer.Close(t.Context())
	lines := l.all()
	if len(lines) != 2 || !strings.Contains(lines[0], `"level":"warn"`) || !strings.Contains(lines[1], "takes spans again") {
		t.Errorf("got %q, want one warning and its end", lines)
	}
	m := tracer.sender.metrics
	if testutil.ToFloat64(m.failed) != 20 || testutil.ToFloat64(m.sent) != 5 || len(c.Spans("")) != 5 {
		t.Errorf("%v failed, %v sent, %d came", testutil.ToFloat64(m.failed), testutil.ToFloat64(m.sent), len(c.Spans("")))
	}
}

func TestCloseIsForAll(t *testing.T) {
	t.Parallel()
	var none *Tracer
	none.Close(t.Context())
	tracer, l := newTracer(t, Config{Endpoint: "http://127.0.0.1:1"})
	tracer.Close(t.Context())
	tracer.Stored(tracer.Join(sampled, "", time.Now()), place, visit) // after the end: nothing happens
	if lines := l.all(); len(lines) != 0 {
		t.Errorf("got %q", lines)
	}
	if _, err := New(t.Context(), Config{Endpoint: "collector"}, NewMetrics(prometheus.NewRegistry()), zerolog.Nop()); err == nil {
		t.Error("an endpoint that is no URL is taken")
	}
}
