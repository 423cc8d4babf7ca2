package redis_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
)

// wantRefused opens with cfg and wants a refusal that says what.
func wantRefused(t *testing.T, cfg redis.Config, what string) {
	t.Helper()
	s, err := redis.Open(t.Context(), cfg, zerolog.Nop())
	if err == nil {
		t.Fatal("Open succeeded", s.Close())
	}
	if !errors.Is(err, redis.ErrRefused) || !strings.Contains(err.Error(), what) {
		t.Errorf("got %v, want a refusal with %q", err, what)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t)
	do := func(t *testing.T, args ...string) {
		t.Helper()
		if _, err := r.Do(args...); err != nil {
			t.Fatal(err)
		}
	}
	// Not parallel: it changes the server. The others begin when it is over.
	t.Run("a server that evicts", func(t *testing.T) {
		do(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
		defer do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
		cfg := testConfig(t, r.Addr())
		wantRefused(t, cfg, `maxmemory-policy of redis is "allkeys-lru"`)
		wantRefused(t, cfg, "CONFIG SET maxmemory-policy noeviction")
	})
	t.Run("another number of shards", func(t *testing.T) {
		t.Parallel()
		cfg := testConfig(t, r.Addr())
		if !open(t, cfg).Fresh() {
			t.Error("a new namespace is not fresh")
		}
		if open(t, cfg).Fresh() {
			t.Error("a namespace is fresh twice")
		}
		cfg.Shards = 16
		wantRefused(t, cfg, "redis.shards: 16, but namespace")
	})
	t.Run("a newer layout", func(t *testing.T) {
		t.Parallel()
		cfg := testConfig(t, r.Addr())
		open(t, cfg)
		do(t, "HSET", cfg.Namespace+":meta", "layout", "3")
		wantRefused(t, cfg, "written by a newer version")
	})
	t.Run("a cluster that is none", func(t *testing.T) {
		t.Parallel()
		wantRefused(t, testConfig(t, r.Addr(), r.Addr()), "cluster")
	})
	t.Run("settings", func(t *testing.T) {
		t.Parallel()
		cfg := testConfig(t, r.Addr())
		cfg.Namespace = "a{b}"
		wantRefused(t, cfg, `namespace: "a{b}"`)
	})
	t.Run("the demo's server", func(t *testing.T) {
		t.Parallel()
		wantRefused(t, testConfig(t, startMini(t).Addr()), "in-process server")
	})
}

func TestOpenMayHeal(t *testing.T) {
	t.Parallel()
	port, err := testenv.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	defer testenv.ReleasePort(port)
	cfg := testConfig(t, loopback(port))
	cfg.Retries = 1
	_, err = redis.Open(t.Context(), cfg, zerolog.Nop())
	if err == nil || errors.Is(err, redis.ErrRefused) {
		t.Errorf("nobody listens: got %v, want an error that may heal", err)
	}
	var call *redis.Error
	if !errors.As(err, &call) || call.Class != redis.Connection || !call.Retryable() {
		t.Errorf("got %v, want class connection", err)
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, startMini(t).Addr())
	cfg.Embedded = true
	s := open(t, cfg)
	for range 2 {
		if err := s.Claim(t.Context(), "cluster-1/group-1"); err != nil {
			t.Fatal(err)
		}
	}
	err := open(t, cfg).Claim(t.Context(), "cluster-1/group-2")
	if !errors.Is(err, redis.ErrRefused) || !strings.Contains(err.Error(), `belongs to "cluster-1/group-1"`) {
		t.Errorf("another group: got %v, want a refusal that names the owner", err)
	}
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, startMini(t).Addr())
	cfg.Embedded = true
	s := open(t, cfg)
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	out := s.Commit(context.Background(), []engine.Step{{}})[0]
	var call *redis.Error
	if !errors.As(out.Err, &call) || call.Class != redis.Closed || call.Retryable() {
		t.Errorf("commit: got %v, want class closed", out.Err)
	}
	if err := s.Ping(t.Context()); redis.Classify(err) != redis.Closed {
		t.Errorf("ping: got %v, want class closed", err)
	}
}

func TestScriptsAreLoadedAgain(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t)
	s := open(t, testConfig(t, r.Addr()))
	for was := range uint64(3) {
		if _, err := r.Do("SCRIPT", "FLUSH"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Names(t.Context(), []string{"x"}); err != nil {
			t.Error(err)
		}
		if _, err := r.Do("SCRIPT", "FLUSH"); err != nil {
			t.Fatal(err)
		}
		out := s.Commit(t.Context(), []engine.Step{
			{Writes: []engine.Write{{Account: "a", Was: was, State: []byte("A"), Due: engine.KeepDue}}},
			{Shard: 1, Writes: []engine.Write{{Account: "a", Was: was, State: []byte("A"), Due: engine.KeepDue}}},
		})
		for _, o := range out {
			if o.Result != engine.OK {
				t.Errorf("got result %d (%v), want OK", o.Result, o.Err)
			}
		}
	}
	if got := s.Stats().Retries[redis.NoScript]; got == 0 {
		t.Error("no retry was counted")
	}
}

func TestKeyOfAnotherKind(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t)
	for _, key := range []string{"token", "positions", "accounts", "profiles", "next", "outbox", "tiers", "in:hot:2c"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t, r.Addr())
			s := open(t, cfg)
			if _, err := r.Do("RPUSH", cfg.Namespace+":{000}:"+key, "not ours"); err != nil {
				t.Fatal(err)
			}
			w := engine.Write{Account: "a", State: []byte("A"), Profile: []byte("P"), Due: 1, Tier: "hot"}
			out := s.Commit(t.Context(), []engine.Step{{
				Moves: []engine.Move{{Partition: engine.Partition{Topic: "in"}, To: 1}}, Writes: []engine.Write{w},
				Outbox: []engine.Message{{Account: "a"}},
			}})[0]
			if out.Result != engine.Failed || redis.Classify(out.Err) != redis.WrongType {
				t.Errorf("got result %d (%v), want Failed with class wrongtype", out.Result, out.Err)
			}
			found, err := r.Do("KEYS", cfg.Namespace+":{000}:*")
			if keys, _ := found.([]any); err != nil || len(keys) != 1 {
				t.Errorf("got keys %v (%v), want nothing written", found, err)
			}
		})
	}
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
