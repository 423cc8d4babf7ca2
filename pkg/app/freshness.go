package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"tidemark/pkg/engine"
	"tidemark/pkg/telemetry"
	"tidemark/streams/codec"
	"tidemark/streams/relay"
	"tidemark/streams/source"
)

// freshness is how late what is done is, by the clock now. It observes rounds and
// batches, not events: an event costs one addition.
type freshness struct {
	now func() int64

	scored    *telemetry.Delays // of every event that was stored, canaries apart
	published *telemetry.Delays // of the tier changes that an input led to
	crossed   map[bool]*telemetry.Delays
}

func newFreshness(r prometheus.Registerer, now func() int64) *freshness {
	const crossed = "tidemark_crossing_to_published_seconds"
	const help = "From the instant of a tier change to its acknowledgement by both topics, by what led to it: an input, or time alone."
	return &freshness{
		now: now,
		scored: telemetry.NewDelays(r, "tidemark_append_to_scored_seconds",
			"From an event's Kafka timestamp until its effect was stored.", nil),
		published: telemetry.NewDelays(r, "tidemark_append_to_published_seconds",
			"From the Kafka timestamp of an input to the acknowledgement of the tier change that it led to, by both topics.", nil),
		crossed: map[bool]*telemetry.Delays{
			true:  telemetry.NewDelays(r, crossed, help, prometheus.Labels{"by": "input"}),
			false: telemetry.NewDelays(r, crossed, help, prometheus.Labels{"by": "time"}),
		},
	}
}

// stored takes a batch whose effects were stored just now.
func (f *freshness) stored(batch *source.Batch, _ int64) {
	if len(batch.Inputs) == 0 {
		return
	}
	now := f.now()
	var t telemetry.Tally
	for i := range batch.Inputs {
		if ev := batch.Inputs[i].Event; ev != nil && !engine.IsCanary(ev) {
			t.Add(now - ev.Arrived)
		}
	}
	f.scored.Add(&t)
}

// acknowledged takes entries that were published just now.
func (f *freshness) acknowledged(entries []relay.Entry) {
	now := f.now()
	var published telemetry.Tally
	crossed := map[bool]*telemetry.Tally{true: {}, false: {}}
	for i := range entries {
		e := &entries[i]
		if e.Appended != 0 {
			published.Add(now - e.Appended)
		}
		if at, ok := codec.InstantOf(e.Value); ok {
			crossed[e.Appended != 0].Add(now - at)
		}
	}
	f.published.Add(&published)
	for by, t := range crossed {
		f.crossed[by].Add(t)
	}
}
