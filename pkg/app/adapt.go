package app

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/sink"
	"tidemark/streams/source"
)

// AliasStore is the store's side of aliases.
type AliasStore interface {
	ResolveAliases(ctx context.Context, domains []string) (map[string]string, error)
	ClaimAliases(ctx context.Context, claims []store.Alias) error
	ReleaseAliases(ctx context.Context, account string, domains []string) error
}

// aliases is an AliasStore as the engine wants it.
type aliases struct{ AliasStore }

func (a aliases) Resolve(ctx context.Context, domains []string) (map[string]string, error) {
	return a.ResolveAliases(ctx, domains)
}

func (a aliases) Claim(ctx context.Context, claims []engine.Alias) error {
	out := make([]store.Alias, len(claims))
	for i, c := range claims {
		out[i] = store.Alias(c)
	}
	return a.ClaimAliases(ctx, out)
}

func (a aliases) Release(ctx context.Context, account string, domains []string) error {
	return a.ReleaseAliases(ctx, account, domains)
}

// OutboxStore is the store's side of the outbox.
type OutboxStore interface {
	Outbox(ctx context.Context, shard int, after string, limit int) ([]store.Entry, error)
	Trim(ctx context.Context, shard int, ids []string) (removed int, err error)
	PendingShards(ctx context.Context, shards []int) ([]int, error)
}

// letters is where dead letters go, counted by reason once acknowledged.
type letters struct {
	sink    *sink.DeadLetters
	written *prometheus.CounterVec
}

func newLetters(p *sink.Publisher, topic string, r prometheus.Registerer) letters {
	written := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidemark_dead_letters_total", Help: "Records that could not be used, by reason, counted once in the dead-letter topic.",
	}, []string{"reason"})
	r.MustRegister(written)
	for _, reason := range codec.Reasons() {
		written.WithLabelValues(string(reason))
	}
	return letters{sink.NewDeadLetters(p, topic), written}
}

// Write implements Deadletters.
func (l letters) Write(ctx context.Context, dead []any) error {
	out := deadLetters(dead)
	if err := l.sink.Publish(ctx, out); err != nil {
		return err
	}
	for i := range out {
		l.written.WithLabelValues(out[i].Reason).Inc()
	}
	return nil
}

// deadLetters are what decoding made of records that can't be used.
func deadLetters(dead []any) []sink.DeadLetter {
	out := make([]sink.DeadLetter, len(dead))
	for i, d := range dead {
		out[i] = *d.(*sink.DeadLetter)
	}
	return out
}

// Heals implements Deadletters.
func (l letters) Heals(err error) bool { return sink.Heals(err) }

// decoding turns the codec into what the source calls for each record.
func decoding(d *codec.Decoder) source.Decode {
	return func(r *source.Record) source.Decoded { return decode(d, r, nil) }
}

// lent are records on their way into the codec, which keeps nothing of them.
var lent = sync.Pool{New: func() any { return new(codec.Record) }}

// decode is decoding but for the events of the record that were refused before.
func decode(d *codec.Decoder, r *source.Record, refused []string) source.Decoded {
	in := lent.Get().(*codec.Record)
	headers := in.Headers[:0]
	for _, h := range r.Headers {
		headers = append(headers, codec.Header(h))
	}
	memory, _ := r.Memory.(*codec.Memory)
	*in = codec.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Time, Key: r.Key, Value: r.Value, Headers: headers, Refused: refused,
		Memory: memory,
	}
	events, faults := d.Decode(in)
	clear(headers)
	*in = codec.Record{Headers: headers}
	lent.Put(in)
	keepUnknown(r, events)
	return source.Decoded{Events: events, Dead: keep(r, faults), Spare: spare(r, events)}
}

// spare makes a dead letter of each merge: whether it can be carried out shows when
// its turn comes, and the record is gone by then.
func spare(r *source.Record, events []*scoring.Event) map[*scoring.Event]any {
	var out map[*scoring.Event]any
	for _, e := range events {
		if e.Kind != scoring.KindMerge {
			continue
		}
		if out == nil {
			out = map[*scoring.Event]any{}
		}
		out[e] = keep(r, []*codec.Bad{{Reason: codec.BadAttribute}})[0]
	}
	return out
}

// keep makes a dead letter of each fault of a record. The record's memory is lent;
// the letters share one copy of it.
func keep(r *source.Record, faults []*codec.Bad) []any {
	if len(faults) == 0 {
		return nil
	}
	whole := sink.DeadLetter{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Time,
		Key: slices.Clone(r.Key), Value: bytes.Clone(r.Value), Stage: "DECODE",
	}
	for _, h := range r.Headers {
		whole.Headers = append(whole.Headers, sink.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	dead := make([]any, len(faults))
	for i, fault := range faults {
		letter := whole
		letter.Reason, letter.Message = string(fault.Reason), fault.Message
		dead[i] = &letter
	}
	return dead
}
