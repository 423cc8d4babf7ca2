package desk

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"tidemark/pkg/store"
)

// Gate is the outbox of a desk as it is published from. It is open from the moment that
// Begin held the desk against what was published, and shuts by itself when the store
// was set back since: nothing leaves it under an id that was published with another
// meaning. Its methods may be called by several goroutines; entries are let out to one.
type Gate struct {
	store Store
	ends  func(context.Context) (map[int]int64, error)

	mu   sync.Mutex // guards what follows; not held while anything waits
	open bool
	mark string // that the store is known to have
	next string // that it has if an answer was lost
	lent []store.Entry
	// back is closed when the store was found set back.
	back chan struct{}
}

// NewGate makes a Gate that is shut. Ends are those of the published log now, by
// partition.
func NewGate(s Store, ends func(context.Context) (map[int]int64, error)) *Gate {
	return &Gate{store: s, ends: ends}
}

// ErrSetBack is what a tenure ends with whose Gate shut itself. Begin again.
var ErrSetBack = errors.New("the desk was set back behind what was published of it")

// Open opens the gate on a desk that has this mark. What it returns is closed when the
// store is found set back.
func (g *Gate) Open(mark string) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.mark, g.next, g.lent, g.back = true, mark, "", nil, make(chan struct{})
	return g.back
}

// Shut shuts the gate.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = false
}

// Lent is what was let out and is not known to be trimmed: it may be published.
func (g *Gate) Lent() []store.Entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lent
}

// setBack shuts the gate, as the store was set back.
func (g *Gate) setBack() {
	g.open = false
	close(g.back)
}

// Outbox are the oldest events that wait, none while the gate is shut.
func (g *Gate) Outbox(ctx context.Context, limit int) ([]store.Entry, error) {
	if !g.isOpen() {
		return nil, nil
	}
	entries, mark, err := g.store.DeskOutbox(ctx, "", limit)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		return nil, nil
	}
	if mark == g.next && mark != "" {
		g.mark, g.next, g.lent = mark, "", nil
	}
	if mark != g.mark || !begins(entries, g.lent, limit) {
		g.setBack()
		return nil, nil
	}
	g.lent = entries
	return entries, nil
}

// Waits reports whether something waits to be let out.
func (g *Gate) Waits(ctx context.Context) (bool, error) {
	if !g.isOpen() {
		return false, nil
	}
	entries, _, err := g.store.DeskOutbox(ctx, "", 1)
	return len(entries) > 0, err
}

func (g *Gate) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// begins reports whether what was let out still stands at the front.
func begins(entries, lent []store.Entry, limit int) bool {
	n := min(len(lent), limit)
	if len(entries) < n {
		return false
	}
	for i, e := range entries[:n] {
		if e.ID != lent[i].ID || !bytes.Equal(e.Value, lent[i].Value) {
			return false
		}
	}
	return true
}

// Trim removes events that are published.
func (g *Gate) Trim(ctx context.Context, ids []string) error {
	// Asked behind the acknowledgement: what was let out stands before these.
	ends, err := g.ends(ctx)
	if err != nil {
		ends = nil // the mark may stay behind
	}
	g.mu.Lock()
	was, known := g.mark, g.open
	g.mu.Unlock()
	if !known {
		return ErrSetBack
	}
	m, err := readMark(was)
	if err != nil {
		return err
	}
	next := m.moved(ends)
	err = g.store.TrimDesk(ctx, ids, was, next)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.open || g.mark != was: // it was opened anew meanwhile
		return err
	case errors.Is(err, ErrConflict):
		g.setBack()
		return ErrSetBack
	case err != nil:
		g.next = next
		return err
	}
	g.mark, g.next, g.lent = next, "", nil
	return nil
}
