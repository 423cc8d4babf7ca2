package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
)

// BenchmarkCommitSteps is what one step of a shard costs, by how many accounts it has: as
// live at 10,000 events/s (one or two), and while catching up.
func BenchmarkCommitSteps(b *testing.B) {
	for _, accounts := range []int{1, 2, 300} {
		b.Run(fmt.Sprint(accounts), func(b *testing.B) { commitSteps(b, accounts) })
	}
}

func commitSteps(b *testing.B, accounts int) {
	server := testenv.StartRedisFor(b)
	s := benched(b, server.Addr())
	steps := make([]engine.Step, s.Shards())
	for shard := range steps {
		steps[shard].Shard = shard
		for i := range accounts {
			steps[shard].Writes = append(steps[shard].Writes, engine.Write{
				Account: fmt.Sprintf("account-%d-%d.example", shard, i), State: make([]byte, 120), Due: int64(1_700_000_000_000 + i),
			})
		}
	}
	in := []engine.Partition{{Topic: "in"}, {Topic: "in", ID: 1}}
	was := uint64(0)
	round := func() {
		for shard := range steps {
			steps[shard].Moves = steps[shard].Moves[:0]
			for _, p := range in {
				steps[shard].Moves = append(steps[shard].Moves, engine.Move{Partition: p, From: int64(was), To: int64(was) + 1})
			}
			for i := range steps[shard].Writes {
				steps[shard].Writes[i].Was = was
			}
		}
		for _, out := range s.Commit(b.Context(), steps) {
			if out.Result != engine.OK {
				b.Fatalf("got result %d (%v), want OK", out.Result, out.Err)
			}
		}
		was++
	}
	round()
	before := commitMicros(b, server.Addr())
	for b.Loop() {
		round()
	}
	b.ReportMetric((commitMicros(b, server.Addr())-before)/float64(b.N*len(steps)), "redis-µs/step")
}

// commitMicros is how long the server has run scripts and transactions in all.
func commitMicros(b *testing.B, addr string) float64 {
	c := goredis.NewClient(&goredis.Options{Addr: addr})
	stats, err := c.Info(b.Context(), "commandstats").Result()
	if err := errors.Join(err, c.Close()); err != nil {
		b.Fatal(err)
	}
	sum := 0.0
	for _, command := range []string{"evalsha", "exec"} {
		if _, rest, ok := strings.Cut(stats, "cmdstat_"+command+":"); ok {
			var calls, micros float64
			if _, err := fmt.Sscanf(rest, "calls=%g,usec=%g,", &calls, &micros); err != nil {
				b.Fatal(err)
			}
			sum += micros
		}
	}
	return sum
}
