package redis_test

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
	"tidemark/pkg/store/storetest"
)

func TestMain(m *testing.M) {
	// A check is some 30 commits; the command line still wins (-rapid.checks=1000).
	if err := flag.Set("rapid.checks", "40"); err != nil {
		panic(err)
	}
	// A pool whose server is away tries to dial once a second, and only then sees that it was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// testConfig is for servers of this test: few shards, short waits.
func testConfig(t *testing.T, addrs ...string) redis.Config {
	cfg := redis.DefaultConfig()
	cfg.Addrs = addrs
	cfg.Namespace = testenv.Name(t, "tm")
	cfg.Shards = 8
	cfg.PoolSize = 4
	return cfg
}

// open opens a Store that is closed when the test ends.
func open(t *testing.T, cfg redis.Config) *redis.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	s, err := redis.Open(ctx, cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// startMini starts the in-process server, with a clock that lets leases end.
func startMini(t *testing.T) *miniredis.Miniredis {
	m := miniredis.RunT(t)
	m.ClockTTL(true)
	return m
}

// suites runs the contract and the extras; config makes settings with a fresh namespace.
func suites(t *testing.T, config func(t *testing.T) redis.Config) {
	t.Run("contract", func(t *testing.T) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) storetest.Peers {
			cfg := config(t)
			return func() engine.Store { return open(t, cfg) }
		})
	})
	t.Run("desk", func(t *testing.T) {
		t.Parallel()
		storetest.RunDesk(t, func(t *testing.T) func() storetest.Desk {
			cfg := config(t)
			return func() storetest.Desk { return open(t, cfg) }
		})
	})
	t.Run("generations", func(t *testing.T) {
		t.Parallel()
		testGenerations(t, config(t))
	})
	t.Run("extras", func(t *testing.T) {
		t.Parallel()
		storetest.RunExtras(t, func(t *testing.T) func() storetest.Extras {
			cfg := config(t)
			return func() storetest.Extras { return open(t, cfg) }
		})
	})
}

func TestOnMiniredis(t *testing.T) {
	t.Parallel()
	m := startMini(t)
	suites(t, func(t *testing.T) redis.Config {
		cfg := testConfig(t, m.Addr())
		cfg.Embedded = true
		return cfg
	})
}

func TestOnRedis(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t)
	suites(t, func(t *testing.T) redis.Config { return testConfig(t, r.Addr()) })
}
