package redis_test

import (
	"strconv"
	"sync"
	"testing"

	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
)

func TestOnCluster(t *testing.T) {
	t.Parallel()
	c := testenv.StartRedisClusterFor(t)
	suites(t, func(t *testing.T) redis.Config { return testConfig(t, c.Addrs()...) })

	t.Run("smallest rights", func(t *testing.T) {
		t.Parallel()
		for i := range c.Addrs() {
			if _, err := c.Node(i).Do("ACL", "SETUSER", "small", "on", ">s3cret", "~tm-*", "&tm-*", "-@all", "+@read", "+@write",
				"+@connection", "+@scripting", "+@transaction", "+@pubsub", "-@dangerous", "+info", "+cluster|slots"); err != nil {
				t.Fatal(err)
			}
		}
		suites(t, func(t *testing.T) redis.Config {
			cfg := testConfig(t, c.Addrs()...)
			cfg.Username, cfg.Password = "small", "s3cret"
			return cfg
		})
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		all, err := open(t, testConfig(t, c.Addrs()...)).Memory(t.Context())
		if err != nil || len(all) != len(c.Addrs()) {
			t.Fatalf("got %+v, %v, want each of %q", all, err, c.Addrs())
		}
		for _, m := range all {
			if m.Addr == "" || m.Used <= 0 || m.Limit <= m.Used || m.Policy != "noeviction" {
				t.Errorf("got %+v", m)
			}
		}
	})
	t.Run("one address", func(t *testing.T) {
		t.Parallel()
		cfg := testConfig(t, c.Addrs()[0])
		wantRefused(t, cfg, "is a node of a Redis Cluster")
		cfg.Cluster = true
		open(t, cfg)
	})
}

func TestOnTLSWithUser(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t, testenv.RedisOptions{TLS: true, User: "tide", Password: "s3cret"})
	config := func(t *testing.T) redis.Config {
		cfg := testConfig(t, r.Addr())
		cfg.Username, cfg.Password, cfg.TLS = "tide", "s3cret", r.TLSConfig()
		return cfg
	}
	suites(t, config)

	t.Run("wrong password", func(t *testing.T) {
		t.Parallel()
		cfg := config(t)
		cfg.Password = "wrong"
		wantRefused(t, cfg, "WRONGPASS")
	})
	t.Run("unknown authority", func(t *testing.T) {
		t.Parallel()
		cfg := config(t)
		cfg.TLS.RootCAs = nil
		wantRefused(t, cfg, "certificate")
	})
}

// TestWithSmallestRights runs everything as the user that DESIGN.md describes.
func TestWithSmallestRights(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t, testenv.RedisOptions{Config: []string{
		"user small on >s3cret ~tm-* &tm-* -@all +@read +@write +@connection +@scripting +@transaction +@pubsub -@dangerous +info",
		"user hasty on >s3cret ~tm-* &tm-* -@all +@read +@write +@connection +@scripting +@pubsub -@dangerous +info",
		"user blind on >s3cret ~tm-* &tm-* -@all +@read +@write +@connection +@scripting +@transaction +@pubsub -@dangerous",
	}})
	config := func(t *testing.T) redis.Config {
		cfg := testConfig(t, r.Addr())
		cfg.Username, cfg.Password = "small", "s3cret"
		return cfg
	}
	suites(t, config)

	t.Run("without INFO", func(t *testing.T) {
		t.Parallel()
		cfg := config(t)
		cfg.Username = "blind"
		wantRefused(t, cfg, "ACL SETUSER blind +info")
	})
	t.Run("without transactions", func(t *testing.T) {
		t.Parallel()
		cfg := config(t)
		cfg.Username = "hasty"
		wantRefused(t, cfg, "ACL SETUSER hasty +@transaction")
	})
	t.Run("another namespace", func(t *testing.T) {
		t.Parallel()
		cfg := config(t)
		cfg.Namespace = "other"
		wantRefused(t, cfg, "NOPERM")
	})
}

func TestOnSentinel(t *testing.T) { //nolint:tparallel // one after the other: the failover is for the end
	t.Parallel()
	sentinel := testenv.StartSentinelFor(t)
	config := func(t *testing.T) redis.Config {
		cfg := testConfig(t, sentinel.Addrs()...)
		cfg.SentinelMaster = sentinel.MasterName()
		return cfg
	}
	// In a group, so that all of them are over by the failover.
	t.Run("before", func(t *testing.T) { suites(t, config) })
	t.Run("failover", func(t *testing.T) { countOverFailover(t, sentinel, open(t, config(t))) })
}

// countOverFailover counts an account up while the master dies. Replication is
// asynchronous: what the replica had not got is gone, with its position, and is
// counted again from there. Nothing is lost, nothing counts twice.
func countOverFailover(t *testing.T, sentinel *testenv.Sentinel, s *redis.Store) {
	const total = 400
	half := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		<-half
		if err := sentinel.Failover(); err != nil {
			t.Error(err)
		}
	})
	signal := sync.OnceFunc(func() { close(half) })
	defer wg.Wait()
	defer signal()
	in := engine.Partition{Topic: "in"}
	for t.Context().Err() == nil {
		positions, err := s.Positions(t.Context())
		if err != nil {
			continue // no master yet; the calls wait between their own repeats
		}
		at := positions[0][in]
		if at >= total/2 {
			signal()
		}
		if at >= total {
			break
		}
		records, err := s.Load(t.Context(), engine.Wanted{Accounts: []string{"a"}})
		if err != nil {
			continue
		}
		s.Commit(t.Context(), []engine.Step{{
			Moves:  []engine.Move{{Partition: in, From: at, To: at + 1}},
			Writes: []engine.Write{{Account: "a", Was: records[0].Version, State: []byte(strconv.FormatInt(at+1, 10)), Due: engine.KeepDue}},
		}})
	}
	wg.Wait() // the account must be there on the new master too
	records, err := s.Load(t.Context(), engine.Wanted{Accounts: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	positions, err := s.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r := records[0]; string(r.State) != strconv.FormatInt(positions[0][in], 10) || r.Version != uint64(positions[0][in]) {
		t.Errorf("after the failover: state %s version %d at position %d", r.State, r.Version, positions[0][in])
	}
}
