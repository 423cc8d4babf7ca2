package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/deploy/testenv"
	"tidemark/pkg/tracing/tracingtest"
	"tidemark/streams/sink"
)

// traceparents of four producers' traces: the last one is not sampled.
const (
	visitTrace  = "0af7651916cd43dd8448eb211c80319c"
	letterTrace = "1bf7651916cd43dd8448eb211c80319c"
	noticeTrace = "2cf7651916cd43dd8448eb211c80319c"
	quietTrace  = "3df7651916cd43dd8448eb211c80319c"
)

// parented are the headers of a record of a trace.
func parented(trace, flags string) []sink.Header {
	return []sink.Header{
		{Key: "traceparent", Value: []byte("00-" + trace + "-b7ad6b7169203331-" + flags)},
		{Key: "tracestate", Value: []byte("vendor=1")},
	}
}

// An event with a traceparent is followed to its tier change, which carries the trace
// on; what is not sampled is passed on, and what is no event does no harm.
func TestATierChangeCarriesTheTraceOfItsEvent(t *testing.T) {
	t.Parallel()
	collector := tracingtest.Start(t)
	calls := testenv.Name(t, "calls")
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, everything), 2,
		"TIDEMARK_OTEL_ENDPOINT="+collector.URL, "TIDEMARK_OTEL_SAMPLE=0", fmt.Sprintf("TIDEMARK_KAFKA_INPUTS=%s=segment:ignore", calls))
	now := time.Now()
	address := "127.0.0.1:" + newShell(t).port("8080")
	i := w.serve("TIDEMARK_HTTP_ADDR=" + address)
	w.publish(calls, []sink.Message{{Headers: parented(noticeTrace, "01"), Value: fmt.Appendf(nil,
		`{"type":"group","messageId":"m","timestamp":%q,"groupId":"taught.example","userId":"u","traits":{"industry":"retail"}}`, now.UTC().Format(time.RFC3339))}})
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{
		{Value: event("e1", "web.visit", now, "acme.example", "{}"), Headers: parented(visitTrace, "01")},
		{Value: []byte("{"), Headers: parented(letterTrace, "01")},
		{Value: event("e2", "web.visit", now, "quiet.example", "{}"), Headers: parented(quietTrace, "00")},
		{Value: event("e3", "web.visit", now, "plain.example", "{}")},
	})
	w.drained()
	page := openMetrics(t, address)
	i.stop() // what is finished is sent by then

	topics := w.cfg.Kafka.Topics
	process, send := collector.Spans("process "+topics.Engagement), collector.Spans("send "+topics.TierChanges)
	if len(process) != 2 || len(send) != 1 || len(collector.Spans("")) != 3 {
		t.Fatalf("got the spans %+v, want those of the visit, its tier change and the dead letter", collector.Spans(""))
	}
	slices.SortFunc(process, func(a, b tracingtest.Span) int { return strings.Compare(a.Trace, b.Trace) })
	visit, letter := process[0], process[1]
	if visit.Trace != visitTrace || visit.Parent != "b7ad6b7169203331" || !slices.Equal(visit.Events, []string{"scored"}) || visit.Attributes["cloudevents.event_id"] != "e1" {
		t.Errorf("got %+v, want the visit in its producer's trace", visit)
	}
	if letter.Trace != letterTrace || letter.Attributes["error.type"] != "malformed" || !letter.Failed {
		t.Errorf("got %+v, want the dead letter in its producer's trace", letter)
	}
	if send[0].Trace != visitTrace || send[0].Parent != visit.ID {
		t.Errorf("got %+v, want the tier change below %s", send[0], visit.ID)
	}
	want := map[string]string{
		"acme.example":  "00-" + visitTrace + "-" + visit.ID + "-01 vendor=1",
		"quiet.example": "00-" + quietTrace + "-b7ad6b7169203331-00 vendor=1",
		"plain.example": " ",
	}
	documented := readAsyncAPI(t).at("components", "messages", "tierChanged", "headers", "properties")
	for _, topic := range []string{topics.TierChanges, topics.AccountTiers} {
		messages := w.read(topic)
		for _, m := range messages {
			for _, h := range m.Headers {
				if documented[h.Key] == nil {
					t.Errorf("%s: the header %s is not in asyncapi.yaml", topic, h.Key)
				}
			}
			if got := headerOf(m, "traceparent") + " " + headerOf(m, "tracestate"); got != want[string(m.Key)] {
				t.Errorf("%s: %s has the trace %q, want %q", topic, m.Key, got, want[string(m.Key)])
			}
		}
		if len(messages) != 3 {
			t.Errorf("%s: %d records, want 3", topic, len(messages))
		}
	}
	for _, name := range []string{"append_to_scored", "append_to_published", "crossing_to_published"} {
		if !hasExemplar(page, "tidemark_"+name+"_seconds_bucket", visitTrace) {
			t.Errorf("no bucket of %s names the trace in\n%s", name, page)
		}
	}
	if letters := w.read(topics.DeadLetters); len(letters) != 1 || headerOf(letters[0], "traceparent") == "" {
		t.Errorf("got %d dead letters, want one with its traceparent", len(letters))
	}
}

