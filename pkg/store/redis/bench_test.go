package redis_test

import (
	"fmt"
	"testing"

	"github.com/rs/zerolog"

	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
)

// BenchmarkCommit is one batch of 16,000 account updates over 64 shards, alone on
// its shards: state of 120 bytes, a tenth of the accounts with a new due instant, later than the one before.
func BenchmarkCommit(b *testing.B) {
	const perShard = 250
	s := benched(b, testenv.StartRedisFor(b).Addr())
	steps := make([]engine.Step, s.Shards())
	for shard := range steps {
		steps[shard].Shard = shard
		for i := range perShard {
			w := engine.Write{Account: fmt.Sprintf("account-%d-%d.example", shard, i), State: make([]byte, 120), Due: engine.KeepDue}
			if i%10 == 0 {
				w.Due = int64(1_700_000_000_000 + i)
			}
			steps[shard].Writes = append(steps[shard].Writes, w)
		}
	}
	in := engine.Partition{Topic: "in"}
	was := uint64(0)
	for b.Loop() {
		for shard := range steps {
			steps[shard].Moves = []engine.Move{{Partition: in, From: int64(was), To: int64(was) + 1}}
			for i := range steps[shard].Writes {
				w := &steps[shard].Writes[i]
				if w.Was = was; w.Due != engine.KeepDue {
					w.Due += int64(i*7919%1000_000 + 1) // as a sweep arms it anew
				}
			}
		}
		for _, out := range s.Commit(b.Context(), steps) {
			if out.Result != engine.OK {
				b.Fatalf("got result %d (%v), want OK", out.Result, out.Err)
			}
		}
		was++
	}
	b.ReportMetric(float64(b.N*perShard*len(steps))/b.Elapsed().Seconds(), "accounts/s")
}

// benched is a store on a server, until the benchmark ends.
func benched(b *testing.B, addr string) *redis.Store {
	b.Helper()
	cfg := redis.DefaultConfig()
	cfg.Addrs = []string{addr}
	s, err := redis.Open(b.Context(), cfg, zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}
