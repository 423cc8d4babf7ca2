package app

import (
	"context"

	"github.com/rs/zerolog"

	"tidemark/pkg/live"
	"tidemark/streams/conn"
	"tidemark/streams/tail"
)

// changesLog is tier-changes as pkg/live wants it.
type changesLog struct {
	transport *conn.Transport
	topic     string
	whole     *tail.Follower
	log       zerolog.Logger
}

func newChangesLog(transport *conn.Transport, topic string, log zerolog.Logger) (*changesLog, error) {
	whole, err := tail.New(tail.Config{Transport: transport, Topic: topic}, log)
	return &changesLog{transport, topic, whole, log}, err
}

// Spans implements live.Log.
func (l *changesLog) Spans(ctx context.Context) ([]live.Span, error) {
	spans, err := l.whole.Spans(ctx)
	out := make([]live.Span, len(spans)) // Kafka numbers partitions from 0, without a gap
	for p, s := range spans {
		out[p] = live.Span{First: s[0], Next: s[1]}
	}
	return out, err
}

// Follow implements live.Log.
func (l *changesLog) Follow(ctx context.Context, from live.Position, take func(live.Record) error) error {
	offsets := map[int]int64{}
	for p, offset := range from {
		offsets[p] = offset
	}
	follower, err := tail.New(tail.Config{Transport: l.transport, Topic: l.topic, Offsets: offsets}, l.log)
	if err != nil {
		return err
	}
	return follower.Run(ctx, func(r tail.Record) error { return take(published(r)) })
}

// Read implements live.Log.
func (l *changesLog) Read(ctx context.Context, partition int, from int64, take func(live.Record) error) error {
	return l.whole.Whole(ctx, partition, from, func(r tail.Record) error { return take(published(r)) })
}

func published(r tail.Record) live.Record {
	return live.Record{Partition: r.Partition, Offset: r.Offset, Value: r.Value}
}
