package route

// Adopt puts a desk under this plan, if it stood under another: MQAs whose owner is in
// the plan no more go to somebody who is, and queues are looked at anew. Deadlines
// stay as they were promised.
func (p *Plan) Adopt(d *Desk, now int64) *Step {
	t := p.turn(d, now)
	if d.Plan == p.hash {
		return t.step()
	}
	d.Plan = p.hash
	t.tick()
	clear(d.Drains)
	for _, m := range d.Sorted() {
		switch {
		case !m.undecided():
		case m.Queued, !t.here(m.Owner):
			t.again(m)
		}
	}
	return t.step()
}

// here reports whether somebody may own MQAs under the plan.
func (t *turn) here(owner string) bool {
	if owner == t.fallback || t.byID[owner] != nil {
		return true
	}
	for _, of := range t.teams {
		if of.lead == owner {
			return true
		}
	}
	return false
}

// again places an MQA by the present rules.
func (t *turn) again(m *MQA) {
	before, waited, team := m.Owner, m.Queued, m.Team
	m.Queued = false
	t.place(m, nil)
	t.touch(m)
	if m.Owner != before || m.Queued != waited || m.Team != team {
		t.emit(m, StepReassigned, Event{From: before, Reason: reasonPlan})
	}
}
