package naive

import (
	"maps"

	"tidemark/scoring"
)

// Merge puts the account's whole history into another, by an event at its arrival,
// and returns the crossings of both. Nothing is left of the account but its seq.
func (a *Account) Merge(into *Account, e *scoring.Event, watermark int64) (lost, won []Crossing) {
	if !a.Begun {
		return nil, nil
	}
	lost = append(a.Advance(watermark), a.reach(e.Time)...)
	old := *a
	if last := len(a.m.spec.Tiers) - 1; a.tier != last {
		lost = append(lost, a.move(last, a.Clock, nil, scoring.CauseMerge, e.ID))
	}
	a.forget()
	won = append(into.Advance(watermark), into.reach(old.Clock)...)
	into.history = append(into.history, old.history...)
	into.today = max(into.today, old.today)
	for key, day := range old.seen {
		into.seen[key] = max(into.seen[key], day)
	}
	maps.Copy(into.once, old.once)
	for who, p := range old.people {
		into.meet(who, p.at, p.role)
	}
	return lost, append(won, into.evaluate(scoring.CauseMerge, e.ID)...)
}
