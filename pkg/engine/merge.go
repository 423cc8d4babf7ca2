package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"tidemark/pkg/failpoint"
	"tidemark/scoring"
)

// MergedListing lists the accounts that were merged into others, where a tier lists
// those in it. No model should name a tier so.
const MergedListing = ":merged"

// A merge takes three steps, each one commit of one shard: the loser gives (its last
// crossing, where it went, and the estate, all in its own record), the heir takes
// (the sums, and that it has them), the loser notes that. Whoever finds an estate after
// a crash goes on with the second step. Until it is done, events that name the loser
// find the heir all the same. See estate.go for what a store that was set back, or two
// accounts that go into each other, make of it.

// join merges one account into another that was not merged itself, as an input says.
// It is undone where others had the heir go the other way at once.
func (e *Engine) join(ctx context.Context, in *Input, x scoring.Merging) (undone bool, err error) {
	if err := e.leaveAliases(ctx, x); err != nil {
		return false, err
	}
	err = e.change(ctx, x.From, func(l *lane, w *work, t *touched, a *entry) error {
		// Read after the account: who applied something to it in between is a conflict.
		if err := l.readPositions(ctx); err != nil {
			return err
		}
		out := l.e.model.Merge(a.account, x)
		t.add(a)
		if out.Effect != scoring.Duplicate {
			a.from, a.profileChanged = maps.Clone(e.shardOf(x.From).positions), true
			a.from[placed(in.Partition)] = in.Offset
		}
		return l.note(w, t, a, &out, x.Event.Arrived)
	})
	if err != nil {
		return false, err
	}
	failpoint.Hit(failpoint.EstateGiven)
	if err := e.bequeath(ctx, x.From, in.Event.Into); err != nil {
		return false, err
	}
	_, merged := e.moved[x.From]
	return !merged, nil
}

// leaveAliases gives the domains that a loser still has to its heir.
func (e *Engine) leaveAliases(ctx context.Context, x scoring.Merging) error {
	a, err := e.look(ctx, x.From)
	if err != nil {
		return err
	}
	p, at := a.account.Profile()
	if p == nil || len(p.Domains) == 0 {
		return nil
	}
	return e.retry(ctx, "leave aliases", func() error {
		held, err := e.aliases.Resolve(ctx, p.Domains)
		if err != nil {
			return err
		}
		var claims []Alias
		for _, d := range p.Domains {
			if held[d] == x.From {
				claims = append(claims, Alias{Domain: d, Account: x.Into, Time: max(at, x.Event.Time)})
			}
		}
		return e.setAliases(ctx, x.Into, claims, nil)
	})
}

// change does one thing to one account and commits it. No lane may be running.
func (e *Engine) change(ctx context.Context, account string, do func(*lane, *work, *touched, *entry) error) error {
	n := ShardOf(account, e.store.Shards())
	l := e.laneOf(n)
	return l.commitAll(ctx, []*shard{l.shards[n]}, func(ctx context.Context, s *shard) (*work, error) {
		w, t := &work{shard: s, step: Step{Shard: s.number}}, &touched{}
		entries, err := l.entries(ctx, s, []string{account})
		if err != nil {
			return nil, err
		}
		if err := l.adopt(w, t, entries[0]); err != nil {
			return nil, err
		}
		if err := do(l, w, t, entries[0]); err != nil {
			return nil, err
		}
		if len(t.entries) > 0 {
			w.step.Moves = append(w.step.Moves, s.guards(e.ends)...)
		}
		return w, l.writeAll(w, t, UnknownWatermark)
	})
}

// look is an account as far as is known. No lane may be running.
func (e *Engine) look(ctx context.Context, account string) (*entry, error) {
	n := ShardOf(account, e.store.Shards())
	l := e.laneOf(n)
	entries, err := l.entries(ctx, l.shards[n], []string{account})
	if err != nil {
		return nil, err
	}
	return entries[0], nil
}

// way is an account and those that it went into, one after the other. The last one was
// not merged, or went into one before it.
func (e *Engine) way(ctx context.Context, account string) ([]string, error) {
	var way []string
	for account != "" && !slices.Contains(way, account) {
		way = append(way, account)
		a, err := e.look(ctx, account)
		if err != nil {
			return nil, err
		}
		account = a.account.Into()
	}
	return way, nil
}

// merge does what an account.merged says, or returns why it can't be done.
func (e *Engine) merge(ctx context.Context, in *Input) (refusal string, err error) {
	from, err := e.way(ctx, in.Event.Account)
	if err != nil {
		return "", err
	}
	into, err := e.way(ctx, in.Event.Into)
	if err != nil {
		return "", err
	}
	ok, why := scoring.MayMerge(from, into)
	if !ok {
		return why, nil
	}
	x := scoring.Merging{From: from[0], Into: into[len(into)-1], Event: in.Event, Watermark: in.watermark}
	undone, err := e.join(ctx, in, x)
	if err == nil && undone {
		refusal = fmt.Sprintf("data.into: %q goes into %q at the same time: of accounts that go into each other, the one that sorts first stays", x.Into, x.From)
	}
	return refusal, err
}
