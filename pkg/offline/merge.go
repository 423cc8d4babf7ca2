package offline

import "tidemark/scoring"

// Refusal is the error of Event for an account.merged that can't be carried out. The
// history goes on without it.
type Refusal struct {
	Why string // for people
}

// Error implements error.
func (r *Refusal) Error() string { return r.Why }

// forward gives an event that names a merged account to the one that it went into.
// Profiles and tombstones speak of an account that is no more.
func (r *Runner) forward(e *scoring.Event) {
	if e.Kind == scoring.KindProfile || e.Kind == scoring.KindTombstone {
		return
	}
	for into, ok := r.moved[e.Account]; ok; into, ok = r.moved[e.Account] {
		e.Account = into
	}
}

// way is an account and those that it went into, one after the other.
func (r *Runner) way(account string) []string {
	way := []string{account}
	for {
		next, ok := r.moved[way[len(way)-1]]
		if !ok {
			return way
		}
		way = append(way, next)
	}
}

// merge does an account.merged, by itself: whose an event is depends on it.
func (r *Runner) merge(e *scoring.Event) error {
	from, into := r.way(e.Account), r.way(e.Into())
	if ok, why := scoring.MayMerge(from, into); why != "" {
		return &Refusal{why}
	} else if !ok {
		r.lanes[0].tally.Counted++
		return nil
	}
	if err := r.Flush(); err != nil {
		return err
	}
	r.lanes[0].tally.Counted++
	return r.join(scoring.Merging{From: from[0], Into: into[len(into)-1], Event: e, Watermark: r.watermark(e)})
}

// join merges one account into another. No lane may be running.
func (r *Runner) join(x scoring.Merging) error {
	loser, a := r.account(x.From)
	heir, b := r.account(x.Into)
	if err := loser.settle(a, x.Event.Time); err != nil {
		return err
	}
	p, at := a.Profile()
	out := r.model.Merge(&a.Account, x)
	if err := loser.keep(a, out.Crossings); err != nil {
		return err
	}
	r.moved[x.From] = x.Into
	if p != nil {
		for _, d := range p.Domains {
			if r.aliases[d].account == x.From {
				r.aliases[d] = alias{x.Into, max(at, x.Event.Time)}
			}
		}
	}
	estate := a.Estate()
	if estate == nil {
		return nil
	}
	a.Settle()
	if estate.Blank() {
		return nil
	}
	if err := heir.settle(b, x.Event.Time); err != nil {
		return err
	}
	return heir.keep(b, r.model.Absorb(&b.Account, estate).Crossings)
}

// moveIn moves the accounts that are no more than a domain into the one whose profile
// declares it, where the model says so.
func (r *Runner) moveIn(e *scoring.Event, owner *account) error {
	before, at := owner.Profile()
	if !r.model.LateIdentification() || e.Kind != scoring.KindProfile || owner.Into() != "" || before != nil && e.Time < at {
		return nil
	}
	r.claim(e, before)
	for _, d := range e.Profile.Domains {
		if d == e.Account || r.aliases[d].account != e.Account || r.moved[d] != "" {
			continue
		}
		if a := r.find(d); a == nil || !a.Nameless() {
			continue
		}
		if err := r.join(scoring.Merging{From: d, Into: e.Account, Event: e, Watermark: r.watermark(e)}); err != nil {
			return err
		}
	}
	return nil
}