func headerOf(m kafka.Message, key string) string {
	for _, h := range m.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// openMetrics is what Prometheus is told where exemplars may be told.
func openMetrics(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func hasExemplar(page, metric, trace string) bool {
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, metric+"{") && strings.Contains(line, ` # {`) && strings.Contains(line, `trace_id="`+trace+`"`) {
			return true
		}
	}
	return false
}

// loadTraced loads a history, each record of it in a trace.
func (w *world) loadTraced(h history) {
	w.t.Helper()
	tracing := *w
	tracing.headers = parented(visitTrace, "01")
	tracing.load(h)
}

// Whether events are followed or not, what is published is what `score` writes; where
// they are not, nobody is called and no header is added, whatever the records have and
// OpenTelemetry's own variables say.
func TestTracingChangesNoByteOfWhatIsPublished(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		t.Run(fmt.Sprint("on=", on), func(t *testing.T) {
			t.Parallel()
			collector := tracingtest.Start(t)
			settings := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL}
			if on {
				settings = []string{"TIDEMARK_OTEL_ENDPOINT=" + collector.URL}
			}
			h := readHistory(t, "model.yaml", "stories").sorted(t)
			w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 4)
			w.loadTraced(h)
			i := w.serve(settings...)
			w.drained()
			w.equalScore(h)
			i.stop()
			if called := collector.Posts() > 0; called != on {
				t.Errorf("the collector was called %d times", collector.Posts())
			}
			for _, m := range w.read(w.cfg.Kafka.Topics.TierChanges) {
				if headers := len(m.Headers); !on && (headers != 1 || m.Headers[0].Key != "content-type") {
					t.Errorf("%s has the headers %v", m.Key, m.Headers)
				}
				byTime := bytes.Contains(m.Value, []byte(`"cause":{"kind":"decay"`))
				if on && byTime == (headerOf(m, "traceparent") != "") {
					t.Errorf("got the headers %v with %s", m.Headers, m.Value)
				}
			}
		})
	}
}

// A collector that answers nothing, or is not there, holds up nobody, and is one line.
func TestScoringGoesOnWithoutTheCollector(t *testing.T) {
	t.Parallel()
	for _, down := range []string{"hangs", "refuses"} {
		t.Run(down, func(t *testing.T) {
			t.Parallel()
			endpoint := "http://127.0.0.1:1"
			if down == "hangs" {
				collector := tracingtest.Start(t)
				collector.Hang() // until the test ends
				endpoint = collector.URL
			}
			h := readHistory(t, "model.yaml", "random").sorted(t)
			w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 4)
			w.loadTraced(h)
			i := w.serve("TIDEMARK_OTEL_ENDPOINT=" + endpoint)
			w.drained()
			w.equalScore(h)
			i.stop()
			log, err := os.ReadFile(i.log)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(log, []byte(`"component":"tracing"`)); n != 1 {
				t.Errorf("%d lines about tracing, want one:\n%s", n, log)
			}
			for line := range bytes.Lines(log) {
				if !bytes.HasPrefix(line, []byte("{")) {
					t.Errorf("the SDK speaks for itself: %s", line)
				}
			}
		})
	}
}
