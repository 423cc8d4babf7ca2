package engine

import (
	"context"
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
// (the sums, and that it has them), the loser settles (the estate is dropped). Whoever
// finds an estate after a crash goes on with the second step. Until it is done, events
// that name the loser find the heir all the same.

// join merges one account into another that was not merged itself.
func (e *Engine) join(ctx context.Context, x scoring.Merging) error {
	if err := e.leaveAliases(ctx, x); err != nil {
		return err
	}
	err := e.change(ctx, x.From, func(l *lane, w *work, t *touched, a *entry) error {
		// Read after the account: who applied something to it in between is a conflict.
		if err := l.readPositions(ctx); err != nil {
			return err
		}
		out := l.e.model.Merge(a.account, x)
		t.add(a)
		if out.Effect != scoring.Duplicate {
			a.from, a.profileChanged = maps.Clone(e.shardOf(x.From).positions), true
		}
		return l.note(w, t, a, &out, x.Event.Arrived)
	})
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.EstateGiven)
	return e.bequeath(ctx, x.From)
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

// bequeath brings the estate of a merged account to its heir, if it waits.
func (e *Engine) bequeath(ctx context.Context, from string) error {
	a, err := e.look(ctx, from)
	if err != nil {
		return err
	}
	e.moved[from] = went{a.account.Into(), a.from}
	estate := a.account.Estate()
	if estate == nil {
		return nil
	}
	for heir := a.account.Into(); heir != ""; {
		heir, err = e.endow(ctx, heir, estate)
		if err != nil {
			return err
		}
	}
	failpoint.Hit(failpoint.EstateTaken)
	return e.change(ctx, from, func(_ *lane, _ *work, t *touched, a *entry) error {
		a.account.Settle()
		t.add(a)
		return nil
	})
}

// endow gives an estate to an heir, or says which account that one was merged into.
func (e *Engine) endow(ctx context.Context, heir string, estate *scoring.Estate) (next string, err error) {
	err = e.change(ctx, heir, func(l *lane, w *work, t *touched, a *entry) error {
		if next = a.account.Into(); next != "" {
			return nil
		}
		out := l.e.model.Absorb(a.account, estate)
		t.add(a) // taken before or not: the version says whether what is remembered is true
		return l.note(w, t, a, &out, 0)
	})
	return next, err
}

// change does one thing to one account and commits it. No lane may be running.
func (e *Engine) change(ctx context.Context, account string, do func(*lane, *work, *touched, *entry) error) error {
	n := ShardOf(account, e.store.Shards())
	l := e.lanes[n%len(e.lanes)]
	return l.commitAll(ctx, []*shard{l.shards[n]}, func(ctx context.Context, s *shard) (*work, error) {
		w, t := &work{shard: s, step: Step{Shard: s.number}}, &touched{}
		entries, err := l.entries(ctx, s, []string{account})
		if err != nil {
			return nil, err
		}
		if err := do(l, w, t, entries[0]); err != nil {
			return nil, err
		}
		if len(t.entries) > 0 {
			w.step.Moves = s.guards(e.ends)
		}
		return w, l.writeAll(w, t, UnknownWatermark)
	})
}

// look is an account as far as is known. No lane may be running.
func (e *Engine) look(ctx context.Context, account string) (*entry, error) {
	n := ShardOf(account, e.store.Shards())
	l := e.lanes[n%len(e.lanes)]
	entries, err := l.entries(ctx, l.shards[n], []string{account})
	if err != nil {
		return nil, err
	}
	return entries[0], nil
}

// way is an account and those that it went into, one after the other; the last one
// was not merged.
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
	return "", e.join(ctx, scoring.Merging{From: from[0], Into: into[len(into)-1], Event: in.Event, Watermark: in.watermark})
}
