package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/failpoint"
)

// Between repeats: long enough to let a server breathe, short beside a failover.
const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = 500 * time.Millisecond
)

// try calls f, which must be safe to repeat, until it succeeds, fails for good,
// or has been repeated Config.Retries times.
func (s *Store) try(ctx context.Context, op string, f func() error) error {
	for tries := 0; ; tries++ {
		failpoint.Hit(failpoint.BeforeTrip)
		err := f()
		failpoint.Hit(failpoint.AfterTrip)
		if err == nil {
			return nil
		}
		class := Classify(err)
		if !s.again(ctx, class, tries) {
			return &Error{Op: op, Class: class, Err: err}
		}
	}
}

// pipe sends what fill adds in one round trip, as often as try says. A reply of
// nil is no error: fill's commands show it.
func (s *Store) pipe(ctx context.Context, op string, fill func(goredis.Pipeliner)) error {
	return s.try(ctx, op, func() error {
		p := s.client.Pipeline()
		fill(p)
		if p.Len() == 0 {
			return nil
		}
		cmds, err := p.Exec(ctx)
		if !errors.Is(err, goredis.Nil) {
			return err
		}
		return failure(cmds) // Exec returned the first error only
	})
}

// again waits before the next try, or says that there is none.
func (s *Store) again(ctx context.Context, class Class, tries int) bool {
	if !class.Heals() || tries >= s.cfg.Retries || ctx.Err() != nil {
		return false
	}
	s.stats.retried(class)
	// Of a node that is gone go-redis learns once a minute only, unless it is told.
	if cluster, ok := s.client.(*goredis.ClusterClient); ok && class != NoScript {
		cluster.ReloadState(ctx)
	}
	if class == NoScript {
		if err := s.scripts.load(ctx, s.client); err != nil {
			s.log.Warn().Err(err).Msg("scripts cannot be loaded") // the call itself will only say NOSCRIPT
		}
		return ctx.Err() == nil
	}
	wait := time.NewTimer(min(firstBackoff<<min(tries, 10), maxBackoff))
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-ctx.Done():
		return false
	}
}
