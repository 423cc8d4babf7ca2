package app

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"tidemark/pkg/engine"
	"tidemark/streams/codec"
	"tidemark/streams/sink"
	"tidemark/streams/source"
	"tidemark/streams/tail"
)

// knownLetters are the records that were dead letters before: the log is read
// again, and what was refused then must not count now, nor be written twice. What
// nobody has met yet becomes a dead letter as ever.
type knownLetters struct {
	letters *sink.DeadLetters
	known   map[engine.Partition]map[int64][]string // places by offset, "" for a whole record
	passed  atomic.Int64                            // records, and events within one, left out so far
}

func (b *rebuild) newKnownLetters(ctx context.Context) (*knownLetters, error) {
	topic := b.cfg.Kafka.Topics.DeadLetters
	follower, err := tail.New(tail.Config{Transport: b.transport, Topic: topic}, b.log)
	if err != nil {
		return nil, err
	}
	k := &knownLetters{letters: sink.NewDeadLetters(b.publisher, topic), known: map[engine.Partition]map[int64][]string{}}
	if err := follower.All(ctx, nil, func(r tail.Record) error { k.note(&r); return nil }); err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return k, nil
}

func (k *knownLetters) note(r *tail.Record) {
	message := ""
	topic, partition, offset, ok := sink.Origin(func(yield func(string, []byte) bool) {
		for _, h := range r.Headers {
			if h.Key == sink.HeaderMessage {
				message = string(h.Value) // the last counts, as for Origin
			}
			if !yield(h.Key, h.Value) {
				return
			}
		}
	})
	if !ok {
		return
	}
	p := engine.Partition{Topic: topic, ID: partition}
	if k.known[p] == nil {
		k.known[p] = map[int64][]string{}
	}
	if place := codec.PlaceIn(message); !slices.Contains(k.known[p][offset], place) {
		k.known[p][offset] = append(k.known[p][offset], place)
	}
}

// around is decoding, which passes over what was a dead letter before: the record, or
// those of its events that were.
func (k *knownLetters) around(d *codec.Decoder) source.Decode {
	return func(r *source.Record) source.Decoded {
		refused := k.known[engine.Partition{Topic: r.Topic, ID: r.Partition}][r.Offset]
		k.passed.Add(int64(len(refused)))
		if slices.Contains(refused, "") {
			return source.Decoded{Events: onlyTaught(decode(d, r, nil).Events)}
		}
		if _, is := canaryOf(r); is {
			return source.Decoded{}
		}
		return decode(d, r, refused)
	}
}

// Write implements Deadletters.
func (k *knownLetters) Write(ctx context.Context, letters []any) error {
	k.passed.Add(int64(len(letters)))
	return k.letters.Publish(ctx, deadLetters(letters))
}

// Heals implements Deadletters.
func (k *knownLetters) Heals(err error) bool { return sink.Heals(err) }
