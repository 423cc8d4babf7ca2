package faults

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/deploy/faults/verify"
	"tidemark/pkg/engine"
)

// gather reads topics and states at one and the same time: again, if something was
// published meanwhile.
func (w *world) gather() *verify.Run {
	w.t.Helper()
	t := w.cfg.Kafka.Topics
	run := &verify.Run{Model: w.model, Topics: w.inputs(), Letters: w.read(t.DeadLetters)}
	accounts := map[string]bool{}
	for _, topic := range run.Topics {
		run.Inputs = append(run.Inputs, w.read(topic)...)
	}
	for _, r := range run.Inputs {
		for _, account := range verify.Accounts(r) {
			accounts[account] = true
		}
	}
	list := make([]string, 0, len(accounts))
	for a := range accounts {
		list = append(list, a)
	}
	var ends map[string]map[int]int64
	eventually(w.t, time.Minute, func() error {
		s, err := w.openStore()
		if err != nil {
			return err
		}
		defer s.Close() //nolint:errcheck // only read from
		if ends, err = w.ends(t.TierChanges, t.AccountTiers); err != nil {
			return err
		}
		run.At = time.Now().UnixMilli()
		if run.States, err = w.states(s, list, run.At); err != nil {
			return err
		}
		if err := w.behind(s); err != nil {
			return err
		}
		after, err := w.ends(t.TierChanges, t.AccountTiers)
		if err == nil && !reflect.DeepEqual(after, ends) {
			err = errors.New("tier changes were published meanwhile")
		}
		return err
	})
	run.Changes, run.Tiers = w.readUpTo(t.TierChanges, ends[t.TierChanges]), w.readUpTo(t.AccountTiers, ends[t.AccountTiers])
	return run
}

// ends are the next offsets of topics.
func (w *world) ends(topics ...string) (map[string]map[int]int64, error) {
	out := map[string]map[int]int64{}
	for _, topic := range topics {
		_, next, err := w.bounds(topic)
		if err != nil {
			return nil, err
		}
		out[topic] = next
	}
	return out, nil
}

// read returns all records of a topic, partition by partition.
func (w *world) read(topic string) []verify.Record {
	w.t.Helper()
	_, next, err := w.bounds(topic)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.readUpTo(topic, next)
}

func (w *world) readUpTo(topic string, next map[int]int64) (out []verify.Record) {
	w.t.Helper()
	first, _, err := w.bounds(topic)
	if err != nil {
		w.t.Fatal(err)
	}
	for p := range len(next) {
		if first[p] < next[p] {
			out = append(out, w.readPartition(topic, p, first[p], next[p])...)
		}
	}
	return out
}

func (w *world) readPartition(topic string, partition int, first, end int64) (out []verify.Record) {
	w.t.Helper()
	w.eachOf(engine.Partition{Topic: topic, ID: partition}, first, end, func(r verify.Record) { out = append(out, r) })
	return out
}

// eachOf calls f for the records of a partition between two offsets.
func (w *world) eachOf(p engine.Partition, first, end int64, f func(verify.Record)) {
	w.t.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: w.cfg.Kafka.Brokers, Topic: p.Topic, Partition: p.ID, MaxWait: 100 * time.Millisecond, MaxBytes: 8 << 20})
	defer r.Close() //nolint:errcheck // only read from
	if err := r.SetOffset(first); err != nil {
		w.t.Fatal(err)
	}
	for {
		ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
		m, err := r.ReadMessage(ctx)
		cancel()
		if err != nil {
			w.t.Fatalf("read %s/%d: %v", p.Topic, p.ID, err)
		}
		record := verify.Record{Topic: p.Topic, Partition: p.ID, Offset: m.Offset, Time: m.Time, Key: m.Key, Value: m.Value, Headers: map[string]string{}}
		for _, h := range m.Headers {
			record.Headers[h.Key] = string(h.Value)
		}
		if f(record); m.Offset+1 >= end {
			return
		}
	}
}
