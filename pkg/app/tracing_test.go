package app

import (
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/tracing/tracingtest"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/sink"
	"tidemark/streams/source"
)

// code is where a function's code is.
func code(f any) uintptr { return reflect.ValueOf(f).Pointer() }

// Where nothing is traced every hook is what it was, or none: so the way of an event is
// the same to the last instruction.
func TestWithoutATracerNothingIsInTheWay(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	none, err := newTracer(t.Context(), config.Default(), "one", nil, r, zerolog.Nop())
	if err != nil || none != nil {
		t.Fatalf("got %v, %v, want no tracer by default", none, err)
	}
	decode := decoding(codec.New(codec.Rules{Now: func() int64 { return 0 }}))
	stored := func(*source.Batch, int64) {}
	if code(none.decoding(decode)) != code(decode) || code(none.stored(stored)) != code(stored) {
		t.Error("a function is wrapped")
	}
	if none.scored() != nil || none.published() != nil {
		t.Error("a hook is set")
	}
	none.close(t.Context())
}

const visit = `{"specversion":"1.0","id":"e","source":"/web","type":"web.visit","time":"2026-03-01T00:00:00Z","subject":"acme.example","data":{}}`

func now() int64 { return 1772323200000 }

// record is a visit with as many headers as a traced producer sends.
func record(headers ...source.Header) *source.Record {
	return &source.Record{Topic: "web", Value: []byte(visit), Time: 1772323200000, Headers: headers}
}

func traceparent(flags string) source.Header {
	return source.Header{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-" + flags)}
}

// way takes a record through decode, as a tracer wraps it, and what is told of it once
// it is stored.
func way(t testing.TB, endpoint string, sample float64, decode source.Decode) func(*source.Record) {
	t.Helper()
	cfg := config.Default()
	cfg.OTel = config.OTel{Endpoint: endpoint, Sample: sample}
	r := prometheus.NewRegistry()
	fresh := newFreshness(r, now)
	tr, err := newTracer(t.Context(), cfg, "one", fresh, r, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.close(t.Context()) })
	decode = tr.decoding(decode)
	stored, scored := tr.stored(fresh.stored), tr.scored()
	batch := &source.Batch{Inputs: make([]source.Input, 1)}
	return func(in *source.Record) {
		d := decode(in)
		if len(d.Events) != 1 {
			t.Fatalf("got %+v, want a visit", d)
		}
		batch.Inputs[0] = source.Input{Event: d.Events[0], Dead: d.Spare[d.Events[0]]}
		if scored != nil && batch.Inputs[0].Dead != nil {
			scored(&engine.Input{Event: d.Events[0], Letter: batch.Inputs[0].Dead}, nil)
		}
		stored(batch, 0)
	}
}

// Where nothing is traced an event costs what decoding it costs, with and without a
// producer's headers. Its decoding here costs nothing: the codec's own pools drop at
// random under the race detector.
func TestTracingThatIsOffCostsNoMemory(t *testing.T) {
	visited := source.Decoded{Events: []*scoring.Event{{Kind: scoring.KindEvent}}}
	off := way(t, "", 1, func(*source.Record) source.Decoded { return visited })
	for _, in := range []*source.Record{record(), record(traceparent("01"))} {
		if got := testing.AllocsPerRun(1000, func() { off(in) }); got > 0 {
			t.Errorf("%v allocations with %d headers, want none", got, len(in.Headers))
		}
	}
}

func TestLettersOfTracedInputsAreTheirOwn(t *testing.T) {
	t.Parallel()
	letter := &sink.DeadLetter{Reason: "bad_attribute"}
	c := tracingtest.Start(t)
	r := prometheus.NewRegistry()
	cfg := config.Default()
	cfg.OTel = config.OTel{Endpoint: c.URL, Sample: 1}
	tr, err := newTracer(t.Context(), cfg, "one", newFreshness(r, time.Now().UnixMilli), r, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close(t.Context())
	e := &scoring.Event{Kind: scoring.KindMerge}
	d := tr.decoding(func(*source.Record) source.Decoded {
		return source.Decoded{Events: []*scoring.Event{e}, Spare: map[*scoring.Event]any{e: letter}}
	})(record())
	if _, ok := d.Spare[e].(*followed); !ok || letterOf(d.Spare[e]) != any(letter) || letterOf(letter) != any(letter) || letterOf(nil) != nil {
		t.Errorf("got %v, want the letter of a followed input to be found", d.Spare[e])
	}
	canary := engine.Canary("tm/a/1", 5)
	d = tr.decoding(func(*source.Record) source.Decoded { return source.Decoded{Events: []*scoring.Event{canary}} })(record(traceparent("01")))
	if d.Spare != nil {
		t.Error("a canary is followed")
	}
}

// What tracing costs an event: off, on where the event is not sampled, and on.
func BenchmarkTracing(b *testing.B) {
	c := tracingtest.Start(b)
	for _, of := range []struct {
		name, endpoint string
		in             *source.Record
	}{
		{"off", "", record(traceparent("01"))},
		{"on/no trace", c.URL, record()},
		{"on/not sampled", c.URL, record(traceparent("00"))},
		{"on/sampled", c.URL, record(traceparent("01"))},
	} {
		b.Run(of.name, func(b *testing.B) {
			f := way(b, of.endpoint, 0, decoding(codec.New(codec.Rules{Now: now, MaxEventAge: 1 << 40, MaxBytes: 1 << 20})))
			b.ReportAllocs()
			for b.Loop() {
				f(of.in)
			}
		})
	}
}
