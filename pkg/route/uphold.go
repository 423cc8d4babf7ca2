package route

import "math"

// Upheld is what was published of an account whose desk was set back.
type Upheld struct {
	// Told are the published steps of its latest published MQA, in order; at least one.
	Told []Event
	// Dropped are the steps that the desk has taken since in their place, in order:
	// nobody was told of them, and nobody will be.
	Dropped []Event
	// Past is what is remembered of the account if it is not on the desk; nil: nothing.
	Past *Past
}

// Uphold brings an account back to what was published of it. What the desk has taken
// in since and what was published does not have, tier changes and what people said,
// is taken in behind it.
func (p *Plan) Uphold(d *Desk, u *Upheld, now int64) *Step {
	t := p.turn(d, now)
	t.uphold(u)
	return t.step()
}

func (t *turn) uphold(u *Upheld) {
	last := &u.Told[len(u.Told)-1]
	account, seq := last.MQA.Account, last.MQA.Seq
	had := t.desk.MQAs[account]
	left := had == nil && u.Past != nil && u.Past.Last >= seq
	for i := range u.Dropped {
		t.count(&u.Dropped[i], -1)
	}
	m := t.published(u, had, left)
	t.desk.MQAs[account] = m
	t.touch(m)
	closed := last.Step == StepClosed
	if left {
		m.Last = max(m.Last, u.Past.Last)
		if m.State == Rejected && m.Until == 0 {
			m.Until, m.Above = u.Past.Until, u.Past.Above
		}
	}
	switch {
	case had != nil && had.Seq > seq: // it left and came again
		if closed {
			t.leave(m)
		} else {
			t.close(m, "superseded")
		}
		t.enter(&Change{
			Account: account, Seq: had.Seq, At: had.Crossed, To: had.Tier, MQA: true, Stays: true, Score: had.Score, Signal: had.Signal,
			Model: had.Model, Profile: had.Attributes,
		}, m.Until, m.Above)
		m := t.desk.MQAs[account]
		m.Last = had.Last
		delete(t.past, account)
	case closed:
		t.leave(m)
	case left:
		t.close(m, reasonOf(u.Dropped))
	default:
		t.redo(u.Dropped)
	}
}

// published makes the MQA of what was published, upon what the desk has of it.
func (t *turn) published(u *Upheld, had *MQA, left bool) *MQA {
	last := &u.Told[len(u.Told)-1]
	m, known := last.MQA, 0 // the steps that are counted in loads and tally
	if had != nil && had.Seq == m.Seq {
		m.Last, m.Tier, m.Score, m.Attributes = had.Last, had.Tier, had.Score, had.Attributes
		m.Decided, m.Reason, m.Until, m.Above = had.Decided, had.Reason, had.Until, had.Above
		m.Moves, m.Had, known = had.Moves, had.Had, had.N
	}
	if left || had != nil && had.Seq > m.Seq {
		known = math.MaxInt
	}
	for i := range u.Dropped {
		if e := &u.Dropped[i]; e.MQA.Seq == m.Seq {
			known = min(known, e.MQA.N-1)
			if e.Reason == reasonLate {
				m.Moves = max(m.Moves-1, 0)
			}
		}
	}
	if m.Decided != 0 && m.State != Accepted && m.State != Rejected {
		m.Decided, m.Reason, m.Until, m.Above = 0, "", 0, 0
	}
	given := m.OpenedAt
	for i := range u.Told {
		e := &u.Told[i]
		if e.Step == StepReassigned {
			given = e.At
		}
		if e.Step == StepAccepted || e.Step == StepRejected {
			m.Decided, m.Reason = e.At, e.Reason
			t.snooze(&m, e)
		}
		if e.MQA.N <= known {
			continue
		}
		t.count(e, 1)
		if e.Step == StepReassigned && e.From != "" && e.Reason != reasonQueue && e.Reason != reasonPlan {
			m.Had = append(m.Had, e.From)
		}
		if e.Reason == reasonLate {
			m.Moves++
		}
	}
	t.rearm(&m, last.At, given)
	return &m
}

// snooze is what a rejection that was published asks for.
func (t *turn) snooze(m *MQA, e *Event) {
	m.Until, m.Above = 0, 0
	if r, known := t.reason(e.Reason); known && e.Step == StepRejected {
		snoozed := e.MQA
		t.reasoned(&snoozed, r, e.At)
		m.Until, m.Above = snoozed.Until, snoozed.Above
	}
}

// rearm sets the timers of an MQA that was told to stand so at an instant, and whose
// owner has it since another.
func (t *turn) rearm(m *MQA, told, given int64) {
	m.Timers = nil
	if of := t.teams[m.Team]; m.Queued && of != nil {
		t.armDrain(of)
	}
	if !m.undecided() {
		return
	}
	if (m.State == Opened || t.clock.Decided) && !m.Breached {
		from := t.promisedFrom(m)
		for _, before := range t.clock.Remind {
			if at := t.later(m, from, t.clock.Deadline-before); at > told && at < m.Deadline {
				m.arm(at, Remind)
			}
		}
		m.arm(m.Deadline, Breach)
	}
	if m.State == Opened && !m.Queued && t.byID[m.Owner] != nil && m.Moves < t.clock.Reassign.Times {
		m.arm(t.later(m, given, t.clock.Reassign.After), Reassign)
	}
}

// promisedFrom is the instant from which an MQA's promise counts.
func (t *turn) promisedFrom(m *MQA) int64 {
	if t.later(m, m.OpenedAt, t.clock.Deadline) == m.Deadline {
		return m.OpenedAt
	}
	return m.Crossed
}

// count adds a step to the loads and the tally, or takes it out of them.
func (t *turn) count(e *Event, n int) {
	m := &e.MQA
	switch e.Step {
	case StepOpened:
		t.desk.Tally.of(m).Opened += n
	case StepAccepted, StepRejected:
		decided := *m
		decided.Reason = e.Reason
		t.desk.Tally.of(m).count(&decided, n)
	}
	r := t.byID[m.Owner]
	if r == nil || e.Step != StepOpened && (e.Step != StepReassigned || e.From == m.Owner) {
		return
	}
	day, load := r.home.calendar.day(e.At), t.desk.Loads[r.id]
	switch {
	case load.Day == day:
		load.N = max(load.N+n, 0)
	case load.Day < day && n > 0:
		load = Load{Day: day, N: n}
	}
	t.desk.Loads[r.id] = load
}

// reasonOf is why an MQA was closed by steps that nobody was told of.
func reasonOf(dropped []Event) string {
	for i := range dropped {
		if dropped[i].Step == StepClosed {
			return dropped[i].Reason
		}
	}
	return ""
}

// redo does once more what people did to an MQA before it was brought back to what
// was published. What is not possible now is left out.
func (t *turn) redo(dropped []Event) {
	verbs := map[StepName]Verb{StepAcknowledged: Ack, StepAccepted: Accept, StepRejected: Reject, StepReassigned: ReassignVerb}
	for i := range dropped {
		e := &dropped[i]
		verb, said := verbs[e.Step]
		if !said || e.Step == StepReassigned && (e.MQA.Rule != "" || e.Reason == reasonBreached || e.Reason == reasonPlan || e.Reason == reasonQueue) {
			continue
		}
		c := Command{Verb: verb, Account: e.MQA.Account, Seq: e.MQA.Seq, By: e.By, Reason: e.Reason, To: e.MQA.Owner, Force: true}
		_, _ = t.command(c) // what was published may rule it out
	}
}
