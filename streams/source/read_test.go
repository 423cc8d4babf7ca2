package source

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pkg/engine"
)

// backlog fills topics of four partitions each with events of which every tenth is
// late, and returns the one right order.
func backlog(w *world, topics []string, events int) (want []string) {
	rng := rand.New(rand.NewPCG(1, 2))
	var records []*kgo.Record
	var logs [][]int64
	for _, topic := range topics {
		for partition := range int32(4) {
			var log []int64
			for now := int64(1_000_000); len(log) < events; now += rng.Int64N(40) {
				at := now
				if rng.IntN(10) == 0 {
					at -= rng.Int64N(1000)
				}
				log = append(log, at)
				records = append(records, event(topic, partition, at))
			}
			logs = append(logs, log)
		}
	}
	w.produce(records...)
	for _, place := range order(logs) {
		var log, offset int
		_, _ = fmt.Sscanf(place, "%d@%d", &log, &offset)
		want = append(want, fmt.Sprintf("%d %s/%d@%d", logs[log][offset], []string{"a", "b", "c"}[log/4], log%4, offset))
	}
	return want
}

func TestBacklogComesOutInOneOrder(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topics := []string{w.topic("a", 4), w.topic("b", 4), w.topic("c", 4)}
		want := backlog(w, topics, 400)
		for run := range 5 {
			cfg := w.config(topics...)
			cfg.Group += fmt.Sprint(run)
			cfg.FetchMaxBytes = 1 << (10 + 2*run)
			cfg.BufferEvents = 12 * []int{1, 8192, 50, 400, 10}[run] // of twelve partitions
			s := w.source(cfg)
			se := w.join(s)
			got := w.read(se, Want{Max: 1 + 97*run, NotAfter: math.MaxInt64}, func(p *position) bool { return len(p.inputs) >= len(want) && caughtUp(p) })
			if !slices.Equal(got.inputs, want) {
				t.Fatalf("run %d: the order differs from place %d of %d on", run, differ(got.inputs, want), len(want))
			}
			for p, end := range got.ends {
				if end != 400 {
					t.Errorf("run %d: %v ends at %d, want 400", run, p, end)
				}
			}
			se.Close()
		}
	})
}

func differ(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestLiveEventsComeAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 3)
		se := w.join(w.source(w.config(topic)))
		w.read(se, everything(), caughtUp)
		var took []time.Duration
		for i := range int64(40) {
			done := make(chan time.Time, 1)
			w.client.Produce(w.ctx, event(topic, int32(i%3), 1000-i), func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
				done <- time.Now()
			})
			got := w.read(se, everything(), inputs(1))
			took = append(took, time.Since(<-done))
			if want := fmt.Sprintf("%d a/%d@%d", 1000-i, i%3, i/3); got.inputs[0] != want {
				t.Fatalf("got %s, want %s", got.inputs[0], want)
			}
		}
		slices.Sort(took)
		t.Logf("from acknowledged to handed out: median %v, worst %v", took[len(took)/2], took[len(took)-1])
		if median := took[len(took)/2]; median > 50*time.Millisecond {
			t.Errorf("handed out a median of %v after it was acknowledged", median)
		}
	})
}

func TestMarks(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 3)
		w.produce(event(topic, 0, 10), event(topic, 0, 30), event(topic, 1, 20), record(topic, 1, 5, ""))
		se := w.join(w.source(w.config(topic)))
		got := w.read(se, Want{Max: 9, NotAfter: 25}, func(p *position) bool {
			return len(p.inputs) == 2 && p.marks[1].CaughtUp && p.marks[2].CaughtUp
		})
		want := []Mark{
			{Consumed: 10, Frontier: 30, End: 2},
			{CaughtUp: true, Consumed: 20, Frontier: 20, End: 2},
			{CaughtUp: true, Consumed: math.MinInt64, Frontier: math.MinInt64},
		}
		if !slices.Equal(got.marks, want) {
			t.Errorf("marks %+v\nwant  %+v", got.marks, want)
		}
		p0, p1 := engine.Partition{Topic: topic}, engine.Partition{Topic: topic, ID: 1}
		if got.ends[p0] != 1 || got.ends[p1] != 2 || len(got.ends) != 2 {
			t.Errorf("ends %v, want 1 and 2: what is passed over counts", got.ends)
		}
		b, err := se.Next(w.ctx, Want{Max: 9, NotAfter: 25, Deadline: time.Now().Add(20 * time.Millisecond)})
		if err != nil || len(b.Inputs)+len(b.Ends) != 0 {
			t.Errorf("at the deadline: %+v, %v; want an empty batch", b, err)
		}
		rest := w.read(se, everything(), caughtUp)
		if !slices.Equal(rest.inputs, []string{"30 a/0@1"}) {
			t.Errorf("got %v", rest.inputs)
		}
	})
}

