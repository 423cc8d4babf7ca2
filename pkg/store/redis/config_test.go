package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"nothing", func(*Config) {}, ""},
		{"no address", func(c *Config) { c.Addrs = nil }, "redis.addrs: is empty"},
		{"no port", func(c *Config) { c.Addrs = []string{"a:1", "b"} }, `redis.addrs[1]: "b" is not host:port`},
		{"cluster and sentinel", func(c *Config) { c.Cluster, c.SentinelMaster = true, "m" }, `redis.sentinel_master: "m"`},
		{"credentials for no sentinel", func(c *Config) { c.SentinelPassword = "x" }, "redis.sentinel_master: is empty"},
		{"user without password", func(c *Config) { c.Username = "u" }, "redis.password: is empty"},
		{"braces", func(c *Config) { c.Namespace = "a{b}" }, `namespace: "a{b}"`},
		{"colon", func(c *Config) { c.Namespace = "a:b" }, `namespace: "a:b"`},
		{"no namespace", func(c *Config) { c.Namespace = "" }, `namespace: ""`},
		{"no shards", func(c *Config) { c.Shards = 0 }, "redis.shards: 0"},
		{"many shards", func(c *Config) { c.Shards = maxShards + 1 }, "redis.shards: 4097"},
		{"no connections", func(c *Config) { c.PoolSize = 0 }, "redis.pool_size: 0"},
		{"negative retries", func(c *Config) { c.Retries = -1 }, "redis.retries: -1"},
		{"no dial time-out", func(c *Config) { c.DialTimeout = 0 }, "redis.dial_timeout: 0s"},
		{"no read time-out", func(c *Config) { c.ReadTimeout = -1 }, "redis.read_timeout: -1ns"},
		{"no write time-out", func(c *Config) { c.WriteTimeout = 0 }, "redis.write_timeout: 0s"},
		{"no pool time-out", func(c *Config) { c.PoolTimeout = 0 }, "redis.pool_timeout: 0s"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := DefaultConfig()
			c.Addrs = []string{"localhost:6379"}
			row.change(&c)
			err := c.Validate()
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// reply is an error reply as the server words it.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		err   error
		want  Class
		heals bool
	}{
		{nil, None, false},
		{reply("LOADING Redis is loading the dataset in memory"), Loading, true},
		{reply("READONLY You can't write against a read only replica."), ReadOnly, true},
		{reply("CLUSTERDOWN The cluster is down"), ClusterDown, true},
		{reply("MOVED 3999 127.0.0.1:6381"), Moved, true},
		{reply("TRYAGAIN Multiple keys request during rehashing of slot"), TryAgain, true},
		{reply("MASTERDOWN Link with MASTER is down"), MasterDown, true},
		{reply("NOREPLICAS Not enough good replicas to write."), NoReplicas, true},
		{reply("OOM command not allowed when used memory > 'maxmemory'."), OutOfMemory, true},
		{reply("MISCONF Errors writing to the AOF file"), Misconf, true},
		{reply("BUSY Redis is busy running a script."), Busy, true},
		{reply("BUSYKEY Target key name already exists."), Other, false},
		{reply("ERR max number of clients reached"), MaxClients, true},
		{reply("NOSCRIPT No matching script."), NoScript, true},
		{reply("NOAUTH Authentication required."), Auth, false},
		{reply("WRONGPASS invalid username-password pair"), Auth, false},
		{reply("NOPERM User x has no permissions"), Auth, false},
		{reply("WRONGTYPE Operation against a key"), WrongType, false},
		{reply("ERR syntax error"), Other, false},
		{goredis.TxFailedErr, TryAgain, true},
		{goredis.ErrClosed, Closed, false},
		{goredis.ErrPoolTimeout, PoolTimeout, true},
		{context.Canceled, Canceled, false},
		{context.DeadlineExceeded, Timeout, true},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, Timeout, true},
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, Connection, true},
		{io.EOF, Connection, true},
		{&tls.CertificateVerificationError{Err: errors.New("x")}, TLS, false},
		{&Error{Op: "x", Class: Other, Err: errors.New("x")}, Other, false},
	} {
		if row.err != nil {
			row.err = fmt.Errorf("wrapped: %w", row.err)
		}
		got := Classify(row.err)
		if got != row.want || got.Heals() != row.heals {
			t.Errorf("%v: got %q (heals %t), want %q (heals %t)", row.err, got, got.Heals(), row.want, row.heals)
		}
	}
}

// TestAliasBuckets holds the function fixed: it is part of what is stored.
func TestAliasBuckets(t *testing.T) {
	t.Parallel()
	k := newKeys("tm", 1, 64)
	for domain, want := range map[string]int{"": 5, "acme.example": 51, "example.com": 38, "ü.example": 34} {
		if got := k.aliasBucket(domain); got != want {
			t.Errorf("%q: got bucket %d, want %d", domain, got, want)
		}
	}
	if got, want := k.shards[17].accounts, "tm:{017}:accounts"; got != want {
		t.Errorf("got key %s, want %s", got, want)
	}
}
