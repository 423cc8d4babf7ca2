package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/source"
)

// floor reads so many records with kafka-go's group Reader and does nothing with
// them: the least that a program on kafka-go can spend. It gives events per second
// from the first to the last.
func (b *bench) floor(ctx context.Context, topics []string, n int) (rate float64, err error) {
	reader := b.groupReader(topics)
	defer func() { err = errors.Join(err, reader.Close()) }()
	var first time.Time
	for got := range n {
		if _, err := reader.ReadMessage(ctx); err != nil {
			return 0, fmt.Errorf("floor: read record %d of %d: %w", got+1, n, err)
		}
		if got == 0 {
			first = time.Now()
		}
	}
	return perSecond(n, time.Since(first)), nil
}

// decodeOnly takes so many records through the source and the codec, merged by event
// time, and drops them: what is left of the program without its engine.
func (b *bench) decodeOnly(ctx context.Context, d *deployment, n int) (rate float64, err error) {
	lend := func() source.Memory { return new(codec.Memory) } // as serve does
	return b.merged(ctx, d, n, lend, func(*scoring.Event) error { return nil })
}

// merged gives so many records of the input topics to take, in the source's order,
// and tells how fast that went. Dead letters are left out. Where memory is lent, take keeps
// no event.
func (b *bench) merged(ctx context.Context, d *deployment, n int, lend func() source.Memory, take func(*scoring.Event) error) (rate float64, err error) {
	log := zerolog.Nop()
	decoder := codec.New(codec.Rules{Now: func() int64 { return time.Now().UnixMilli() }, Reads: func(string) (properties, fields bool) { return true, true }})
	src, err := source.New(source.Config{
		Brokers: d.cfg.Kafka.Brokers, Group: b.name("decode"), InstanceID: "bench",
		Topics: []string{d.cfg.Kafka.Topics.Intent, d.cfg.Kafka.Topics.Engagement}, Dialer: b.dialer, Transport: b.transport.Kafka(),
		FetchMaxBytes: int(d.cfg.Kafka.Fetch.MaxBytes), FetchMaxWait: d.cfg.Kafka.Fetch.MaxWait, BufferEvents: d.cfg.Kafka.Fetch.BufferEvents,
		Memory: lend,
	}, func(r *source.Record) source.Decoded {
		memory, _ := r.Memory.(*codec.Memory)
		events, faults := decoder.Decode(&codec.Record{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Time, Key: r.Key, Value: r.Value, Memory: memory,
		})
		out := source.Decoded{Events: events}
		for _, fault := range faults {
			out.Dead = append(out.Dead, fault)
		}
		return out
	}, log)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, src.Close(context.WithoutCancel(ctx))) }()
	session, err := src.Join(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the input topics: %w", err)
	}
	defer session.Close()
	return drain(ctx, session, d.cfg.Engine.MaxBatch, n, take)
}

func drain(ctx context.Context, session *source.Session, batch, n int, take func(*scoring.Event) error) (float64, error) {
	from := map[partition]int64{}
	for _, p := range session.Partitions() {
		from[p] = -1
	}
	if err := session.Start(ctx, from); err != nil {
		return 0, fmt.Errorf("read the input topics: %w", err)
	}
	begun := time.Now()
	for got := 0; got < n; {
		out, err := session.Next(ctx, source.Want{Max: batch, NotAfter: never})
		if err != nil {
			return 0, fmt.Errorf("read the input topics: %w", err)
		}
		for _, in := range out.Inputs {
			if got++; in.Event == nil {
				continue
			}
			if err := take(in.Event); err != nil {
				return 0, err
			}
		}
	}
	return perSecond(n, time.Since(begun)), nil
}

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }
