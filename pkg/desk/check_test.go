package desk_test

import (
	"slices"
	"testing"

	"tidemark/pkg/desk"
	"tidemark/pkg/route"
)

// check holds what was published against what was promised.
func (f *fortnight) check() {
	f.t.Helper()
	c := checker{fortnight: f, t: f.t, last: map[string]step{}, given: map[string]int{}, counts: map[string]int{}}
	for _, value := range f.published {
		c.event(parseStep(f.t, value))
	}
	for account, s := range c.last {
		if s.Data.Step != "closed" {
			c.promise(s, f.now, account)
		}
	}
	for _, name := range []string{"opened", "reminded", "reassigned", "acknowledged", "accepted", "rejected", "breached", "closed", "queued", "from queue"} {
		if c.counts[name] < 20 {
			f.t.Errorf("only %d times %s: this shows nothing", c.counts[name], name)
		}
	}
}

type checker struct {
	*fortnight
	t      *testing.T
	last   map[string]step // by account
	given  map[string]int  // by rep and local day
	counts map[string]int
}

func (c *checker) event(s step) {
	d, before := &s.Data, c.last[s.Data.Account]
	c.counts[d.Step]++
	if d.Position > 0 && d.Step == "opened" {
		c.counts["queued"]++
	}
	if d.Reason == "queue" {
		c.counts["from queue"]++
	}
	c.sequence(s, before)
	c.owner(s, before)
	c.last[d.Account] = s
	if d.Step == "opened" {
		if at := d.Deadline.UnixMilli(); at != c.office.deadline(d.Crossed.UnixMilli(), d.Team) && at != c.office.deadline(d.Opened.UnixMilli(), d.Team) {
			c.t.Errorf("%s: deadline %s, crossed %s, opened %s, team %q", s.ID, d.Deadline, d.Crossed, d.Opened, d.Team)
		}
		return
	}
	switch d.Step {
	case "accepted", "rejected", "closed":
		c.promise(before, s.Time.UnixMilli(), s.ID)
	case "acknowledged":
		if !c.office.decided {
			c.promise(before, s.Time.UnixMilli(), s.ID)
		}
	case "breached":
		c.breach(s, before)
	}
}

// sequence: an account has one MQA at a time, whose steps are numbered without a gap.
func (c *checker) sequence(s, before step) {
	d, b := &s.Data, &before.Data
	fresh := before.ID == "" || b.Step == "closed"
	switch {
	case fresh != (d.Step == "opened"), fresh && d.N != 1, !fresh && (d.Seq != b.Seq || d.N != b.N+1), s.Time.Before(before.Time):
		c.t.Errorf("%s (%s at %s) follows %s (%s at %s)", s.ID, d.Step, s.Time, before.ID, b.Step, before.Time)
	}
}

// owner: exactly one, who changes by an event that says so; nobody is given anything
// beyond their cap, out of hours or while away.
func (c *checker) owner(s, before step) {
	d, at := &s.Data, s.Time.UnixMilli()
	p := c.office.reps[d.Owner]
	known := p != nil || d.Owner == "ops" || c.office.teams["emea"].lead == d.Owner || c.office.teams["us"].lead == d.Owner || c.office.teams["apac"].lead == d.Owner
	switch {
	case !known:
		c.t.Errorf("%s: owner %q", s.ID, d.Owner)
	case d.Step == "reassigned" && d.Previous != before.Data.Owner, d.Step != "reassigned" && d.Step != "opened" && d.Owner != before.Data.Owner:
		c.t.Errorf("%s (%s): owner %s, before it %s (said to be %s)", s.ID, d.Step, d.Owner, before.Data.Owner, d.Previous)
	case d.Position > 0 && p != nil:
		c.t.Errorf("%s waits and is %s's", s.ID, d.Owner)
	}
	if d.Step != "opened" && d.Step != "reassigned" || p == nil || d.Step == "reassigned" && d.Previous == d.Owner {
		return
	}
	if !p.works(at) {
		c.t.Errorf("%s is given to %s at %s", s.ID, p.id, s.Time.In(p.home.zone))
	}
	today := p.id + " on " + p.home.day(at)
	if c.given[today]++; c.given[today] > p.cap {
		c.t.Errorf("%s is number %d for %s, whose cap is %d", s.ID, c.given[today], today, p.cap)
	}
}

