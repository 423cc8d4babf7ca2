package app

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"tidemark/pkg/store/redis"
)

// servers answers as it is told.
type roomOf struct {
	servers []redis.Memory
	err     error
}

func (r *roomOf) Memory(context.Context) ([]redis.Memory, error) { return r.servers, r.err }

func TestRoomInRedisIsShownAsLongAsItIsKnown(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	of := &roomOf{servers: []redis.Memory{
		{Addr: "a:1", Used: 10, Limit: 100, Policy: "noeviction"}, {Addr: "b:1", Used: 20, Limit: 30, Policy: "allkeys-lru"}, {Addr: "c:1", Used: -1, Limit: -1},
	}}
	r := &redisRoom{store: of, log: zerolog.New(&log)}
	want := func(text string) {
		t.Helper()
		r.look(t.Context())
		if err := testutil.CollectAndCompare(r, strings.NewReader(text), "tidemark_redis_memory_used_bytes", "tidemark_redis_may_evict"); err != nil {
			t.Error(err)
		}
	}
	full := `
# HELP tidemark_redis_may_evict 1 where a Redis server's maxmemory-policy is not noeviction: when it is full it drops scores without a word.
# TYPE tidemark_redis_may_evict gauge
tidemark_redis_may_evict{server="a:1"} 0
tidemark_redis_may_evict{server="b:1"} 1
# HELP tidemark_redis_memory_used_bytes Memory that a Redis server uses, as it says. Every instance shows all servers: take the max.
# TYPE tidemark_redis_memory_used_bytes gauge
tidemark_redis_memory_used_bytes{server="a:1"} 10
tidemark_redis_memory_used_bytes{server="b:1"} 20
`
	want(full)
	if n := testutil.CollectAndCount(r, "tidemark_redis_memory_limit_bytes"); n != 2 {
		t.Errorf("%d limits, want those of a and b", n)
	}
	of.err = errors.New("gone")
	want("")
	want("")
	of.err = nil
	want(full)
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("got the log %q, want one line", log.String())
	}
}
