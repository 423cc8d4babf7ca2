package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/store/redis"
	"tidemark/streams/conn"
	"tidemark/streams/sink"
)

// OpenStore opens the configured Redis. What can heal is tried again until ctx
// ends, told once; a refusal is returned.
func OpenStore(ctx context.Context, c config.Config, embedded bool, log zerolog.Logger) (*redis.Store, error) {
	settings, err := storeConfig(c, embedded)
	if err != nil {
		return nil, err
	}
	return openStore(ctx, c, settings, log)
}

// openStore is OpenStore with settings that say more than the configuration.
func openStore(ctx context.Context, c config.Config, settings redis.Config, log zerolog.Logger) (*redis.Store, error) {
	for attempt := 0; ; attempt++ {
		s, err := redis.Open(ctx, settings, log)
		switch {
		case err == nil:
			return s, nil
		case redis.Classify(err) == redis.Auth:
			return nil, fmt.Errorf("redis.addrs %v: %w: check redis.username and redis.password, and what the ACL user may do", c.Redis.Addrs, err)
		case errors.Is(err, redis.ErrRefused):
			return nil, fmt.Errorf("redis.addrs %v: %w", c.Redis.Addrs, err)
		}
		if attempt == 0 {
			log.Warn().Err(err).Strs("redis", c.Redis.Addrs).Msg("redis does not answer, trying again")
		}
		if !wait(ctx, attempt) {
			return nil, fmt.Errorf("redis.addrs %v: %w", c.Redis.Addrs, err)
		}
	}
}

func storeConfig(c config.Config, embedded bool) (redis.Config, error) {
	password, err := c.Redis.ReadPassword()
	if err != nil {
		return redis.Config{}, err
	}
	tls, err := c.Redis.ClientTLS()
	if err != nil {
		return redis.Config{}, err
	}
	out := redis.DefaultConfig()
	out.Addrs, out.SentinelMaster = c.Redis.Addrs, c.Redis.SentinelMaster
	out.SentinelUsername, out.SentinelPassword = c.Redis.SentinelUsername, c.Redis.SentinelPassword.Reveal()
	out.Username, out.Password, out.TLS = c.Redis.Username, password.Reveal(), tls
	out.Namespace, out.Shards, out.Embedded = c.Namespace, c.Redis.Shards, embedded
	out.ReadTimeout, out.WriteTimeout = c.Redis.Timeout, c.Redis.Timeout
	return out, nil
}

// KafkaConfig is how to reach the configured Kafka.
func KafkaConfig(c config.Config, topics []string) (conn.Config, error) {
	password, err := c.Kafka.SASL.ReadPassword()
	if err != nil {
		return conn.Config{}, err
	}
	tls, err := c.Kafka.ClientTLS()
	if err != nil {
		return conn.Config{}, err
	}
	return conn.Config{
		Brokers: c.Kafka.Brokers, ClientID: "tidemark", Topics: topics,
		Security: conn.Security{
			TLS: tls, SASLMechanism: c.Kafka.SASL.Mechanism, Username: c.Kafka.SASL.Username, Password: password.Reveal(),
		},
	}, nil
}

// reach connects to Kafka for a command that works on one topic; absent is the error
// where that is not there. A person waits: what does not answer now is said, not waited for.
func reach(ctx context.Context, c config.Config, topic string, absent error, others ...string) (*conn.Transport, error) {
	kafka, err := KafkaConfig(c, append([]string{topic}, others...))
	if err != nil {
		return nil, err
	}
	transport, err := conn.NewTransport(kafka)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	missing, err := sink.NewTopics(transport, 0).Check(ctx, []string{topic})
	if err == nil && len(missing) > 0 {
		err = absent
	}
	if err != nil {
		transport.Close()
		return nil, fmt.Errorf("kafka.brokers %v: %w", c.Kafka.Brokers, err)
	}
	return transport, nil
}

// wait pauses before another attempt, longer each time; false when ctx ended.
func wait(ctx context.Context, attempt int) bool {
	timer := time.NewTimer(min(100*time.Millisecond<<min(attempt, 6), 5*time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
