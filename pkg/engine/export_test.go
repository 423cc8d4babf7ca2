package engine

import "context"

// Cached is how many decoded accounts are in memory.
func (e *Engine) Cached() (n int) {
	for _, l := range e.lanes {
		n += l.kept()
	}
	return n
}

// Learn has the engine know of the merges that others did.
func (e *Engine) Learn(ctx context.Context) error { return e.learn(ctx) }
