package redis_test

import (
	"testing"

	"tidemark/deploy/testenv"
	"tidemark/pkg/store/redis"
)

// A user who may not ask, and a bound that is set and taken away while all runs.
func TestMemoryIsAsTheServerTells(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t)
	do := func(args ...string) {
		t.Helper()
		if _, err := r.Do(args...); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, testConfig(t, r.Addr()))
	look := func() redis.Memory {
		t.Helper()
		all, err := s.Memory(t.Context())
		if err != nil || len(all) != 1 || all[0].Addr != r.Addr() || all[0].Used <= 0 {
			t.Fatalf("got %+v, %v", all, err)
		}
		return all[0]
	}
	if m := look(); m.Limit < 1<<30 || m.Policy != "noeviction" {
		t.Errorf("got %+v, want the machine's memory and no eviction", m)
	}
	do("CONFIG", "SET", "maxmemory", "123456789")
	do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	if m := look(); m.Limit != 123456789 || m.Policy != "allkeys-lru" {
		t.Errorf("got %+v, want what was set", m)
	}
	do("ACL", "SETUSER", "default", "-info")
	if all, err := s.Memory(t.Context()); err == nil {
		t.Errorf("got %+v, want a refusal", all)
	}
	do("ACL", "SETUSER", "default", "+info")
}
