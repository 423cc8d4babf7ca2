package verify

import (
	"time"

	"tidemark/scoring"
)

// The runs have merges whose end does not depend on who reads first: an account goes
// into another once, no way leads back, and a domain is declared by one account. So each
// account stands in the end as if all events of those that went into it had been its own.

// gather gives each event to the account that it belongs to in the end.
func gather(events []*scoring.Event, r *Report) map[string][]*scoring.Event {
	r.merged = map[string]string{}
	owners := map[string]string{}
	for _, e := range events {
		switch e.Kind {
		case scoring.KindMerge:
			r.merged[e.Account] = e.Into()
			r.Merges++
		case scoring.KindProfile:
			for _, d := range e.Profile.Domains {
				owners[d] = e.Account
			}
		}
	}
	for _, e := range events {
		if owner, ok := owners[e.Domain]; ok && r.merged[e.Domain] == "" {
			r.merged[e.Domain] = owner
			r.Merges++
		}
	}
	out := map[string][]*scoring.Event{}
	for _, e := range events {
		name := e.Account + e.Domain // one of them is empty
		heir := name
		for r.merged[heir] != "" {
			heir = r.merged[heir]
		}
		if e.Kind != scoring.KindMerge && (e.Kind != scoring.KindProfile || heir == name) {
			out[heir] = append(out[heir], e)
		}
	}
	return out
}

// losers wants merged accounts to be out of the lowest tier no more, with nothing left.
func (run *Run) losers(r *Report, histories map[string][]Change) {
	lowest := run.Model.Spec.Tiers[len(run.Model.Spec.Tiers)-1].Name
	for account, heir := range r.merged {
		state, stored := run.States[account]
		tier, seq := lowest, uint64(0)
		if h := histories[account]; len(h) > 0 {
			tier, seq = h[len(h)-1].Data.To, h[len(h)-1].Data.Seq
		}
		if tier != lowest {
			r.fault("%s went into %s, and its history ends in %s", account, heir, tier)
		}
		if stored && (state.Score != 0 || state.Tier != lowest || state.Seq != seq) {
			r.fault("%s went into %s, and is stored as %+v, published up to seq %d", account, heir, state, seq)
		}
	}
}

// Accounts are those that a record names, if it is usable now.
func Accounts(r Record) []string {
	e, _ := decode(r, time.Now())
	if e == nil {
		return nil
	}
	out := []string{e.Account + e.Domain}
	if into := e.Into(); into != "" {
		out = append(out, into)
	}
	return out
}
