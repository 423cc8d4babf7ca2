package testenv

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"
)

// StartRedisFor starts a Redis that is stopped when the test ends. At most one
// option may be given. It ends the test if the server does not start.
func StartRedisFor(t testing.TB, opts ...RedisOptions) *Redis {
	t.Helper()
	r, err := StartRedis(only(t, opts))
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, r)
	return r
}

// StartKafkaFor starts a Kafka that is stopped when the test ends. At most one
// option may be given. It ends the test if the server does not start. Most
// tests are better served by a Shared one and topics of their own.
func StartKafkaFor(t testing.TB, opts ...KafkaOptions) *Kafka {
	t.Helper()
	k, err := StartKafka(only(t, opts))
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, k)
	return k
}

func only[O any](t testing.TB, opts []O) O {
	t.Helper()
	var o O
	switch len(opts) {
	case 0:
	case 1:
		o = opts[0]
	default:
		t.Fatalf("got %d options, want at most one", len(opts))
	}
	return o
}

func stopAtEnd(t testing.TB, s interface{ Stop() error }) {
	t.Helper()
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// Name makes a name that is unique on a shared server and tells where it comes
// from: base, the test's name and random digits. It is legal as a Kafka topic,
// as a consumer group and in a Redis key.
func Name(t testing.TB, base string) string {
	t.Helper()
	test := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name())
	const longest = 150 // Kafka's limit is 249 for the whole
	test = test[:min(len(test), longest)]
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails: it ends the process instead
	return base + "-" + test + "-" + hex.EncodeToString(id[:])
}

// StartRedisClusterFor starts three masters that are stopped when the test ends.
func StartRedisClusterFor(t testing.TB) *RedisCluster {
	t.Helper()
	c, err := StartRedisCluster(3)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, c)
	return c
}

// StartSentinelFor starts a watched master and replica that are stopped when the test ends.
func StartSentinelFor(t testing.TB) *Sentinel {
	t.Helper()
	s, err := StartSentinel()
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, s)
	return s
}
