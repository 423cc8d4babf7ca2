package app

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// waker tells other instances, off the lanes' path, that the outbox of a shard of
// theirs has something. Best effort: their relays look by themselves too.
type waker struct {
	wake func(ctx context.Context, shard int) error
	log  zerolog.Logger
	kick chan struct{}

	mu     sync.Mutex // guards shards; nothing is called while it is held
	shards map[int]bool
}

func newWaker(wake func(context.Context, int) error, log zerolog.Logger) *waker {
	return &waker{wake: wake, log: log, kick: make(chan struct{}, 1), shards: map[int]bool{}}
}

// Add notes a shard. It never blocks.
func (w *waker) Add(shard int) {
	w.mu.Lock()
	w.shards[shard] = true
	w.mu.Unlock()
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// Run passes on what was added until ctx ends.
func (w *waker) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.kick:
		}
		w.mu.Lock()
		shards := w.shards
		w.shards = map[int]bool{}
		w.mu.Unlock()
		for s := range shards {
			w.tell(ctx, s)
		}
	}
}

func (w *waker) tell(ctx context.Context, shard int) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := w.wake(ctx, shard); err != nil {
		w.log.Debug().Err(err).Int("shard", shard).Msg("relay not woken")
	}
}