func TestRecordsWithSeveralInputs(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 2)
		w.produce(record(topic, 0, 1, "10 30 dead"), event(topic, 0, 15), event(topic, 1, 20), record(topic, 1, 1, "dead"))
		got := w.read(w.join(w.source(w.config(topic))), everything(), caughtUp)
		want := []string{"10 a/0@0", "30 a/0@0", "dead a/0@0", "15 a/0@1", "20 a/1@0", "dead a/1@1"}
		if !slices.Equal(got.inputs, want) {
			t.Errorf("got %v, want %v", got.inputs, want)
		}
	})
}

func TestCompressedBatches(t *testing.T) {
	codecs := map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 1)
		var want []string
		for name, codec := range codecs {
			p := w.producer(kgo.ProducerBatchCompression(codec))
			var records []*kgo.Record
			for range 200 {
				want = append(want, fmt.Sprintf("%d a/0@%d", len(want), len(want)))
				records = append(records, event(topic, 0, int64(len(want)-1)))
			}
			if err := p.ProduceSync(w.ctx, records...).FirstErr(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		got := w.read(w.join(w.source(w.config(topic))), everything(), inputs(len(want)))
		if !slices.Equal(got.inputs, want) {
			t.Errorf("differs from place %d on", differ(got.inputs, want))
		}
	})
}

func TestAbortedTransactionsStayOut(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 1)
		txn := func(id string) *kgo.Client {
			return w.producer(kgo.TransactionalID(w.prefix+id), kgo.TransactionTimeout(30*time.Second))
		}
		first, second := txn("1"), txn("2")
		in := func(p *kgo.Client, ms int64) {
			w.must(p.ProduceSync(w.ctx, event(topic, 0, ms)).FirstErr())
		}
		// The coordinator answers before the partition has the marker: what others write
		// next could come before it.
		end := func(p *kgo.Client, how kgo.TransactionEndTry) {
			before := w.end(topic)
			w.must(p.EndTransaction(w.ctx, how))
			for w.end(topic) == before {
			}
		}
		w.must(first.BeginTransaction())
		w.must(second.BeginTransaction())
		in(first, 1)
		in(second, 2) // between the records of the aborted one, and committed
		in(first, 3)
		w.produce(event(topic, 0, 4)) // in no transaction
		end(first, kgo.TryAbort)
		end(second, kgo.TryCommit)
		w.must(first.BeginTransaction())
		in(first, 5) // the same producer, later
		end(first, kgo.TryCommit)
		w.must(second.BeginTransaction())
		in(second, 6) // open
		w.produce(event(topic, 0, 7))

		se := w.join(w.source(w.config(topic)))
		// The open transaction is the end of what can be read.
		got := w.read(se, everything(), caughtUp)
		if want := []string{"2 a/0@1", "4 a/0@3", "5 a/0@6"}; !slices.Equal(got.inputs, want) {
			t.Errorf("got %v, want %v", got.inputs, want)
		}
		p := engine.Partition{Topic: topic}
		if got.ends[p] != 8 || got.marks[0].End != 8 {
			t.Errorf("position %d of %d, want 8: up to the open transaction", got.ends[p], got.marks[0].End)
		}
		end(second, kgo.TryAbort)
		got = w.read(se, everything(), func(p *position) bool { return len(p.inputs) == 1 && caughtUp(p) })
		if want := []string{"7 a/0@9"}; !slices.Equal(got.inputs, want) {
			t.Errorf("got %v, want %v", got.inputs, want)
		}
		// The last marker may come with an answer of its own, which is no news.
		last := w.read(se, Want{Max: 9, NotAfter: math.MaxInt64, Deadline: time.Now().Add(time.Second)}, func(p *position) bool { return p.marks != nil })
		if at := max(got.ends[p], last.ends[p]); at != 11 {
			t.Errorf("position %d, want 11: after the abort marker", at)
		}
	})
}
