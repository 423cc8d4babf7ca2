package route

import (
	"maps"
	"slices"

	"tidemark/scoring"
)

// choice is where an MQA goes. Without a rep it waits in the team's queue; without
// either it is the fallback's.
type choice struct {
	rule string
	team *team
	rep  *rep
}

// choose asks the rules in order for an owner now. Reps in avoid had their chance.
func (t *turn) choose(m *MQA, avoid []string) choice {
	env := environment(m)
	for _, r := range t.rules {
		if r.holds != nil && r.holds(env) != scoring.True {
			continue
		}
		if r.team != nil {
			return choice{r.name, r.team, t.next(r.team, avoid)}
		}
		one := r.rep
		if one == nil {
			one = t.named(env[r.owner])
		}
		// An account's own rep who is away, or let it lie, leaves it to the rules below.
		if one == nil || one.absentAt(t.now) || slices.Contains(avoid, one.id) {
			continue
		}
		if t.free(one) {
			return choice{r.name, one.home, one}
		}
		return choice{r.name, one.home, nil}
	}
	return choice{}
}

// environment is what the rules' expressions read: the published attributes and, over
// them, the change's own fields.
func environment(m *MQA) map[string]any {
	env := maps.Clone(m.Attributes)
	if env == nil {
		env = map[string]any{}
	}
	env["account"], env["tier"], env["score"] = m.Account, m.Tier, m.Score
	env["signal"] = m.Signal
	return env
}

func (t *turn) named(value any) *rep {
	name, _ := value.(string)
	return t.byName[known(name)]
}

// free reports whether the rep may be given an MQA now.
func (t *turn) free(r *rep) bool {
	return r.home.calendar.open(t.now) && !r.absentAt(t.now) && (r.cap == 0 || t.given(r) < r.cap)
}

// given is how many MQAs the rep was given on the present local day.
func (t *turn) given(r *rep) int {
	if l := t.desk.Loads[r.id]; l.Day == r.home.calendar.day(t.now) {
		return l.N
	}
	return 0
}

// next is whose turn it is of a team's free reps, by smooth weighted round robin: each
// gains its weight, the one with most goes and pays the sum. (Weights 2 and 1 give
// a b a, not a a b.) The turn is taken by assign.
func (t *turn) next(of *team, avoid []string) *rep {
	var best *rep
	most := 0
	for _, r := range t.candidates(of, avoid) {
		if has := t.desk.Turns[of.id][r.id] + r.weight; best == nil || has > most {
			best, most = r, has
		}
	}
	return best
}

func (t *turn) candidates(of *team, avoid []string) []*rep {
	var out []*rep
	for _, r := range of.reps {
		if t.free(r) && !slices.Contains(avoid, r.id) {
			out = append(out, r)
		}
	}
	return out
}

// take settles the round robin after r was chosen of a team.
func (t *turn) take(of *team, r *rep, avoid []string) {
	turns := t.desk.Turns[of.id]
	if turns == nil {
		turns = map[string]int{}
		t.desk.Turns[of.id] = turns
	}
	sum := 0
	for _, c := range t.candidates(of, avoid) {
		turns[c.id] += c.weight
		sum += c.weight
	}
	turns[r.id] -= sum
}

// place gives an MQA to whoever the rules choose. It reports whether a rep or the
// fallback has it for good; false: it waits in a queue, or moved between queues.
func (t *turn) place(m *MQA, avoid []string) bool {
	c := t.choose(m, avoid)
	m.Rule = c.rule
	if c.rep == nil && c.team != nil {
		t.enqueue(m, c.team)
		return false
	}
	if c.rep == nil {
		m.Owner, m.Team, m.Queued = t.fallback, "", false
	} else {
		t.assign(m, c.team, c.rep, avoid)
	}
	return true
}

// assign gives an MQA to a rep of a team.
func (t *turn) assign(m *MQA, of *team, r *rep, avoid []string) {
	if slices.Contains(of.reps, r) {
		t.take(of, r, avoid)
	}
	t.desk.Loads[r.id] = Load{Day: r.home.calendar.day(t.now), N: t.given(r) + 1}
	m.Owner, m.Team, m.Queued = r.id, of.id, false
	t.armReassign(m)
	t.touch(m)
}

// enqueue lets an MQA wait for a team; its lead, or the fallback, owns it meanwhile.
func (t *turn) enqueue(m *MQA, of *team) {
	m.Owner, m.Team, m.Queued = t.holder(of), of.id, true
	m.cancel(Reassign)
	t.armDrain(of)
	t.touch(m)
}

// armDrain notes when somebody of a team may next be given something: when anybody's
// working period begins. A full day ends at midnight, and the next period is behind it.
func (t *turn) armDrain(of *team) {
	if _, armed := t.desk.Drains[of.id]; !armed {
		t.desk.Drains[of.id] = t.soonest(of)
	}
}

// soonest is the next beginning of anybody's working period in a team.
func (t *turn) soonest(of *team) int64 {
	var soonest int64
	for _, r := range of.reps {
		if at := r.home.calendar.next(t.now); soonest == 0 || at < soonest {
			soonest = at
		}
	}
	return soonest
}

// dequeue ends an MQA's waiting.
func (t *turn) dequeue(m *MQA) {
	if !m.Queued {
		return
	}
	m.Queued = false
	if of := t.teams[m.Team]; of != nil && len(t.desk.queue(of.id)) == 0 {
		delete(t.desk.Drains, of.id)
	}
}

// drain hands out a team's queue, best first, and looks again later if some is left.
func (t *turn) drain(of *team) {
	delete(t.desk.Drains, of.id)
	left := false
	for _, m := range t.desk.queue(of.id) {
		before := m.Owner
		// Nobody had it while it waited: whoever let it lie before is asked again.
		if t.place(m, nil) || m.Owner != before {
			t.emit(m, StepReassigned, Event{From: before, Reason: reasonQueue})
		}
		left = left || m.Queued && m.Team == of.id
	}
	if left {
		t.armDrain(of)
	}
}
