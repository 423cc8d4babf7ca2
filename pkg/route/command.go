package route

import (
	"errors"
	"fmt"
	"strings"
)

// Verb is what a person does to an MQA.
type Verb string

// The verbs.
const (
	Ack          Verb = "ack"
	Accept       Verb = "accept"
	Reject       Verb = "reject"
	ReassignVerb Verb = "reassign"
)

// Command is one thing that a person does.
type Command struct {
	Verb    Verb
	Account string
	Seq     uint64 // 0: whichever is on the desk
	By      string // who does it, an id; may be empty
	Reason  string // of a rejection
	To      string // of a reassignment: a rep, or empty for whoever is next
	Force   bool   // a reassignment over the cap, out of hours or during an absence
}

// Why a command was refused. Whoever calls shows the message; ErrUnknown and ErrState
// are no fault of the command's form.
var (
	// ErrUnknown: no such MQA is on the desk.
	ErrUnknown = errors.New("no such MQA")
	// ErrState: the MQA is not in a state in which this can be done.
	ErrState = errors.New("not possible now")
	// ErrCommand: the command itself is wrong.
	ErrCommand = errors.New("wrong command")
)

// Command does what a person asks. What is done already is done again without effect.
// After an error the desk may have moved on to now, and the Step must be stored all
// the same.
func (p *Plan) Command(d *Desk, c Command, now int64) (*Step, *MQA, error) {
	t := p.turn(d, now)
	t.tick()
	m, err := t.command(c)
	return t.step(), m, err
}

// mostReason bounds what a person says in words of their own.
const mostReason = 200

func (t *turn) command(c Command) (*MQA, error) {
	if c.By != "" && !identifier.MatchString(c.By) {
		return nil, fmt.Errorf("%w: by %q is not an id: letters, digits, . - and _, at most 64; no e-mail address", ErrCommand, c.By)
	}
	if len(c.Reason) > mostReason || strings.Contains(c.Reason, "@") {
		return nil, fmt.Errorf("%w: a reason has at most %d bytes, and no e-mail address: it goes into events", ErrCommand, mostReason)
	}
	m := t.desk.MQAs[c.Account]
	if m == nil || m.State == Held || c.Seq != 0 && m.Seq != c.Seq {
		return nil, fmt.Errorf("%w: %s has no MQA%s on the desk", ErrUnknown, c.Account, ofSeq(c.Seq))
	}
	switch c.Verb {
	case Ack:
		t.ack(m, c)
		return m, nil
	case Accept:
		return m, t.decide(m, Accepted, StepAccepted, c)
	case Reject:
		return m, t.reject(m, c)
	case ReassignVerb:
		return m, t.handOver(m, c)
	}
	return nil, fmt.Errorf("%w: %q is not one of ack, accept, reject, reassign", ErrCommand, c.Verb)
}

func ofSeq(seq uint64) string {
	if seq == 0 {
		return ""
	}
	return fmt.Sprintf(" with seq %d", seq)
}

func (t *turn) ack(m *MQA, c Command) {
	if m.State != Opened {
		return // it is seen, whatever was said since
	}
	m.State, m.Acked = Acknowledged, t.now
	t.dequeue(m)
	m.cancel(Reassign)
	if !t.clock.Decided {
		t.kept(m)
	}
	t.emit(m, StepAcknowledged, Event{By: c.By})
}

func (t *turn) decide(m *MQA, to State, step StepName, c Command) error {
	if m.State == to {
		return nil
	}
	if !m.undecided() {
		return fmt.Errorf("%w: %s/%d is %s already", ErrState, m.Account, m.Seq, m.State)
	}
	m.State, m.Decided, m.Reason = to, t.now, c.Reason
	if m.Acked == 0 {
		m.Acked = t.now
	}
	t.dequeue(m)
	t.kept(m)
	t.emit(m, step, Event{By: c.By, Reason: c.Reason})
	t.desk.Tally.of(m).decided(m)
	return nil
}

// reject refuses an MQA, and snoozes its account as the reason says.
func (t *turn) reject(m *MQA, c Command) error {
	r, known := t.reason(c.Reason)
	if !known {
		return fmt.Errorf("%w: reason %q is not one of %s", ErrCommand, c.Reason, strings.Join(t.Reasons(), ", "))
	}
	before := m.State
	if err := t.decide(m, Rejected, StepRejected, c); err != nil || before == Rejected {
		return err
	}
	t.reasoned(m, r, t.now)
	return nil
}

// reasoned lets an MQA's account rest, as the reason of its rejection says.
func (t *turn) reasoned(m *MQA, r ReasonSpec, at int64) {
	if r.Snooze == 0 {
		return
	}
	m.Until, m.Above = at+r.Snooze, m.Score+r.Points
	if r.Points == 0 {
		m.Above = never
	}
}

// never is a score that nobody has.
const never = 1e9

// handOver gives an MQA to a rep that a person names, or to the next.
func (t *turn) handOver(m *MQA, c Command) error {
	if !m.undecided() {
		return fmt.Errorf("%w: %s/%d is %s already", ErrState, m.Account, m.Seq, m.State)
	}
	to := t.byID[c.To]
	switch {
	case c.To == m.Owner && c.To != "":
		return nil
	case c.To == t.fallback:
		t.give(m, t.fallback, c)
		return nil
	case c.To == "":
		choice := t.choose(m, append(m.Had, m.Owner))
		if to = choice.rep; to == nil {
			return fmt.Errorf("%w: nobody else is free for %s; name a rep, with force if need be", ErrState, m.Account)
		}
	case to == nil:
		return fmt.Errorf("%w: there is no rep %q", ErrCommand, c.To)
	case !c.Force && !t.free(to):
		return fmt.Errorf("%w: %s is away, out of hours, or has had today's %d; use force to insist", ErrState, to.id, to.cap)
	}
	t.give(m, to.id, c)
	return nil
}

// give makes somebody the owner because a person said so.
func (t *turn) give(m *MQA, owner string, c Command) {
	from := m.Owner
	t.dequeue(m)
	m.Had = append(m.Had, from)
	if r := t.byID[owner]; r != nil {
		t.assign(m, r.home, r, nil)
	} else {
		m.Owner, m.Team = owner, ""
		m.cancel(Reassign)
	}
	m.Rule = ""
	t.emit(m, StepReassigned, Event{From: from, By: c.By, Reason: c.Reason})
}
