// Package together does in one go what several goroutines ask for at the same moment.
//
// It is for calls over the network: alone each would have a request of its own, and
// where many ask for little, requests are most of the work. Nobody waits for company: who
// comes while few are under way goes at once, and who comes meanwhile goes with all
// others that have come by then.
//
// The API is internal to Tidemark and may change.
package together

import (
	"context"
	"runtime"
	"sync"
)

// Group does pieces of work. Do must be set before the first one.
type Group[T any] struct {
	// Do does some pieces of work. ctx is that of the first one's caller. Several calls
	// may be under way at once.
	Do func(ctx context.Context, some []*T)
	// Abreast is how many calls of Do may be under way at once; 0: one.
	Abreast int
	// Joined: who comes at the very moment at which another one begins goes along with it,
	// even where more calls could be under way.
	Joined bool

	mu      sync.Mutex // guards what follows; nothing blocks while it is held
	under   int        // calls under way
	begins  bool       // one of them is about to take those that wait along
	waiting []*piece[T]
}

// piece is a piece of work that waits.
type piece[T any] struct {
	work *T
	told chan []*piece[T] // those for whom to go, of whom it is the first; nil: it is done
}

// Take returns when a call of Do with the work is over.
func (g *Group[T]) Take(ctx context.Context, work *T) {
	p := &piece[T]{work: work, told: make(chan []*piece[T], 1)}
	if g.first(p) {
		runtime.Gosched() // those who come at this moment go along
		g.lead(ctx, append([]*piece[T]{p}, g.rest()...))
	} else if some := <-p.told; some != nil {
		g.lead(ctx, some)
	}
}

// first says whether the piece may go at once. If not, it waits.
func (g *Group[T]) first(p *piece[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.under < max(g.Abreast, 1) && (!g.begins || !g.Joined) {
		g.under++
		g.begins = true
		return true
	}
	g.waiting = append(g.waiting, p)
	return false
}

// rest are those that wait.
func (g *Group[T]) rest() []*piece[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	rest := g.waiting
	g.waiting, g.begins = nil, false
	return rest
}

// lead does the work of some, the first of whom is the caller.
func (g *Group[T]) lead(ctx context.Context, some []*piece[T]) {
	defer func() {
		g.over()
		for _, p := range some[1:] {
			p.told <- nil
		}
	}()
	works := make([]*T, len(some))
	for i, p := range some {
		works[i] = p.work
	}
	g.Do(ctx, works)
}

// over ends a call, and sends those who wait on their way.
func (g *Group[T]) over() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.under--
		return
	}
	g.waiting[0].told <- g.waiting
	g.waiting = nil
}
