package backtest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"tidemark/pkg/offline"
	"tidemark/scoring"
)

// Report is what a model would have made of a history.
type Report struct {
	Model    string `json:"model"`
	Version  int    `json:"version"`
	Hash     string `json:"hash"`
	Accounts int    `json:"accounts"` // with a profile or a counted event
	Changes  int    `json:"tier_changes"`
	// Tiers are the model's, best first.
	Tiers []Tier `json:"tiers"`
	MQAs  int    `json:"mqas"` // entries into mqa tiers from others
	// Weeks are those from the first MQA to the end, by their Mondays (UTC).
	Weeks []Week `json:"mqas_by_week"`
	// Outcomes is what became of accounts; null where the history has no outcome event.
	Outcomes *Outcomes `json:"outcomes"`
}

// Tier is how full a tier is.
type Tier struct {
	Tier     string `json:"tier"`
	Accounts int    `json:"accounts"` // at the end
	Entered  int    `json:"entered"`  // accounts that came into it at least once
}

// Week is how many MQAs a week had.
type Week struct {
	Week string `json:"week"`
	MQAs int    `json:"mqas"`
}

// Outcomes is how much tiers foretold. An account is good if it has an opportunity or was won.
type Outcomes struct {
	Events int `json:"events"`
	Good   int `json:"good"` // of the accounts
	// Base is the part of all accounts that is good, those of which only an outcome is known
	// among them: what a tier must beat.
	Base  float64    `json:"base"`
	Tiers []Foretold `json:"tiers"` // without the last, where every account begins
}

// Foretold is how much a tier foretold.
type Foretold struct {
	Tier string `json:"tier"`
	// Entered are accounts that came into the tier before they were good, or without ever being.
	Entered int `json:"entered"`
	Hits    int `json:"hits"` // of those, the good ones
	// Precision is hits of entered, Recall hits of all good accounts, Lift precision of
	// base; null where there is nothing to divide by.
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	Lift      *float64 `json:"lift"`
}

// Report says what the run came to: the standings at its end, the instant of that (Unix
// milliseconds), and where a merged account went.
func (t *Tape) Report(m *scoring.Model, standings []offline.Score, heir func(account string) string, until int64) *Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &Report{Model: m.Name(), Version: m.Version(), Hash: m.Hash(), Accounts: len(standings), Weeks: []Week{}}
	moves, outcomes := gather(t.moves, heir, func(a, b move) int { return cmp.Compare(a.at, b.at) }),
		gather(t.outcomes, heir, func(a, b outcome) int { return cmp.Compare(a.at, b.at) })
	first := firsts(moves)
	for _, name := range m.Tiers() {
		r.Tiers = append(r.Tiers, Tier{Tier: name, Entered: len(first[name])})
	}
	for _, s := range standings {
		i := slices.IndexFunc(r.Tiers, func(tier Tier) bool { return tier.Tier == s.Tier })
		r.Tiers[i].Accounts++
	}
	r.count(moves, until)
	if len(outcomes) > 0 {
		r.Outcomes = foretold(m, standings, first, outcomes)
	}
	return r
}

// gather puts what is of a merged account to the one that it went into, in order of time.
func gather[T any](of map[string][]T, heir func(string) string, order func(a, b T) int) map[string][]T {
	out := map[string][]T{}
	for _, account := range slices.Sorted(maps.Keys(of)) {
		to := heir(account)
		out[to] = append(out[to], of[account]...)
	}
	for _, all := range out {
		slices.SortStableFunc(all, order)
	}
	return out
}

// firsts are, by tier, when each account that was ever in it came into it first.
func firsts(moves map[string][]move) map[string]map[string]int64 {
	out := map[string]map[string]int64{}
	for account, all := range moves {
		for _, m := range all {
			if out[m.to] == nil {
				out[m.to] = map[string]int64{}
			}
			if _, was := out[m.to][account]; !was {
				out[m.to][account] = m.at
			}
		}
	}
	return out
}

// count counts changes and MQAs.
func (r *Report) count(moves map[string][]move, until int64) {
	weeks, earliest := map[int64]int{}, monday(until)
	for _, all := range moves {
		r.Changes += len(all)
		for _, m := range all {
			if m.mqa {
				r.MQAs++
				weeks[monday(m.at)]++
				earliest = min(earliest, monday(m.at))
			}
		}
	}
	for week := earliest; r.MQAs > 0 && week <= until; week += 7 * scoring.Day {
		r.Weeks = append(r.Weeks, Week{time.UnixMilli(week).UTC().Format(time.DateOnly), weeks[week]})
	}
}

// monday is when the week of an instant begins, UTC.
func monday(at int64) int64 {
	t := time.UnixMilli(at).UTC()
	return time.Date(t.Year(), t.Month(), t.Day()-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC).UnixMilli()
}

func foretold(m *scoring.Model, standings []offline.Score, first map[string]map[string]int64, outcomes map[string][]outcome) *Outcomes {
	out := &Outcomes{Tiers: []Foretold{}}
	good := map[string]int64{} // when an account was first good
	for account, all := range outcomes {
		out.Events += len(all)
		if i := slices.IndexFunc(all, func(o outcome) bool { return o.good }); i >= 0 {
			good[account] = all[i].at
		}
	}
	out.Good = len(good)
	all := len(good) // with those of which nothing but an outcome is known
	for _, s := range standings {
		if _, is := good[s.Account]; !is {
			all++
		}
	}
	out.Base = float64(out.Good) / float64(max(all, 1))
	for _, tier := range m.Tiers() {
		if tier == m.LastTier() {
			continue
		}
		f := Foretold{Tier: tier}
		for account, entered := range first[tier] {
			at, is := good[account]
			if is && at <= entered {
				continue // it was known by then
			}
			f.Entered++
			if is {
				f.Hits++
			}
		}
		f.Precision, f.Recall = share(f.Hits, f.Entered), share(f.Hits, out.Good)
		if f.Precision != nil && out.Base > 0 {
			lift := *f.Precision / out.Base
			f.Lift = &lift
		}
		out.Tiers = append(out.Tiers, f)
	}
	return out
}

func share(part, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	x := float64(part) / float64(whole)
	return &x
}
