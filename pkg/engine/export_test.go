package engine

import "context"

// Cached is how many decoded accounts are in memory.
func (e *Engine) Cached() (n int) {
	for _, l := range e.lanes {
		n += l.kept()
	}
	return n
}

// EpochOf is the epoch that a state names.
func EpochOf(state []byte) uint64 {
	v, _, err := unwrap(state)
	if err != nil {
		panic(err)
	}
	return uint64(v.epoch)
}

// Learn has the engine know of the merges that others did.
func (e *Engine) Learn(ctx context.Context) error { return e.learn(ctx) }
