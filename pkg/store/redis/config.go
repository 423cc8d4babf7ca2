package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"time"
)

// Config says which Redis to use and how. Start from DefaultConfig.
type Config struct {
	// Addrs are host:port. One: a single server. Several: nodes of one Redis
	// Cluster. With SentinelMaster: the sentinels.
	Addrs []string
	// Cluster makes one address a cluster too (a configuration endpoint).
	Cluster bool

	// SentinelMaster is the name of the master to ask the sentinels for.
	SentinelMaster   string
	SentinelUsername string
	SentinelPassword string

	// Username and Password are of the ACL user; Username empty: the default user.
	Username string
	Password string
	// TLS is used for every connection, the sentinels' too. Nil: plain TCP.
	TLS *tls.Config

	// Namespace begins every key. Two deployments share a Redis by two namespaces.
	Namespace string
	// Generation is which state of the namespace to use. 0: the live one.
	Generation int
	// Shards is fixed when a generation is made.
	Shards int
	// AnyShards takes as many shards as an existing generation has, whatever
	// Shards says.
	AnyShards bool

	DialTimeout  time.Duration
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
	// PoolTimeout is how long a call waits for a free connection.
	PoolTimeout time.Duration
	// PoolSize is the number of connections to each server.
	PoolSize int
	// Retries is how often a call is repeated after an error that may heal,
	// before the error is returned.
	Retries int

	// Embedded is for the in-process server of the demo and of unit tests
	// (miniredis): the checks that it cannot answer are left out, and scripts go
	// without the shebang that it does not understand. Never set it for a Redis.
	Embedded bool
	// Dialer replaces the network, for in-process servers. Nil: the real one.
	Dialer func(ctx context.Context, network, addr string) (net.Conn, error)
}

// DefaultConfig is complete but for Addrs.
func DefaultConfig() Config {
	return Config{
		Namespace:    "tm",
		Shards:       64,
		DialTimeout:  2 * time.Second,
		ReadTimeout:  2 * time.Second,
		WriteTimeout: 2 * time.Second,
		PoolTimeout:  3 * time.Second,
		PoolSize:     16,
		Retries:      5,
	}
}

// maxShards keeps a walk over all shards (positions, outbox depth) one sensible pipeline.
const maxShards = 4096

// namespacePattern leaves out braces, which would move the hash tag, and colons,
// which part our keys.
var namespacePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$`)

// Validate reports every fault of c, each named by its setting.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(c.Addrs) == 0 {
		fault("redis.addrs: is empty; give one host:port, or several nodes of a cluster")
	}
	for i, addr := range c.Addrs {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			fault("redis.addrs[%d]: %q is not host:port", i, addr)
		}
	}
	if c.Cluster && c.SentinelMaster != "" {
		fault("redis.sentinel_master: %q cannot go with redis.cluster; a cluster fails over by itself", c.SentinelMaster)
	}
	if c.SentinelMaster == "" && (c.SentinelUsername != "" || c.SentinelPassword != "") {
		fault("redis.sentinel_master: is empty, but credentials for sentinels are set")
	}
	if c.Username != "" && c.Password == "" {
		fault("redis.password: is empty, but redis.username is %q", c.Username)
	}
	if !namespacePattern.MatchString(c.Namespace) {
		fault("namespace: %q is not 1 to 200 letters, digits, dots, dashes and underscores", c.Namespace)
	}
	if c.Shards < 1 || c.Shards > maxShards {
		fault("redis.shards: %d is not between 1 and %d", c.Shards, maxShards)
	}
	if c.PoolSize < 1 {
		fault("redis.pool_size: %d is not positive", c.PoolSize)
	}
	if c.Retries < 0 {
		fault("redis.retries: %d is negative", c.Retries)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"dial_timeout", c.DialTimeout},
		{"read_timeout", c.ReadTimeout},
		{"write_timeout", c.WriteTimeout},
		{"pool_timeout", c.PoolTimeout},
	} {
		if d.value <= 0 {
			fault("redis.%s: %s is not positive", d.name, d.value)
		}
	}
	return errors.Join(faults...)
}

// clustered is true when the settings mean a Redis Cluster.
func (c Config) clustered() bool {
	return c.SentinelMaster == "" && (c.Cluster || len(c.Addrs) > 1)
}
