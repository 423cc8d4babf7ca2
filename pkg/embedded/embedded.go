// Package embedded runs a Kafka and a Redis inside this process, for the demo and
// for tests: franz-go's kfake and miniredis, on free ports of the loopback
// interface. They speak the real protocols, so the real clients and command-line
// tools work against them.
//
// Nothing is durable: what they hold is gone with the process. `serve` refuses them.
package embedded

import (
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Servers are the servers that run.
type Servers struct {
	kafka *kfake.Cluster
	redis *miniredis.Miniredis
}

// Start starts both, with these topics of so many partitions each. Whoever starts
// them closes them.
func Start(topics []string, partitions int) (*Servers, error) {
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(int32(partitions), topics...))
	if err != nil {
		return nil, fmt.Errorf("start the in-process Kafka: %w", err)
	}
	redis := miniredis.NewMiniRedis()
	redis.ClockTTL(true) // leases must run out by themselves
	if err := redis.StartAddr("127.0.0.1:0"); err != nil {
		kafka.Close()
		return nil, fmt.Errorf("start the in-process Redis: %w", err)
	}
	return &Servers{kafka, redis}, nil
}

// Kafka is the address of the broker.
func (s *Servers) Kafka() string { return s.kafka.ListenAddrs()[0] }

// Redis is the host and port of the Redis.
func (s *Servers) Redis() (host, port string) { return s.redis.Host(), s.redis.Port() }

// Close ends both servers and everything they hold.
func (s *Servers) Close() {
	s.redis.Close()
	s.kafka.Close()
}
