package redis

import (
	"context"
	"strconv"
	"sync"
)

// Wake tells all who listen that the shard's outbox has something. Best effort: a
// listener that is not connected misses it, so poll as well.
func (s *Store) Wake(ctx context.Context, shard int) error {
	if _, err := s.shard(shard); err != nil {
		return err
	}
	return s.try(ctx, "wake relays", func() error {
		return s.client.Publish(ctx, s.keys.wake(), shard).Err()
	})
}

// Wakes returns the shards that Wake names from now on. When the reader is slow
// and the channel full, further ones are dropped: the reader polls anyway. The
// function ends it, waits for the goroutine and may be called twice; the end of
// ctx ends it too. Either way the channel is closed.
func (s *Store) Wakes(ctx context.Context) (<-chan int, func()) {
	subscription := s.client.Subscribe(ctx, s.keys.wake())
	out := make(chan int, s.Shards())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(out)
		for message := range subscription.Channel() {
			shard, err := strconv.Atoi(message.Payload)
			if err != nil || shard < 0 || shard >= s.Shards() {
				continue
			}
			select {
			case out <- shard:
			default:
			}
		}
	}()
	end := sync.OnceFunc(func() { _ = subscription.Close() }) // it closes the channel above
	cancel := context.AfterFunc(ctx, end)
	return out, func() {
		cancel()
		end()
		<-ended
	}
}
