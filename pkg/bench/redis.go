package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"tidemark/pkg/app"
)

// openRedis makes a plain client beside the program's own.
func (b *bench) openRedis() (redis.UniversalClient, error) {
	c := b.opts.Config.Redis
	password, err := c.ReadPassword()
	if err != nil {
		return nil, err
	}
	sentinelPassword := c.SentinelPassword.Reveal()
	tls, err := c.ClientTLS()
	if err != nil {
		return nil, err
	}
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: c.Addrs, MasterName: c.SentinelMaster, SentinelUsername: c.SentinelUsername, SentinelPassword: sentinelPassword,
		Username: c.Username, Password: password.Reveal(), TLSConfig: tls,
	}), nil
}

// removeKeys deletes the keys of a namespace.
func (b *bench) removeKeys(ctx context.Context, namespace string) error {
	remove := func(ctx context.Context, c redis.UniversalClient) error {
		keys := c.Scan(ctx, 0, namespace+":*", 1000).Iterator()
		for keys.Next(ctx) {
			if err := c.Unlink(ctx, keys.Val()).Err(); err != nil {
				return err
			}
		}
		if err := keys.Err(); err != nil {
			return err
		}
		return freed(ctx, c)
	}
	var err error
	if cluster, ok := b.redis.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return remove(ctx, c) })
	} else {
		err = remove(ctx, b.redis)
	}
	if err != nil {
		return fmt.Errorf("remove the bench's keys: %w", err)
	}
	return nil
}

// freed waits until a server has given back the memory of what was removed: it does so
// beside its work, and millions of accounts take a while.
func freed(ctx context.Context, c redis.UniversalClient) error {
	for {
		left, err := memoryFigure(ctx, c, "lazyfree_pending_objects")
		if left == 0 || err != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// usedMemory is what all masters have allocated, in bytes.
func (b *bench) usedMemory(ctx context.Context) (float64, error) {
	if cluster, ok := b.redis.(*redis.ClusterClient); ok {
		used := make(chan float64, 1)
		used <- 0
		err := cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
			n, err := usedMemory(ctx, c)
			used <- <-used + n
			return err
		})
		return <-used, err
	}
	return usedMemory(ctx, b.redis)
}

func usedMemory(ctx context.Context, c redis.UniversalClient) (float64, error) {
	return memoryFigure(ctx, c, "used_memory")
}

// memoryFigure is a number of a server's INFO memory.
func memoryFigure(ctx context.Context, c redis.UniversalClient, name string) (float64, error) {
	info, err := c.Info(ctx, "memory").Result()
	if err != nil {
		return 0, fmt.Errorf("memory of redis: %w", err)
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("memory of redis: no %s in INFO", name)
}

// waiting is what a deployment still has to do by itself: tier changes to publish, and
// shards with accounts that were due by now.
func (b *bench) waiting(ctx context.Context, d *deployment) (outbox int64, due int, err error) {
	store, err := app.OpenStore(ctx, d.cfg, false, zerolog.Nop())
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	now := time.Now().UnixMilli()
	shards := make([]int, store.Shards())
	for i := range shards {
		shards[i] = i
	}
	next, err := store.NextDue(ctx, shards)
	if err != nil {
		return 0, 0, err
	}
	for _, at := range next {
		if at <= now {
			due++
		}
	}
	// Last: what was due is in the outbox by now.
	outbox, err = store.OutboxDepth(ctx)
	return outbox, due, err
}
