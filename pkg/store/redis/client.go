package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// newClient connects lazily: the first call dials.
func newClient(c Config, onConnect func(context.Context, *goredis.Conn) error) goredis.UniversalClient {
	return goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs:            c.Addrs,
		IsClusterMode:    c.clustered(),
		MasterName:       c.SentinelMaster,
		SentinelUsername: c.SentinelUsername,
		SentinelPassword: c.SentinelPassword,
		Username:         c.Username,
		Password:         c.Password,
		TLSConfig:        c.TLS,
		Dialer:           c.Dialer,
		OnConnect:        onConnect,
		ClientName:       "tidemark",

		// go-redis would resend a whole pipeline without telling: repeats are ours.
		MaxRetries:            -1,
		MinRetryBackoff:       8 * time.Millisecond, // between redirects of a cluster
		MaxRetryBackoff:       128 * time.Millisecond,
		DialerRetries:         1,
		ContextTimeoutEnabled: true,
		DialTimeout:           c.DialTimeout,
		ReadTimeout:           c.ReadTimeout,
		WriteTimeout:          c.WriteTimeout,
		PoolTimeout:           c.PoolTimeout,
		PoolSize:              c.PoolSize,
		PipelinePoolSize:      c.PoolSize,

		// RESP3 is for what servers send unasked, which we have none of: go-redis would look for
		// it before each reply.
		Protocol: 2,

		// Two round trips less for each new connection.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}
