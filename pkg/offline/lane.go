package offline

import (
	"fmt"

	"tidemark/scoring"
)

// lane owns some of the accounts.
type lane struct {
	*Runner
	accounts map[string]*account
	inputs   []input // waiting to be applied, in order
	tally    Tally
}

// input is an event with what is known of its arrival.
type input struct {
	event     scoring.Event
	watermark int64
}

type account struct {
	*scoring.Account
	// waiting are the profiles of --profiles that are not in effect yet, by time.
	waiting []*scoring.Event
}

func (l *lane) account(name string) *account {
	a, ok := l.accounts[name]
	if !ok {
		a = &account{Account: &scoring.Account{}}
		l.model.Open(a.Account)
		l.accounts[name] = a
	}
	return a
}

func (l *lane) apply(in *input) (scoring.Outcome, error) {
	e := &in.event
	switch {
	case e.Kind == scoring.KindOutcome:
		l.tally.Unscored++
		if l.outcome != nil {
			l.outcome(e)
		}
		return scoring.Outcome{}, nil
	case e.Kind == scoring.KindEvent && !l.model.Matches(e):
		l.tally.Unmatched++
		return scoring.Outcome{}, nil
	}
	a := l.account(e.Account)
	if err := l.settle(e.Account, a, e.Time); err != nil {
		return scoring.Outcome{}, err
	}
	out := l.model.Apply(a.Account, e, in.watermark)
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
	return out, l.keep(e.Account, out)
}

// settle puts the waiting profiles into effect as of the account's first event.
func (l *lane) settle(name string, a *account, first int64) error {
	for _, p := range a.waiting {
		in := *p
		in.Time = min(p.Time, first)
		in.Arrived = in.Time
		if err := l.keep(name, l.model.Apply(a.Account, &in, in.Time)); err != nil {
			return err
		}
	}
	a.waiting = nil
	return nil
}

func (l *lane) keep(name string, out scoring.Outcome) error {
	for i := range out.Crossings {
		c := &out.Crossings[i]
		line, err := l.encoder.Change(name, c)
		if err != nil {
			return fmt.Errorf("encode %s/%d: %w", name, c.Seq, err)
		}
		if err := l.spool.add(name, c, line); err != nil {
			return err
		}
		l.tally.Changes++
	}
	return nil
}

// finish does what profiles that wait and time alone do until the end.
func (l *lane) finish() error {
	for name, a := range l.accounts {
		for _, p := range a.waiting {
			if p.Time > l.until {
				break
			}
			p.Arrived = p.Time
			if err := l.keep(name, l.model.Apply(a.Account, p, p.Time)); err != nil {
				return err
			}
		}
		a.waiting = nil
		if err := l.keep(name, l.model.Advance(a.Account, l.until)); err != nil {
			return err
		}
	}
	return nil
}
