// Package tracingtest is a collector of OpenTelemetry's for tests: it takes spans by OTLP over
// HTTP on a real port and keeps them. For tests of this repository only.
package tracingtest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector keeps the spans that it is sent.
type Collector struct {
	URL string // to be given as otel.endpoint

	mu     sync.Mutex // guards what follows
	spans  []Span
	posts  int
	answer int           // the HTTP status of the next answers; 0: good
	hang   chan struct{} // not nil: answers wait until it is closed
}

// Span is one span, flat.
type Span struct {
	Name, Trace, ID, Parent string // ids in hex
	State                   string
	Kind                    otlp.Span_SpanKind
	Attributes              map[string]string // texts alone
	Events                  []string
	Failed                  bool // its status is an error
	Start, End              uint64
	Resource                map[string]string
}

// Start starts a collector that ends with the test.
func Start(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	t.Cleanup(c.Release)
	c.URL = server.URL
	return c
}

// Answer has the collector answer with a status, and keep nothing, from now on; 0 is as usual.
func (c *Collector) Answer(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = status
}

// Hang has the collector answer nothing until Release.
func (c *Collector) Hang() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hang = make(chan struct{})
}

// Release ends Hang.
func (c *Collector) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hang != nil {
		close(c.hang)
		c.hang = nil
	}
}

// Posts is how often it was called.
func (c *Collector) Posts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.posts
}

// Spans are those of a name that came so far, in their order; "" is for all.
func (c *Collector) Spans(name string) []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.spans), func(s Span) bool { return name != "" && s.Name != name })
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	c.posts++
	status, hang := c.answer, c.hang
	c.mu.Unlock()
	if hang != nil {
		<-hang
	}
	var sent collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	switch {
	case status != 0:
		http.Error(w, "as the test asked", status)
	case err != nil || r.URL.Path != "/v1/traces":
		http.Error(w, "no spans", http.StatusBadRequest)
	default:
		c.keep(sent.ResourceSpans)
	}
}

func (c *Collector) keep(all []*otlp.ResourceSpans) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range all {
		resource := map[string]string{}
		for _, a := range of.Resource.GetAttributes() {
			resource[a.Key] = a.Value.GetStringValue()
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, flat(s, resource))
			}
		}
	}
}

func flat(s *otlp.Span, resource map[string]string) Span {
	out := Span{
		Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
		State: s.TraceState, Kind: s.Kind, Attributes: map[string]string{}, Failed: s.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR,
		Start: s.StartTimeUnixNano, End: s.EndTimeUnixNano, Resource: resource,
	}
	for _, a := range s.Attributes {
		out.Attributes[a.Key] = a.Value.GetStringValue()
	}
	for _, e := range s.Events {
		out.Events = append(out.Events, e.Name)
	}
	return out
}
