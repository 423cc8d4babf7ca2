package offline

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"tidemark/scoring"
)

// Encoder turns a crossing into a line.
type Encoder interface {
	Change(account string, c *scoring.Crossing) ([]byte, error)
}

// Runner scores a history. Profiles come first, then events in order of arrival,
// then Finish.
type Runner struct {
	model    *scoring.Model
	until    int64
	encoder  Encoder
	spool    *spool
	accounts map[string]*account
	aliases  map[string]alias
	// latest is the latest event time read: the arrival of the next event and
	// the low watermark.
	latest  int64
	started bool
	tally   Tally
}

// Tally counts what became of the inputs.
type Tally struct {
	Counted, Duplicate, Unmatched, Outdated, Unscored int
	After                                             int // after --until, not applied
	Changes                                           int
}

type account struct {
	*scoring.Account
	// waiting are the profiles of --profiles that are not in effect yet, by time.
	waiting []*scoring.Event
}

type alias struct {
	account string
	time    int64
}

// Score is an account's standing at --until.
type Score struct {
	Account string  `json:"account"`
	Score   float64 `json:"score"`
	Tier    string  `json:"tier"`
	Seq     uint64  `json:"seq"`
	Clock   int64   `json:"-"` // Unix milliseconds
}

// New makes a runner that stops at the instant until, Unix milliseconds. Changes
// wait in the spool, which the caller owns.
func New(m *scoring.Model, until int64, enc Encoder, spoolFile io.ReadWriteSeeker) *Runner {
	return &Runner{
		model: m, until: until, encoder: enc, spool: &spool{file: spoolFile},
		accounts: map[string]*account{}, aliases: map[string]alias{},
	}
}

// Profile takes a profile that is known beforehand. It takes effect at its own
// time or at its account's first event, whichever is earlier; its domains are
// known from the start. A tombstone among them takes the profiles before it back,
// as in a compacted topic.
func (r *Runner) Profile(e *scoring.Event) {
	a := r.account(e.Account)
	if e.Kind == scoring.KindTombstone {
		for _, p := range a.waiting {
			r.claim(&scoring.Event{Account: e.Account}, p.Profile)
		}
		a.waiting = nil
		return
	}
	i, _ := slices.BinarySearchFunc(a.waiting, e.Time+1, func(w *scoring.Event, t int64) int { return cmp.Compare(w.Time, t) })
	a.waiting = slices.Insert(a.waiting, i, e)
	r.claim(e, nil)
}

// Event applies the next event of the history.
func (r *Runner) Event(e *scoring.Event) error {
	arrived := e.Time
	if r.started {
		arrived = r.latest
	}
	watermark := min(arrived, r.until)
	if !r.started || e.Time > r.latest {
		r.latest, r.started = e.Time, true
	}
	if e.Time > r.until {
		r.tally.After++
		return nil
	}
	return r.apply(e, arrived, watermark)
}

func (r *Runner) apply(e *scoring.Event, arrived, watermark int64) error {
	in := *e
	in.Arrived = arrived
	if in.Account == "" {
		in.Account = r.resolve(in.Domain)
	}
	if in.Kind == scoring.KindOutcome || in.Kind == scoring.KindEvent && !r.model.Matches(&in) {
		r.count(map[bool]scoring.Effect{true: scoring.Unscored, false: scoring.Unmatched}[in.Kind == scoring.KindOutcome])
		return nil
	}
	a := r.account(in.Account)
	if err := r.settle(in.Account, a, in.Time); err != nil {
		return err
	}
	before, _ := a.Profile()
	out := r.model.Apply(a.Account, &in, watermark)
	r.count(out.Effect)
	if out.ProfileChanged {
		r.claim(&in, before)
	}
	return r.keep(in.Account, out)
}

// settle puts the waiting profiles into effect as of the account's first event.
func (r *Runner) settle(name string, a *account, first int64) error {
	for _, p := range a.waiting {
		in := *p
		in.Time = min(p.Time, first)
		in.Arrived = in.Time
		if err := r.keep(name, r.model.Apply(a.Account, &in, in.Time)); err != nil {
			return err
		}
	}
	a.waiting = nil
	return nil
}

func (r *Runner) keep(name string, out scoring.Outcome) error {
	for i := range out.Crossings {
		c := &out.Crossings[i]
		line, err := r.encoder.Change(name, c)
		if err != nil {
			return fmt.Errorf("encode %s/%d: %w", name, c.Seq, err)
		}
		if err := r.spool.add(name, c, line); err != nil {
			return err
		}
		r.tally.Changes++
	}
	return nil
}

func (r *Runner) account(name string) *account {
	a, ok := r.accounts[name]
	if !ok {
		a = &account{Account: &scoring.Account{}}
		r.model.Open(a.Account)
		r.accounts[name] = a
	}
	return a
}

func (r *Runner) resolve(domain string) string {
	if a, ok := r.aliases[domain]; ok {
		return a.account
	}
	return domain
}

// claim gives a profile's domains to its account and takes those that the profile
// before had and this one has not. Of two claims the later has it.
func (r *Runner) claim(e *scoring.Event, before *scoring.Profile) {
	var now []string
	if e.Profile != nil {
		now = e.Profile.Domains
	}
	if before != nil {
		for _, d := range before.Domains {
			if r.aliases[d].account == e.Account && !slices.Contains(now, d) {
				delete(r.aliases, d)
			}
		}
	}
	for _, d := range now {
		if held, ok := r.aliases[d]; !ok || e.Time >= held.time {
			r.aliases[d] = alias{e.Account, e.Time}
		}
	}
}

func (r *Runner) count(e scoring.Effect) {
	switch e {
	case scoring.Counted:
		r.tally.Counted++
	case scoring.Duplicate:
		r.tally.Duplicate++
	case scoring.Unmatched:
		r.tally.Unmatched++
	case scoring.Outdated:
		r.tally.Outdated++
	case scoring.Unscored:
		r.tally.Unscored++
	}
}

// Finish does what time alone does until the end, writes the changes in order of
// (time, account, seq) and calls score for each account in order of name.
func (r *Runner) Finish(changes func(line []byte) error, score func(Score) error) (Tally, error) {
	names := make([]string, 0, len(r.accounts))
	for name := range r.accounts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := r.finish(name, r.accounts[name]); err != nil {
			return r.tally, err
		}
	}
	if err := r.spool.each(changes); err != nil {
		return r.tally, err
	}
	for _, name := range names {
		a := r.accounts[name].Account
		if !a.Known() {
			continue
		}
		s := Score{Account: name, Score: r.model.Score(a, r.until), Tier: r.model.Tier(a), Seq: a.Seq, Clock: a.Clock}
		if err := score(s); err != nil {
			return r.tally, err
		}
	}
	return r.tally, nil
}

func (r *Runner) finish(name string, a *account) error {
	for _, p := range a.waiting {
		if p.Time > r.until {
			break
		}
		p.Arrived = p.Time
		if err := r.keep(name, r.model.Apply(a.Account, p, p.Time)); err != nil {
			return err
		}
	}
	a.waiting = nil
	return r.keep(name, r.model.Advance(a.Account, r.until))
}
