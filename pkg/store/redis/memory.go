package redis

import (
	"context"

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
	return eachMaster(ctx, s, func(ctx context.Context, server goredis.Cmdable, addr string) (Memory, error) {
		m, err := s.memory(ctx, server)
		m.Addr = addr
		return m, err
	})
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
