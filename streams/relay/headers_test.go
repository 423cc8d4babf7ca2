package relay

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tidemark/streams/sink"
)

func texts(headers []sink.Header) (out []string) {
	for _, h := range headers {
		out = append(out, h.Key+"="+string(h.Value))
	}
	return out
}

func TestATraceGoesOutAsHeaders(t *testing.T) {
	t.Parallel()
	const plain = "content-type=application/cloudevents+json"
	for trace, want := range map[string][]string{
		"":                {plain},
		"00-1-2-01":       {plain, "traceparent=00-1-2-01"},
		"00-1-2-01 a=b c": {plain, "traceparent=00-1-2-01", "tracestate=a=b c"},
	} {
		if got := texts(headers(trace)); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", trace, got, want)
		}
	}
}

// Where nothing is traced a message costs no memory for it.
func TestHeadersOfAnEntryWithoutATraceAreShared(t *testing.T) {
	entries := make([]Entry, 10)
	if n := testing.AllocsPerRun(100, func() {
		if headers(entries[0].Trace) == nil || traced(entries) {
			t.Error("a trace from nowhere")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTracedEntriesAreToldWithTheInstantTheyWereTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		o.add(1, "a", "1")
		o.add(2, "b", "1")
		o.entries[2][0].Trace = "00-1-2-01"
		c := config(4)
		var told []string
		begun := time.Now()
		c.Hooks.Traced = func(entries []Entry, taken time.Time) {
			for _, e := range entries {
				told = append(told, e.Account)
			}
			if !taken.Equal(begun) {
				t.Errorf("taken at %s, want %s", taken, begun)
			}
		}
		stop := run(t, relayOf(t, c, o, p))
		synctest.Wait()
		stop()
		if !slices.Equal(told, []string{"b"}) {
			t.Errorf("got %q, want b alone", told)
		}
	})
}
