package app

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/store/redis"
)

// roomEvery is the time between two looks at the room in Redis.
const roomEvery = 10 * time.Second

var (
	descRedisUsed = prometheus.NewDesc("tidemark_redis_memory_used_bytes",
		"Memory that a Redis server uses, as it says. Every instance shows all servers: take the max.", []string{"server"}, nil)
	descRedisLimit = prometheus.NewDesc("tidemark_redis_memory_limit_bytes",
		"Memory that a Redis server may use: its maxmemory, or its machine's memory where that is not set. Full, it refuses writes.", []string{"server"}, nil)
	descRedisEvicts = prometheus.NewDesc("tidemark_redis_may_evict",
		"1 where a Redis server's maxmemory-policy is not noeviction: when it is full it drops scores without a word.", []string{"server"}, nil)
)

// redisRoom watches how much room the servers of Redis have, and that none makes room
// by dropping keys: serve refuses such a one when it starts, but the policy can be
// changed later.
type redisRoom struct {
	store interface {
		Memory(ctx context.Context) ([]redis.Memory, error)
	}
	log zerolog.Logger

	mu      sync.Mutex // guards servers
	servers []redis.Memory
	blind   bool // Run's alone: the latest look failed
}

func newRedisRoom(s *redis.Store, r prometheus.Registerer, log zerolog.Logger) *redisRoom {
	room := &redisRoom{store: s, log: log}
	r.MustRegister(room)
	return room
}

// Run looks until ctx ends. A look that fails is told once; there are no figures then,
// rather than old ones.
func (r *redisRoom) Run(ctx context.Context) error {
	ticker := time.NewTicker(roomEvery)
	defer ticker.Stop()
	for {
		r.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (r *redisRoom) look(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, roomEvery)
	defer cancel()
	servers, err := r.store.Memory(limited)
	if err != nil {
		servers = nil
		if !r.blind && ctx.Err() == nil {
			r.log.Warn().Err(err).Msg("the memory of redis cannot be seen, trying again")
		}
	}
	r.blind = err != nil
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers = servers
}

// Describe implements prometheus.Collector.
func (r *redisRoom) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRedisUsed, descRedisLimit, descRedisEvicts} {
		to <- d
	}
}

// Collect implements prometheus.Collector. What a server does not tell is left out.
func (r *redisRoom) Collect(to chan<- prometheus.Metric) {
	r.mu.Lock()
	servers := r.servers
	r.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, server string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, server)
	}
	for _, s := range servers {
		if s.Used >= 0 {
			gauge(descRedisUsed, float64(s.Used), s.Addr)
		}
		if s.Limit > 0 {
			gauge(descRedisLimit, float64(s.Limit), s.Addr)
		}
		switch s.Policy {
		case "":
		case "noeviction":
			gauge(descRedisEvicts, 0, s.Addr)
		default:
			gauge(descRedisEvicts, 1, s.Addr)
		}
	}
}
