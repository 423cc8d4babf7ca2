package faults

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/pkg/engine"
)

func recoveries() []fault {
	return []fault{
		{"kill -9 of one of two instances, 200,000 accounts", false, "the other one takes its partitions over when the group's session time-out has passed", diedForGood},
		{"kill -9 of an instance that comes back at once, 200,000 accounts", false, "it takes its dead predecessor out of the group, so that nobody waits for the session time-out, and goes on where the shards stand", cameBack},
	}
}

const (
	manyAccounts   = 200_000
	sessionTimeout = 4 * time.Second // as newWorld sets it
)

// populated is a deployment that knows many accounts, and its instances.
func populated(t *testing.T, names ...string) (*world, []*instance) {
	t.Helper()
	w := newWorld(t, setup{})
	var instances []*instance
	for _, name := range names {
		instances = append(instances, w.serve("TIDEMARK_KAFKA_INSTANCE_ID="+name))
	}
	w.eachOnce(manyAccounts, time.Now())
	w.drained()
	return w, instances
}

func diedForGood(t *testing.T, s *seen) {
	w, instances := populated(t, "a", "b")
	tr := w.traffic(usualMix(71))
	w.flowing(50)
	instances[0].kill()
	s.recovered = w.freshEverywhere(time.Now(), sessionTimeout+2*time.Second)
	tr.stop()
	r := w.verified()
	s.figure("session time-out %s; %d events, %d tier changes, %d repeats", sessionTimeout, r.Events, r.Changes, r.Repeats)
	instances[1].stop()
}

func cameBack(t *testing.T, s *seen) {
	w, instances := populated(t, "a")
	tr := w.traffic(usualMix(72))
	w.flowing(50)
	instances[0].kill()
	begun := time.Now()
	i := w.start("TIDEMARK_KAFKA_INSTANCE_ID=a")
	s.recovered = w.freshEverywhere(begun, 2*time.Second)
	tr.stop()
	r := w.verified()
	s.figure("session time-out %s; %d events, %d tier changes, %d repeats", sessionTimeout, r.Events, r.Changes, r.Repeats)
	i.stop()
}

// freshEverywhere publishes an event of a new account to each partition of a topic,
// and returns how long after begun all of them are stored and wants that to be in time.
func (w *world) freshEverywhere(begun time.Time, limit time.Duration) time.Duration {
	w.t.Helper()
	topic := w.cfg.Kafka.Topics.Engagement
	_, next, err := w.bounds(topic)
	done(w.t, err)
	var accounts []string
	for p := range len(next) {
		w.canaries++
		account := fmt.Sprintf("canary-%d.example", w.canaries)
		accounts = append(accounts, account)
		w.publishTo(engine.Partition{Topic: topic, ID: p}, event(account, "engagement.webinar", time.Now(), account, `{"contact":{"id":"c"}}`))
	}
	store, err := w.openStore()
	done(w.t, err)
	defer store.Close() //nolint:errcheck // only read from
	eventually(w.t, 2*time.Minute, func() error {
		for _, account := range accounts {
			records, err := store.Load(w.t.Context(), engine.WantedOf([]string{account}, store.Shards())...)
			if err == nil && records[0].State == nil {
				err = errors.New("the event of " + account + " is not stored")
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	took := time.Since(begun)
	if took > limit {
		w.t.Errorf("fresh events of all partitions were scored %s after the kill, want at most %s", took, limit)
	}
	return took
}

// publishTo publishes a record to one partition.
func (w *world) publishTo(p engine.Partition, value []byte) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	r, err := w.kafka.Produce(ctx, &kafka.ProduceRequest{
		Topic: p.Topic, Partition: p.ID, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Time: time.Now(), Value: kafka.NewBytes(value)}),
	})
	if err == nil {
		err = r.Error
	}
	done(w.t, err)
}
