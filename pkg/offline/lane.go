package offline

import (
	"fmt"
	"strings"

	"tidemark/scoring"
)

// lane owns some of the accounts.
type lane struct {
	*Runner
	accounts map[uint64]*account // by the hash of the name
	inputs   []Input             // waiting to be applied, in order
	tally    Tally
}

type account struct {
	scoring.Account
	name string
	next *account // another one with the same hash
	// waiting are the profiles of --profiles that are not in effect yet, by time.
	waiting []*scoring.Event
}

// find is a known account, or nil.
func (l *lane) find(name string, hash uint64) *account {
	a := l.accounts[hash]
	for a != nil && a.name != name {
		a = a.next
	}
	return a
}

// account is an account, a new one if need be.
func (l *lane) account(name string, hash uint64) *account {
	if a := l.find(name, hash); a != nil {
		return a
	}
	a := &account{name: strings.Clone(name), next: l.accounts[hash]} // events are not ours to keep
	l.model.Open(&a.Account)
	l.accounts[hash] = a
	return a
}

// all are the lane's accounts, in no order.
func (l *lane) all(yield func(*account) bool) {
	for _, a := range l.accounts {
		for ; a != nil; a = a.next {
			if !yield(a) {
				return
			}
		}
	}
}

func (l *lane) apply(in Input) (scoring.Outcome, error) {
	e := in.Event
	if e.Kind == scoring.KindOutcome {
		l.tally.Unscored++
		if l.outcome != nil {
			l.outcome(e)
		}
		return scoring.Outcome{}, nil
	}
	a := l.find(e.Account, in.hash)
	if a == nil || len(a.waiting) > 0 {
		// What no signal matches makes no account, and is not its first event.
		if e.Kind == scoring.KindEvent && !l.model.Matches(e) {
			l.tally.Unmatched++
			return scoring.Outcome{}, nil
		}
		a = l.account(e.Account, in.hash)
		if err := l.settle(a, e.Time); err != nil {
			return scoring.Outcome{}, err
		}
	}
	out := l.model.Apply(&a.Account, e, l.watermark(e))
	switch out.Effect {
	case scoring.Counted:
		l.tally.Counted++
	case scoring.Duplicate:
		l.tally.Duplicate++
	case scoring.Unmatched:
		l.tally.Unmatched++
	case scoring.Outdated:
		l.tally.Outdated++
	case scoring.Unscored:
		l.tally.Unscored++
	}
	return out, l.keep(a, out.Crossings)
}

// settle puts the waiting profiles into effect as of the account's first event.
func (l *lane) settle(a *account, first int64) error {
	for _, p := range a.waiting {
		in := *p
		in.Time = min(p.Time, first)
		in.Arrived = in.Time
		if err := l.keep(a, l.model.Apply(&a.Account, &in, in.Time).Crossings); err != nil {
			return err
		}
	}
	a.waiting = nil
	return nil
}

func (l *lane) keep(a *account, crossings []scoring.Crossing) error {
	for i := range crossings {
		c := &crossings[i]
		line, err := l.encoder.Change(a.name, c)
		if err != nil {
			return fmt.Errorf("encode %s/%d: %w", a.name, c.Seq, err)
		}
		if err := l.spool.add(a.name, c, line); err != nil {
			return err
		}
		l.tally.Changes++
	}
	return nil
}

// finish does what profiles that wait and time alone do until the end.
func (l *lane) finish() error {
	for a := range l.all {
		for _, p := range a.waiting {
			if p.Time > l.until {
				break
			}
			p.Arrived = p.Time
			if err := l.keep(a, l.model.Apply(&a.Account, p, p.Time).Crossings); err != nil {
				return err
			}
		}
		a.waiting = nil
		if err := l.keep(a, l.model.Advance(&a.Account, l.until).Crossings); err != nil {
			return err
		}
	}
	return nil
}
