package audience

import (
	"context"
	"sync"
	"time"

	"tidemark/pkg/follow"
)

// Keeper is the subscriber: it keeps the members of all audiences.
type Keeper struct {
	store     Store
	audiences []*Audience
	namespace string
	now       func() int64

	mu sync.Mutex // held over each step and what it rests on: steps are one at a time
}

var _ follow.State = (*Keeper)(nil)

// NewKeeper makes a Keeper. Feeds name the namespace as their source.
func NewKeeper(s Store, audiences []*Audience, namespace string) *Keeper {
	return &Keeper{store: s, audiences: audiences, namespace: namespace, now: func() int64 { return time.Now().UnixMilli() }}
}

// Positions implements follow.State.
func (k *Keeper) Positions(ctx context.Context) (map[int]int64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.store.Positions(ctx)
}

// Seen implements follow.State.
func (k *Keeper) Seen(ctx context.Context, keys []string) ([]uint64, error) {
	return k.store.Seen(ctx, keys)
}

// Take implements follow.State. Where an account stands counts, however it is learned.
func (k *Keeper) Take(ctx context.Context, step follow.Step) error {
	changes := make([]*follow.Change, 0, len(step.Events))
	for _, e := range step.Events {
		if c, err := follow.ParseChange(e.Value); err == nil {
			changes = append(changes, c)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	w, err := k.apply(ctx, changes)
	if err != nil {
		return err
	}
	return k.store.Take(ctx, step, w)
}

// apply makes what the changes do to each audience.
func (k *Keeper) apply(ctx context.Context, changes []*follow.Change) (*Writes, error) {
	w := &Writes{Members: map[string]map[string]Member{}, Tell: map[string][]string{}}
	if len(changes) == 0 {
		return w, nil
	}
	accounts := make([]string, len(changes))
	for i, c := range changes {
		accounts[i] = c.Data.Account
	}
	for _, a := range k.audiences {
		members, err := k.store.Members(ctx, a.Name, accounts)
		if err != nil {
			return nil, err
		}
		written := map[string]Member{}
		for _, c := range changes {
			account := c.Data.Account
			m, known := written[account]
			if !known {
				m = members[account]
			}
			if c.Data.Seq < m.Seq {
				continue
			}
			moves := a.Apply(&m, c)
			if m.N > 0 { // else it was never selected: nothing to remember
				written[account] = m
			}
			if err := k.note(w, a, moves); err != nil {
				return nil, err
			}
		}
		w.Members[a.Name] = written
	}
	return w, nil
}

// note adds moves to what is published and told.
func (k *Keeper) note(w *Writes, a *Audience, moves []Move) error {
	for i := range moves {
		m := &moves[i]
		if a.Endpoint != nil {
			w.Tell[a.Name] = append(w.Tell[a.Name], m.Account)
		}
		if a.Topic == "" {
			continue
		}
		value, err := a.event(k.namespace, m)
		if err != nil {
			return err
		}
		w.Out = append(w.Out, Out{Topic: a.Topic, Account: m.Account, Value: value})
	}
	return nil
}

// sweepBatch is how many exits of an audience happen in one step.
const sweepBatch = 500

// Sweep lets the exits happen whose least dwell is over, and reports whether there were any.
func (k *Keeper) Sweep(ctx context.Context) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	moved := false
	for _, a := range k.audiences {
		accounts, err := k.store.Leaving(ctx, a.Name, now, sweepBatch)
		if err != nil || len(accounts) == 0 {
			if err != nil {
				return moved, err
			}
			continue
		}
		members, err := k.store.Members(ctx, a.Name, accounts)
		if err != nil {
			return moved, err
		}
		w := &Writes{Members: map[string]map[string]Member{a.Name: {}}, Tell: map[string][]string{}}
		for _, account := range accounts {
			m := members[account]
			moves := a.Pass(&m, account, now)
			w.Members[a.Name][account] = m
			if err := k.note(w, a, moves); err != nil {
				return moved, err
			}
		}
		if err := k.store.Take(ctx, follow.Step{}, w); err != nil {
			return moved, err
		}
		moved = true
	}
	return moved, nil
}
