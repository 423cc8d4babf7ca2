package route

import (
	"cmp"
	"maps"
	"slices"
)

// Desk is all that routing remembers but the accounts that left it. The zero value is
// not usable: NewDesk makes an empty one.
type Desk struct {
	// MQAs are by account. Plan's methods alone change them.
	MQAs map[string]*MQA
	Shared
}

// Shared is the part of a Desk that belongs to no account.
type Shared struct {
	Plan  string                    `json:"plan"`  // the hash of the plan under which the desk stands
	Turns map[string]map[string]int `json:"turns"` // by team and rep: the smooth round robin's weights
	Loads map[string]Load           `json:"loads"` // by rep
	// Drains are when a team's queue is looked at next, for teams that have one.
	Drains map[string]int64 `json:"drains"`
	Tally  Tally            `json:"tally"`
}

// Load is how many MQAs a rep was given on a local day.
type Load struct {
	Day string `json:"day"`
	N   int    `json:"n"`
}

// NewDesk makes an empty desk.
func NewDesk() *Desk {
	d := &Desk{MQAs: map[string]*MQA{}}
	d.fill()
	return d
}

// fill makes what JSON may have left out.
func (s *Shared) fill() {
	if s.Turns == nil {
		s.Turns = map[string]map[string]int{}
	}
	if s.Loads == nil {
		s.Loads = map[string]Load{}
	}
	if s.Drains == nil {
		s.Drains = map[string]int64{}
	}
	if s.Tally == nil {
		s.Tally = Tally{}
	}
}

// Restore makes a desk of what was stored.
func Restore(shared Shared, mqas []*MQA) *Desk {
	d := &Desk{MQAs: make(map[string]*MQA, len(mqas)), Shared: shared}
	d.fill()
	for _, m := range mqas {
		d.MQAs[m.Account] = m
	}
	return d
}

// Sorted are the MQAs on the desk, the best first: by score, then by the time of the
// crossing.
func (d *Desk) Sorted() []*MQA {
	out := slices.Collect(maps.Values(d.MQAs))
	slices.SortFunc(out, better)
	return out
}

// better orders MQAs best first.
func better(a, b *MQA) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Crossed, b.Crossed), cmp.Compare(a.Account, b.Account))
}

// queue are the MQAs that wait for a team, best first.
func (d *Desk) queue(team string) []*MQA {
	var out []*MQA
	for _, m := range d.MQAs {
		if m.Queued && m.Team == team {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, better)
	return out
}

// Position is the place of a queued MQA in its team's queue, from 1; 0 for one that
// does not wait.
func (d *Desk) Position(m *MQA) int {
	if !m.Queued {
		return 0
	}
	place := 1
	for _, other := range d.MQAs {
		if other.Queued && other.Team == m.Team && better(other, m) < 0 {
			place++
		}
	}
	return place
}

// Next is the earliest instant at which Tick has something to do.
func (d *Desk) Next() (at int64, ok bool) {
	note := func(t int64) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	for _, m := range d.MQAs {
		if len(m.Timers) > 0 {
			note(m.Timers[0].At)
		}
	}
	for _, t := range d.Drains {
		note(t)
	}
	return at, ok
}

// Step is what one input did: what is to be published and stored, in one piece.
type Step struct {
	Events []Event
	// Put are accounts whose MQA is new or changed, Drop those that left the desk.
	Put, Drop []string
	// Past is what to remember of accounts that left; nil: nothing more.
	Past map[string]*Past
}

// Empty reports whether there is nothing to store.
func (s *Step) Empty() bool { return len(s.Events)+len(s.Put)+len(s.Drop)+len(s.Past) == 0 }

// turn is one call of a Plan upon a Desk: it collects the Step.
type turn struct {
	*Plan
	desk    *Desk
	now     int64
	events  []Event
	touched map[string]bool
	past    map[string]*Past
}

func (p *Plan) turn(d *Desk, now int64) *turn {
	return &turn{Plan: p, desk: d, now: now, touched: map[string]bool{}, past: map[string]*Past{}}
}

func (t *turn) touch(m *MQA) { t.touched[m.Account] = true }

// leave takes an account off the desk.
func (t *turn) leave(m *MQA) {
	delete(t.desk.MQAs, m.Account)
	t.touch(m)
	past := &Past{Last: m.Last, At: t.now}
	if m.Until > t.now {
		past.Until, past.Above = m.Until, m.Above
	}
	t.past[m.Account] = past
}

func (t *turn) step() *Step {
	out := &Step{Events: t.events, Past: t.past}
	for _, account := range slices.Sorted(maps.Keys(t.touched)) {
		if t.desk.MQAs[account] != nil {
			out.Put = append(out.Put, account)
		} else {
			out.Drop = append(out.Drop, account)
		}
	}
	return out
}
