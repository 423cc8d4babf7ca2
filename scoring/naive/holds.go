package naive

import (
	"slices"

	"tidemark/scoring"
)

// judge says for which of its signals the newest event is held, takes the events of a
// burst back that it completes, and lets a human's action release what is held.
func (a *Account) judge(e *scoring.Event, c *counted) {
	for r, rule := range a.m.spec.Holds.Rules {
		if !a.concerns(r, c) {
			continue
		}
		if rule.Burst == nil {
			if a.m.machine[r](e) == scoring.True {
				a.accuse(r, c)
			}
			continue
		}
		for _, x := range a.burst(r, c) {
			a.accuse(r, x)
		}
	}
	for s := range c.machine {
		if c.machine[s] {
			a.hold(s, c)
		}
	}
	if slices.Contains(c.machine, true) {
		a.reconsider(c.who)
		return
	}
	if c.who != "" && a.human(e, c) {
		a.release(c.who)
	}
}

// concerns reports whether the event matches a signal of the rule.
func (a *Account) concerns(r int, c *counted) bool {
	for s, signal := range a.m.spec.Signals {
		if c.matched[s] && slices.Contains(a.m.spec.Holds.Rules[r].Signals, signal.Name) {
			return true
		}
	}
	return false
}

// accuse holds an event for the rule's signals; what it counted is taken back.
func (a *Account) accuse(r int, c *counted) {
	for s, signal := range a.m.spec.Signals {
		if !c.matched[s] || c.machine[s] || !slices.Contains(a.m.spec.Holds.Rules[r].Signals, signal.Name) {
			continue
		}
		c.machine[s] = true
		if !c.counts[s] {
			continue // it has yet to be counted, or its window had another
		}
		c.counts[s] = false
		if signal.OncePer > 0 {
			delete(a.once, a.window(s, c))
		}
		a.hold(s, c)
	}
}

// hold keeps what an event would count. Of a once_per window, the first is held, and
// none where one has counted.
func (a *Account) hold(s int, c *counted) {
	if a.m.spec.Signals[s].OncePer > 0 {
		w := a.window(s, c)
		if a.remembers(w) && (a.once[w] || slices.ContainsFunc(a.history, func(x *counted) bool { return x.held[s] && a.window(s, x) == w })) {
			return
		}
	}
	c.held[s] = true
}

// dropHeld: of a once_per window in which something counts, nothing is held.
func (a *Account) dropHeld(s int, c *counted) {
	w := a.window(s, c)
	for _, x := range a.history {
		if x.held[s] && a.window(s, x) == w && a.remembers(w) {
			x.held[s] = false
		}
	}
}

// burst are the events of the person that are in a burst with c: in some span that
// begins with one of them and is as long as the rule says there are enough of them.
func (a *Account) burst(r int, c *counted) (members []*counted) {
	rule := a.m.spec.Holds.Rules[r].Burst
	events := a.recent(c)
	for _, first := range events {
		var among []*counted
		for _, x := range events {
			if a.concerns(r, first) && a.concerns(r, x) && x.at >= first.at && x.at <= first.at+rule.Within {
				among = append(among, x)
			}
		}
		if len(among) >= rule.Of && slices.Contains(among, c) {
			members = append(members, among...)
		}
	}
	return members
}

// recent are the person's events that may be part of a burst, in the longest span
// before the latest of them and not 48 h old by the account's clock.
func (a *Account) recent(c *counted) (events []*counted) {
	if c.who == "" {
		return nil
	}
	longest, newest := int64(0), int64(longAgo)
	for r, rule := range a.m.spec.Holds.Rules {
		if rule.Burst == nil {
			continue
		}
		longest = max(longest, rule.Burst.Within)
		for _, x := range a.history {
			if x.who == c.who && !x.apart && a.concerns(r, x) && a.Clock < x.at+48*hour && !slices.Contains(events, x) {
				events = append(events, x)
				newest = max(newest, x.at)
			}
		}
	}
	return slices.DeleteFunc(events, func(x *counted) bool { return x.at < newest-longest })
}

// human reports whether only a human does this.
func (a *Account) human(e *scoring.Event, c *counted) bool {
	for s, signal := range a.m.spec.Signals {
		if c.matched[s] && slices.Contains(a.m.spec.Holds.ReleasedBy.Signals, signal.Name) {
			return true
		}
	}
	return a.m.human != nil && a.m.human(e) == scoring.True
}

// release counts what is held of a person.
func (a *Account) release(who string) {
	for _, x := range a.history {
		for s := range x.held {
			if x.who != who || !x.held[s] {
				continue
			}
			x.held[s] = false
			if a.m.spec.Signals[s].OncePer > 0 {
				if !a.opens(s, x) {
					continue
				}
				a.once[a.window(s, x)] = true
			}
			x.released[s] = true
		}
	}
}

// reconsider: a person is active as of the latest of their events that match a signal
// of positive points and are not held for it.
func (a *Account) reconsider(who string) {
	if _, known := a.people[who]; !known {
		return
	}
	delete(a.people, who)
	for _, x := range a.history {
		for s, signal := range a.m.spec.Signals {
			if x.who == who && x.matched[s] && !x.machine[s] && signal.Points > 0 && x != a.history[len(a.history)-1] {
				a.meet(who, x.at, x.role)
			}
		}
	}
}