// promise: by the time somebody kept the promise, or nobody can any more, a deadline
// that had passed was told.
func (c *checker) promise(before step, at int64, id string) {
	d := &before.Data
	settled := d.State == "accepted" || d.State == "rejected" || !c.office.decided && d.State == "acknowledged"
	if late := d.Deadline.UnixMilli() <= at; late != d.Breached && !settled {
		if until, down := c.down(); down && until > at && at == c.now {
			return // nobody was there to tell yet
		}
		c.t.Errorf("%s: deadline %s, settled at %d, breached: %v", id, d.Deadline, at, d.Breached)
	}
}

// breach: told once, and as soon as anybody was there.
func (c *checker) breach(s, before step) {
	at, deadline := s.Time.UnixMilli(), s.Data.Deadline.UnixMilli()
	if before.Data.Breached || at < deadline {
		c.t.Errorf("%s: breached at %s, deadline %s, breached before: %v", s.ID, s.Time, s.Data.Deadline, before.Data.Breached)
	}
	first := max(deadline, s.Data.Opened.UnixMilli())
	for _, o := range c.outages {
		if o.from <= first && first < o.to {
			first = o.to
		}
	}
	if at > first && c.mode != withOutages {
		c.t.Errorf("%s: told at %s, %d ms late", s.ID, s.Time, at-first)
	}
}

// watch looks at the desk around each step: a queue is served in order, and nobody
// waits in it while a rep of the team is free.
type watch struct {
	f     *fortnight
	given map[string]int
	seen  int
}

type waiting struct {
	account, rule string
	score         float64
	crossed       int64
}

func (w *watch) init(f *fortnight) { w.f, w.given = f, map[string]int{} }

func (w *watch) step(d *desk.Desk, do func() error) error {
	if w.f.mode != calmly { // to look is to load anew, and it would hide conflicts
		return do()
	}
	before := w.look(d)
	if err := do(); err != nil {
		return err
	}
	after := w.look(d)
	for team, queue := range before {
		left := map[string]bool{}
		for _, m := range after[team] {
			left[m.account] = m.rule != "account owner" // that waits for one rep, whoever else is free
		}
		passed := ""
		for _, m := range queue {
			_, waits := w.find(after[team], m.account)
			switch {
			case left[m.account] && passed == "":
				passed = m.account
			case !waits && m.rule != "account owner" && passed != "" && w.assigned(d, m.account):
				w.f.t.Errorf("%s left the queue of %s before %s, which is better", m.account, team, passed)
			}
		}
	}
	return nil
}

func (w *watch) find(queue []waiting, account string) (waiting, bool) {
	for _, m := range queue {
		if m.account == account {
			return m, true
		}
	}
	return waiting{}, false
}

// look is the stored queues, best first.
func (w *watch) look(d *desk.Desk) map[string][]waiting {
	out := map[string][]waiting{}
	if err := d.Look(w.f.t.Context(), func(desk *route.Desk) {
		for _, m := range desk.Sorted() {
			if m.Queued {
				out[m.Team] = append(out[m.Team], waiting{m.Account, m.Rule, m.Score, m.Crossed})
			}
			if (m.Owner == "") != (m.State == route.Held) {
				w.f.t.Errorf("%s is %s and has owner %q", m.Account, m.State, m.Owner)
			}
		}
	}); err != nil {
		w.f.t.Fatal(err)
	}
	return out
}

// assigned reports whether an account has a rep now.
func (w *watch) assigned(d *desk.Desk, account string) (yes bool) {
	if err := d.Look(w.f.t.Context(), func(desk *route.Desk) {
		m := desk.MQAs[account]
		yes = m != nil && w.f.office.reps[m.Owner] != nil
	}); err != nil {
		w.f.t.Fatal(err)
	}
	return yes
}

// idle: nobody is free whom a queue waits for. It is for when all is published.
func (w *watch) idle() {
	if w.f.mode != calmly {
		return
	}
	w.count()
	for team, queue := range w.look(w.f.pump) {
		if !slices.ContainsFunc(queue, func(m waiting) bool { return m.rule != "account owner" }) {
			continue
		}
		for _, p := range w.f.office.teams[team].reps {
			if p.works(w.f.now) && w.given[p.id+" on "+p.home.day(w.f.now)] < p.cap {
				w.f.t.Errorf("%s is free while %d wait for %s", p.id, len(queue), team)
			}
		}
	}
}

// count adds what was given to whom since the last look.
func (w *watch) count() {
	for _, value := range w.f.published[w.seen:] {
		s := parseStep(w.f.t, value)
		p := w.f.office.reps[s.Data.Owner]
		if p != nil && (s.Data.Step == "opened" || s.Data.Step == "reassigned" && s.Data.Previous != s.Data.Owner) {
			w.given[p.id+" on "+p.home.day(s.Time.UnixMilli())]++
		}
	}
	w.seen = len(w.f.published)
}
