package route

import (
	"maps"
	"slices"
)

// later is the instant so much later than another by the clock of the promise: wall
// time, or the working hours of the MQA's team.
func (t *turn) later(m *MQA, from, length int64) int64 {
	if of := t.teams[m.Team]; t.clock.Working && of != nil {
		return of.calendar.after(from, length)
	}
	return from + length
}

// promise sets the deadline of an MQA that counts from an instant, and what comes
// before it. What would lie in the past is left out, but for the breach.
func (t *turn) promise(m *MQA, from int64) {
	m.cancel(Remind, Breach)
	m.Deadline = t.later(m, from, t.clock.Deadline)
	for _, before := range t.clock.Remind {
		if at := t.later(m, from, t.clock.Deadline-before); at > t.now {
			m.arm(at, Remind)
		}
	}
	m.arm(m.Deadline, Breach)
}

// kept stops the clock: the promise was kept, or it is too late for it.
func (t *turn) kept(m *MQA) { m.cancel(Remind, Breach, Reassign) }

// armReassign lets an MQA go on to another rep if this one lets it lie.
func (t *turn) armReassign(m *MQA) {
	m.cancel(Reassign)
	if m.State == Opened && m.Moves < t.clock.Reassign.Times {
		m.arm(t.later(m, t.now, t.clock.Reassign.After), Reassign)
	}
}

// Tick does all that is due by now: reminders, breaches, reassignments, snoozes that
// end and queues whose team begins its day. Change and Command do it first, so that
// whoever comes first finds the desk as it stands at that instant.
func (p *Plan) Tick(d *Desk, now int64) *Step {
	t := p.turn(d, now)
	t.tick()
	return t.step()
}

// tick fires what is due in the order in which it fell due.
func (t *turn) tick() {
	for {
		at, ok := t.desk.Next()
		if !ok || at > t.now {
			return
		}
		t.fireAt(at)
	}
}

// fireAt does what is due at one instant: queues first, as they give owners; then the
// MQAs, best first.
func (t *turn) fireAt(at int64) {
	for _, of := range t.dueDrains(at) {
		t.drain(of)
	}
	for _, m := range t.dueMQAs(at) {
		t.fire(m)
	}
}

func (t *turn) dueDrains(at int64) []*team {
	var out []*team
	for _, id := range slices.Sorted(maps.Keys(t.desk.Drains)) {
		if t.desk.Drains[id] > at {
			continue
		}
		if of := t.teams[id]; of != nil {
			out = append(out, of)
		} else {
			delete(t.desk.Drains, id) // the team is gone, and Adopt placed its queue
		}
	}
	return out
}

func (t *turn) dueMQAs(at int64) []*MQA {
	var out []*MQA
	for _, m := range t.desk.MQAs {
		if len(m.Timers) > 0 && m.Timers[0].At <= at {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, better)
	return out
}

// fire does all that an MQA's timers ask for by now. A process that was away tells of
// one reminder, not of each that it missed, and of none that the breach overtook.
func (t *turn) fire(m *MQA) {
	due := map[Kind]bool{}
	for len(m.Timers) > 0 && m.Timers[0].At <= t.now {
		due[m.Timers[0].Kind] = true
		m.Timers = m.Timers[1:]
	}
	t.touch(m)
	if due[Wake] {
		t.open(m, t.now)
		return
	}
	if due[Remind] && !due[Breach] {
		t.emit(m, StepReminded, Event{})
	}
	if due[Breach] && !m.Breached {
		t.breach(m)
	}
	if due[Reassign] && m.State == Opened && !m.Queued {
		t.late(m)
	}
}

// late gives an MQA on that its owner let lie, or tries again when somebody may be
// free.
func (t *turn) late(m *MQA) {
	m.Moves++
	team, passed := t.pass(m, reasonLate)
	if !passed && team != nil {
		m.Moves--
		m.arm(t.soonest(team), Reassign)
	}
}

// breach tells once that the deadline has passed unkept.
func (t *turn) breach(m *MQA) {
	m.Breached = true
	m.cancel(Remind)
	t.emit(m, StepBreached, Event{})
	switch t.clock.AtBreach {
	case breachReassign:
		t.pass(m, reasonBreached)
	case breachFallback:
		t.dequeue(m)
		if m.Owner != t.fallback {
			from := m.Owner
			m.Owner, m.Team, m.Rule = t.fallback, "", ""
			m.cancel(Reassign)
			t.emit(m, StepReassigned, Event{From: from, Reason: reasonBreached})
		}
	}
}

// pass gives an MQA to another rep than those who had it. Where nobody is free it
// stays where it is, and team is whose rep it could be.
func (t *turn) pass(m *MQA, reason string) (team *team, passed bool) {
	if m.Queued || m.State != Opened {
		return nil, false
	}
	avoid := append(m.Had, m.Owner)
	c := t.choose(m, avoid)
	if c.rep == nil {
		return c.team, false
	}
	from := m.Owner
	m.Had, m.Rule = avoid, c.rule
	t.assign(m, c.team, c.rep, avoid)
	t.emit(m, StepReassigned, Event{From: from, Reason: reason})
	return c.team, true
}
