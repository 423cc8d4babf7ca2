package route

import (
	"encoding/json"
	"fmt"
	"time"
)

// Change is what routing reads of a tier change.
type Change struct {
	Account string
	Seq     uint64
	At      int64 // the crossing's instant
	To      string
	MQA     bool // it entered an MQA tier from one that is none
	Stays   bool // To is an MQA tier: whoever knows the model fills it in
	Score   float64
	Signal  string // the one with the most points
	Model   ModelRef
	Profile map[string]any
}

// ParseChange reads a tier change as it is published; Stays is left to the caller.
func ParseChange(value []byte) (*Change, error) {
	var c struct {
		Time time.Time `json:"time"`
		Data struct {
			Account string  `json:"account"`
			Seq     uint64  `json:"seq"`
			To      string  `json:"to"`
			MQA     bool    `json:"mqa"`
			Score   float64 `json:"score"`
			Receipt struct {
				Groups []struct {
					Signals []struct {
						Name   string  `json:"name"`
						Points float64 `json:"points"`
					} `json:"signals"`
				} `json:"groups"`
			} `json:"receipt"`
			Model   ModelRef       `json:"model"`
			Profile map[string]any `json:"profile"`
		} `json:"data"`
	}
	if err := json.Unmarshal(value, &c); err != nil {
		return nil, fmt.Errorf("tier change: %w", err)
	}
	if c.Data.Account == "" || c.Data.Seq == 0 {
		return nil, fmt.Errorf("tier change: account %q and seq %d, both are required", c.Data.Account, c.Data.Seq)
	}
	out := &Change{
		Account: c.Data.Account, Seq: c.Data.Seq, At: c.Time.UnixMilli(), To: c.Data.To, MQA: c.Data.MQA, Score: c.Data.Score,
		Model: c.Data.Model, Profile: c.Data.Profile,
	}
	most := 0.0
	for _, g := range c.Data.Receipt.Groups {
		for _, s := range g.Signals {
			if s.Points > most {
				out.Signal, most = s.Name, s.Points
			}
		}
	}
	return out, nil
}

// Change takes a tier change in. Past is what is remembered of an account that is not
// on the desk, nil for nothing. A change that was taken in before does nothing.
func (p *Plan) Change(d *Desk, past *Past, c *Change, now int64) *Step {
	t := p.turn(d, now)
	t.tick()
	t.change(past, c)
	return t.step()
}

func (t *turn) change(past *Past, c *Change) {
	m := t.desk.MQAs[c.Account]
	if past == nil {
		past = &Past{}
	}
	if m != nil && m.Attributes == nil && c.Seq == m.Seq { // it was upheld, from an event that has none
		m.Attributes = c.Profile
		t.touch(m)
	}
	if m != nil && c.Seq <= m.Last || m == nil && c.Seq <= past.Last {
		return
	}
	if m != nil {
		m.Last, m.Score, m.Tier = c.Seq, c.Score, c.To
		t.touch(m)
	}
	switch {
	case c.MQA:
		until, above := past.Until, past.Above
		if m != nil { // its exit never came
			until, above = m.Until, m.Above
			t.close(m, "superseded")
		}
		t.enter(c, until, above)
	case m == nil:
	case !c.Stays:
		t.close(m, "")
	case m.State == Held && c.Score >= m.Above:
		t.enter(c, 0, 0)
	case m.State == Rejected && c.Score >= m.Above && m.Until > t.now:
		t.close(m, "new evidence")
		t.enter(c, 0, 0)
	}
}

// enter puts an account on the desk: opened, or held while it is snoozed and brings
// too little new evidence.
func (t *turn) enter(c *Change, until int64, above float64) {
	m := &MQA{
		Account: c.Account, Seq: c.Seq, Last: c.Seq, Tier: c.To, Score: c.Score, Crossed: c.At,
		Signal: c.Signal, Model: c.Model, Attributes: c.Profile,
	}
	t.desk.MQAs[c.Account] = m
	if until > t.now && c.Score < above {
		m.State, m.Until, m.Above = Held, until, above
		m.arm(until, Wake)
		t.touch(m)
		return
	}
	t.open(m, c.At)
}

// open gives an MQA its first owner. The promise counts from an instant: that of the
// crossing, however late it is read.
func (t *turn) open(m *MQA, from int64) {
	m.State, m.OpenedAt, m.Until, m.Above = Opened, t.now, 0, 0
	t.place(m, nil)
	t.promise(m, min(from, t.now))
	t.emit(m, StepOpened, Event{})
	t.desk.Tally.of(m).Opened++
	t.fire(m) // what is late already
}

// close takes an MQA off the desk; reason is empty where the account left the tier.
func (t *turn) close(m *MQA, reason string) {
	t.dequeue(m)
	t.kept(m)
	if m.State != Held {
		if reason == "" {
			reason = "left the tier"
		}
		t.emit(m, StepClosed, Event{Reason: reason})
	}
	t.leave(m)
}
