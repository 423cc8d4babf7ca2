package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// ErrNoNamespace is returned by Look where no namespace was made yet: run `serve` first,
// or look at the right one.
var ErrNoNamespace = errors.New("nothing is stored under this namespace")

// Look opens a namespace to look at it: nothing is checked, made or claimed, so a server
// that Open refuses can be looked at too. The live generation is taken as it is.
func Look(ctx context.Context, cfg Config, log zerolog.Logger) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, refused(err)
	}
	cfg.AnyShards = true
	s := newStore(cfg, log)
	err := s.choose(ctx)
	if err == nil {
		var stored int
		if stored, err = s.shardsOf(ctx, s.keys.generation); err == nil && stored == 0 {
			err = fmt.Errorf("namespace %q: %w", cfg.Namespace, ErrNoNamespace)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("look at redis: %w", err), s.Close())
	}
	return s, nil
}

// Waiting is how many entries all outboxes hold, and the age of the oldest in
// milliseconds, by the server's own clock: entries carry the instant of their step.
func (s *Store) Waiting(ctx context.Context) (entries, oldest int64, err error) {
	lengths := make([]*goredis.IntCmd, s.Shards())
	firsts := make([]*goredis.XMessageSliceCmd, s.Shards())
	err = s.pipe(ctx, "look at outboxes", func(p goredis.Pipeliner) {
		for i, k := range s.keys.shards {
			lengths[i] = p.XLen(ctx, k.outbox)
			firsts[i] = p.XRangeN(ctx, k.outbox, "-", "+", 1)
		}
	})
	if err != nil {
		return 0, 0, err
	}
	now := s.serverTime(ctx)
	for i := range firsts {
		entries += lengths[i].Val()
		for _, m := range firsts[i].Val() {
			at, _, _ := strings.Cut(m.ID, "-")
			ms, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				return 0, 0, fmt.Errorf("look at outboxes: entry %q has no instant", m.ID)
			}
			oldest = max(oldest, now-ms)
		}
	}
	return entries, oldest, nil
}

// serverTime is the server's clock, Unix milliseconds. INFO tells it, which our user may
// call where TIME is forbidden; without it, it is this machine's clock.
func (s *Store) serverTime(ctx context.Context) int64 {
	info, err := s.client.Info(ctx, "server").Result()
	micros, bad := strconv.ParseInt(infoField(info, "server_time_usec"), 10, 64)
	if err != nil || bad != nil {
		return time.Now().UnixMilli()
	}
	return micros / 1000
}

// Stored is how long ago a step took effect last, in milliseconds, by the clock of who
// made it; false where none did. A shard's token names who committed last, and when.
func (s *Store) Stored(ctx context.Context) (ago int64, known bool, err error) {
	tokens := make([]*goredis.StringCmd, s.Shards())
	err = s.pipe(ctx, "look at tokens", func(p goredis.Pipeliner) {
		for i, k := range s.keys.shards {
			tokens[i] = p.Get(ctx, k.token)
		}
	})
	if err != nil {
		return 0, false, err
	}
	latest := int64(0)
	for _, token := range tokens {
		if part := strings.Split(strings.TrimSuffix(token.Val(), "!"), ":"); len(part) == 3 {
			made, _ := strconv.ParseInt(part[2], 10, 64) // 0 is none
			latest = max(latest, made)
		}
	}
	if latest == 0 {
		return 0, false, nil
	}
	return max(s.serverTime(ctx)-latest, 0), true, nil
}
