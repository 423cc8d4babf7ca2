package source

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/scoring"
)

func BenchmarkFakeBacklog(b *testing.B) {
	benchBacklog(b, newWorld(b, fake.addr(b)))
}

func benchBacklog(b *testing.B, w *world) {
	const each, partitions = 50_000, 6
	topic := w.topic("a", partitions)
	value := strings.Repeat("x", 250)
	p := w.producer(kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(each))
	for i := range int64(each * partitions) {
		p.Produce(w.ctx, record(topic, int32(i%partitions), i, value), nil)
	}
	w.must(p.Flush(w.ctx))
	decode := func(r *Record) Decoded {
		return Decoded{Events: []*scoring.Event{{Time: r.Time}}}
	}
	b.ReportAllocs()
	var spent time.Duration
	for i := 0; b.Loop(); i++ {
		cfg := w.config(topic)
		cfg.Group = fmt.Sprint(w.prefix, i)
		s, err := New(cfg, decode, zerolog.Nop())
		w.must(err)
		se, err := s.Join(w.ctx)
		w.must(err)
		began := time.Now()
		w.must(se.Start(w.ctx, earliest(se)))
		batches, n := 0, 0
		for n < each*partitions {
			b, err := se.Next(w.ctx, Want{Max: 32 << 10, NotAfter: 1 << 60})
			w.must(err)
			n += len(b.Inputs)
			batches++
		}
		spent += time.Since(began)
		b.ReportMetric(float64(n)/float64(batches), "events/batch")
		w.must(s.Close(context.Background()))
	}
	b.ReportMetric(float64(each*partitions*b.N)/spent.Seconds(), "events/s")
}
