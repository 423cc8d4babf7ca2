package engine

import "context"

// Settled is the offset before which nothing of a partition is read again, whatever
// happens: every shard stands at it or past it.
func (e *Engine) Settled(p Partition) int64 {
	low, moved, missing := e.lowest(p)
	if missing || !moved {
		return 0
	}
	return low
}

// Retry does what the store may refuse for a while, as the engine does its own: until
// it succeeds, ctx ends or the error says of itself that no repeat can help.
func (e *Engine) Retry(ctx context.Context, what string, f func() error) error {
	return e.retry(ctx, what, f)
}
