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
	if err := b.eachMaster(ctx, remove); err != nil {
		return fmt.Errorf("remove the bench's keys: %w", err)
	}
	return nil
}

// eachMaster does something with each server that holds keys.
func (b *bench) eachMaster(ctx context.Context, do func(context.Context, redis.UniversalClient) error) error {
	if cluster, ok := b.redis.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return do(ctx, c) })
	}
	return do(ctx, b.redis)
}

// freed waits until a server has given back the memory of what was removed: it does so
// beside its work, and millions of accounts take a while.
func freed(ctx context.Context, c redis.UniversalClient) error {
	for {
		left, err := infoFigure(ctx, c, "memory", "lazyfree_pending_objects")
		if left == 0 || err != nil {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// A server has written what it was given to its disk when for a while no fsync waits:
// one is begun every second.
const (
	syncedFor  = 2500 * time.Millisecond
	syncedLook = 100 * time.Millisecond
	syncLimit  = 5 * time.Minute
)

// synced waits until what was written at full speed is on the disk: until then a server
// holds up whoever writes to it. One without an append-only file has nothing to wait for.
func synced(ctx context.Context, c redis.UniversalClient) error {
	ctx, cancel := context.WithTimeoutCause(ctx, syncLimit, fmt.Errorf("redis has not written its append-only file within %s", syncLimit))
	defer cancel()
	for calm := time.Duration(0); calm < syncedFor; calm += syncedLook {
		waiting, err := infoFigure(ctx, c, "persistence", "aof_pending_bio_fsync")
		if errors.Is(err, errNoFigure) {
			return nil
		}
		if err != nil {
			return err
		}
		if waiting > 0 {
			calm = 0
		}
		if err := pause(ctx, syncedLook); err != nil {
			return err
		}
	}
	return nil
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
	return infoFigure(ctx, c, "memory", "used_memory")
}

// errNoFigure says that a server's INFO lacks a figure.
var errNoFigure = errors.New("not in INFO")

// infoFigure is a number of a section of a server's INFO.
func infoFigure(ctx context.Context, c redis.UniversalClient, section, name string) (float64, error) {
	info, err := c.Info(ctx, section).Result()
	if err != nil {
		return 0, fmt.Errorf("%s of redis: %w", section, err)
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("%s of redis: %s: %w", section, name, errNoFigure)
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
