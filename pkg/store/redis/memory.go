package redis

import (
	"context"
	"fmt"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// Memory is how much room a server has, and whether it makes some by dropping scores.
type Memory struct {
	Addr string
	// Used, and what is the most: maxmemory, else the machine's memory. -1 where
	// the server does not tell.
	Used, Limit int64
	Policy      string // maxmemory-policy, empty where the server does not tell
}

// Memory asks every master. It needs no right but INFO.
func (s *Store) Memory(ctx context.Context) ([]Memory, error) {
	cluster, clustered := s.client.(*goredis.ClusterClient)
	if !clustered {
		m, err := s.memory(ctx, s.client)
		m.Addr = strings.Join(s.cfg.Addrs, ",")
		return []Memory{m}, err
	}
	var (
		mu  sync.Mutex // ForEachMaster calls from several goroutines
		out []Memory
	)
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
		m, err := s.memory(ctx, node)
		if err != nil {
			return fmt.Errorf("node %s: %w", node.Options().Addr, err)
		}
		m.Addr = node.Options().Addr
		mu.Lock()
		defer mu.Unlock()
		out = append(out, m)
		return nil
	})
	return out, err
}

// memory asks one server, once: who asks does so again anyway.
func (s *Store) memory(ctx context.Context, server goredis.Cmdable) (Memory, error) {
	info, err := server.Info(ctx, "memory").Result()
	if err != nil {
		return Memory{}, &Error{Op: "ask redis for its memory", Class: Classify(err), Err: err}
	}
	m := Memory{Used: number(info, "used_memory"), Limit: number(info, "maxmemory"), Policy: infoField(info, "maxmemory_policy")}
	if m.Limit == 0 {
		m.Limit = number(info, "total_system_memory")
	}
	return m, nil
}
