package engine

import (
	"context"
	"fmt"
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
// It is undone where others had the heir go the other way at once, and left alone where
// they dealt with the input meanwhile.
func (e *Engine) join(ctx context.Context, in *Input, x scoring.Merging) (undone bool, err error) {
	if err := e.leaveAliases(ctx, x); err != nil {
		return false, err
	}
	heir, err := e.look(ctx, x.Into)
	if err != nil {
		return false, err
	}
	// Then it was the loser that was set back, and its events moved the heir's rows.
	again, _ := heir.account.TookBy(in.Event, x.From)
	overtaken := false
	err = e.change(ctx, x.From, func(l *lane, w *work, t *touched, a *entry) error {
		// Read after the account: who applied something to it in between is a conflict.
		lanes := []*lane{l}
		if heirs := e.laneOf(e.shardOf(x.Into).number); heirs != l {
			lanes = append(lanes, heirs)
		}
		if err := e.readPositions(ctx, lanes...); err != nil {
			return err
		}
		if overtaken = a.account.Into() == "" && l.e.overtaken(in, x, a.account); overtaken {
			return nil
		}
		out := l.e.model.Merge(a.account, x)
		t.add(a)
		if out.Effect != scoring.Duplicate {
			a.from, a.profileChanged = placeIn(w.shard.positions, in), true
			if again {
				e.reachedBefore(a.from, w.shard, x.Into)
			} else {
				e.ahead(a.from, w.shard, x.Into)
			}
		}
		return l.note(w, t, a, &out, x.Event.Arrived)
	})
	if err != nil || overtaken {
		return false, err
	}
	failpoint.Hit(failpoint.EstateGiven)
	if err := e.bequeath(ctx, x.From, in.Event.Into()); err != nil {
		return false, err
	}
	_, merged := e.moved[x.From]
	return !merged, nil
}

// overtaken reports whether others dealt with an input before the merge that it asks for was
// stored, or the account is more than a domain by now.
func (e *Engine) overtaken(in *Input, x scoring.Merging, a *scoring.Account) bool {
	return e.stored(in, x.From) || in.Event.Kind == scoring.KindProfile && !a.Nameless()
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
	heir := e.heir(x.Into)
	return e.retry(ctx, "leave aliases", func() error {
		held, err := e.aliases.Resolve(ctx, p.Domains)
		if err != nil {
			return err
		}
		var claims []Alias
		for _, d := range p.Domains {
			if held[d] == x.From {
				claims = append(claims, Alias{Domain: d, Account: heir, Time: max(at, x.Event.Time)})
			}
		}
		return e.setAliases(ctx, heir, claims, nil)
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

// look is an account as stored: what is in memory may be old, and where a look leads to
// nothing being done, no write would tell. No lane may be running.
func (e *Engine) look(ctx context.Context, account string) (*entry, error) {
	s := e.shardOf(account)
	delete(s.accounts, account)
	entries, err := e.laneOf(s.number).entries(ctx, s, []string{account})
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

// until is the way of a merge's heir up to the account that was its end when the merge was
// done before, where the loser's store was set back and the merge is read again: what that
// one took of the loser and of those that name it is in what it left itself since. A loser
// on that way was not set back: a circle was opened there.
func (e *Engine) until(ctx context.Context, in *Input, into []string) ([]string, error) {
	if slices.Contains(into, in.Event.Account) {
		return into, nil
	}
	for i, name := range into[:len(into)-1] {
		a, err := e.look(ctx, name)
		if err != nil {
			return nil, err
		}
		if took, _ := a.account.TookBy(in.Event, in.Event.Account); took || a.from[in.Partition] > in.Offset {
			return into[:i+1], nil
		}
	}
	return into, nil
}

// merge does what an account.merged says, or returns why it can't be done.
func (e *Engine) merge(ctx context.Context, in *Input) (refusal string, err error) {
	from, err := e.way(ctx, in.Event.Account)
	if err != nil {
		return "", err
	}
	into, err := e.way(ctx, in.Event.Into())
	if err != nil {
		return "", err
	}
	if into, err = e.until(ctx, in, into); err != nil {
		return "", err
	}
	ok, why := scoring.MayMerge(from, into)
	if !ok && why == "" {
		return "", e.offerAgain(ctx, in, from[0])
	}
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
