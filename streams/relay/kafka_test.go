package relay

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"tidemark/streams/conn"
	"tidemark/streams/sink"
)

// TestRelayToKafka relays while leaders move, and reads both topics as a consumer
// that drops repeats would.
func TestRelayToKafka(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(4, "changes", "tiers"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	transport, err := conn.NewTransport(conn.Config{
		Brokers: c.ListenAddrs(), Topics: []string{"changes", "tiers"}, MetadataTTL: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.Close)
	publisher, err := sink.New(sink.Config{Transport: transport}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	const accounts, changes = 16, 100
	o := &boxes{}
	settings := config(accounts)
	settings.Batch = 30
	r := relayOf(t, settings, o, publisher)
	stop := run(t, r)
	for seq := range changes {
		for n := range accounts {
			o.add(n, "account-"+strconv.Itoa(n), strconv.Itoa(seq))
			r.Wake(n)
		}
		if seq%25 == 0 {
			c.ShufflePartitionLeaders()
		}
	}
	stop()
	if err := r.Drain(deadline(t)); err != nil {
		t.Fatal(err)
	}
	for _, topic := range settings.Topics.both() {
		seen, newest := map[string]int{}, map[string]int{}
		for partition := range 4 {
			read(t, transport, topic, partition, func(account string, seq int) {
				if seq > seen[account] {
					t.Fatalf("%s: %s jumps from %d to %d", topic, account, seen[account]-1, seq)
				}
				seen[account], newest[account] = max(seen[account], seq+1), seq
			})
		}
		for n := range accounts {
			if account := "account-" + strconv.Itoa(n); seen[account] != changes || newest[account] != changes-1 {
				t.Errorf("%s: %s: %d seen, the log ends with %d", topic, account, seen[account], newest[account])
			}
		}
	}
}

func (t Topics) both() []string { return []string{t.Changes, t.Tiers} }

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// read calls f with every record of a partition.
func read(t *testing.T, transport *conn.Transport, topic string, partition int, f func(account string, seq int)) {
	t.Helper()
	ctx := deadline(t)
	for offset := int64(0); ; {
		got, err := transport.Client(5*time.Second).Fetch(ctx, &kafka.FetchRequest{
			Topic: topic, Partition: partition, Offset: offset, MaxBytes: 8 << 20, MaxWait: 100 * time.Millisecond,
		})
		if err == nil {
			err = got.Error
		}
		if err != nil {
			if ctx.Err() != nil {
				t.Fatal(err)
			}
			continue // the leader has moved and the layout is not read anew yet
		}
		for {
			record, err := got.Records.ReadRecord()
			if err != nil {
				break
			}
			key, _ := kafka.ReadAll(record.Key)
			value, _ := kafka.ReadAll(record.Value)
			seq, err := strconv.Atoi(string(value))
			if err != nil || len(record.Headers) != 1 || record.Headers[0].Key != "content-type" {
				t.Fatalf("%s: got %q, %v", topic, value, record.Headers)
			}
			f(string(key), seq)
			offset = record.Offset + 1
		}
		if offset >= got.HighWatermark {
			return
		}
	}
}
