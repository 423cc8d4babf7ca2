package offline

import (
	"cmp"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"tidemark/pkg/domain"
	"tidemark/scoring"
)

// Encoder turns a crossing into a line. It is called by several goroutines.
type Encoder interface {
	Change(account string, c *scoring.Crossing) ([]byte, error)
}

// Runner scores a history. Profiles come first, then events in order of arrival,
// then Finish. It works on several accounts at once, and what comes out does not
// depend on it.
type Runner struct {
	model   *scoring.Model
	until   int64
	encoder Encoder
	spool   *spool
	lanes   []*lane
	aliases map[string]alias
	moved   map[string]string // merged accounts, each with the one that it went into
	// latest is the latest event time read: the arrival of the next event and
	// the low watermark.
	latest  int64
	started bool
	waiting int // events in the lanes
	after   int // events after until

	outcome func(*scoring.Event) // nil: nobody asks
}

// Tally counts what became of the inputs.
type Tally struct {
	Counted, Duplicate, Unmatched, Outdated, Unscored int
	After                                             int // after --until, not applied
	Changes                                           int
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

// lanesPerCore is how many lanes there are for each core: with one, the others wait for
// the lane that has the busiest account.
const lanesPerCore = 4

// New makes a runner that stops at the instant until, Unix milliseconds. Changes
// wait in the spool, which the caller owns.
func New(m *scoring.Model, until int64, enc Encoder, spoolFile io.ReadWriteSeeker) *Runner {
	r := &Runner{
		model: m, until: until, encoder: enc, spool: &spool{file: spoolFile},
		lanes: make([]*lane, lanesPerCore*runtime.GOMAXPROCS(0)), aliases: map[string]alias{}, moved: map[string]string{},
	}
	for i := range r.lanes {
		r.lanes[i] = &lane{Runner: r, accounts: map[uint64]*account{}}
	}
	return r
}

// lane is the one that accounts with this hash belong to.
func (r *Runner) lane(hash uint64) *lane { return r.lanes[hash%uint64(len(r.lanes))] }

// find is a known account, or nil.
func (r *Runner) find(name string) *account {
	hash := xxhash.Sum64String(name)
	return r.lane(hash).find(name, hash)
}

// account is an account and its lane, a new one if need be.
func (r *Runner) account(name string) (*lane, *account) {
	hash := xxhash.Sum64String(name)
	l := r.lane(hash)
	return l, l.account(name, hash)
}

// Input is an event for a Runner.
type Input struct {
	Event *scoring.Event
	hash  uint64 // of the account's name
}

// NewInput makes an input of an event, which is the runner's from now on. It may be
// called by several goroutines at once.
func NewInput(e *scoring.Event) Input { return Input{e, xxhash.Sum64String(e.Account)} }

// Profile takes a profile that is known beforehand. It takes effect at its own
// time or at its account's first event, whichever is earlier; its domains are
// known from the start. A tombstone among them takes the profiles before it back,
// as in a compacted topic.
func (r *Runner) Profile(e *scoring.Event) {
	_, a := r.account(e.Account)
	if e.Kind == scoring.KindTombstone {
		for _, p := range a.waiting {
			r.claim(&scoring.Event{Account: e.Account}, p.Profile)
		}
		a.waiting = nil
		return
	}
	own := *e
	e = &own
	i, _ := slices.BinarySearchFunc(a.waiting, e.Time+1, func(w *scoring.Event, t int64) int { return cmp.Compare(w.Time, t) })
	a.waiting = slices.Insert(a.waiting, i, e)
	r.claim(e, nil)
}

// round is how many events the lanes take at a time.
const round = 1 << 14

// Event takes the next event of the history. An error may be that of an earlier one.
func (r *Runner) Event(e *scoring.Event) error {
	own := *e
	return r.Take(NewInput(&own))
}

// Take is Event for one that is the runner's until Flush has returned: it is changed.
func (r *Runner) Take(in Input) error {
	e := in.Event
	e.Arrived = e.Time
	if r.started {
		e.Arrived = r.latest
	}
	if !r.started || e.Time > r.latest {
		r.latest, r.started = e.Time, true
	}
	if e.Time > r.until {
		r.after++
		return nil
	}
	if e.Account == "" {
		e.Account = r.resolve(e.Domain)
		in = NewInput(e)
	}
	if e.Kind == scoring.KindMerge {
		return r.merge(e)
	}
	if len(r.moved) > 0 {
		r.forward(e)
		in = NewInput(e)
	}
	if e.Kind == scoring.KindProfile || e.Kind == scoring.KindTombstone {
		return r.profile(in)
	}
	l := r.lane(in.hash)
	l.inputs = append(l.inputs, in)
	if r.waiting++; r.waiting < round {
		return nil
	}
	return r.Flush()
}

// watermark is the low watermark when the event arrived.
func (r *Runner) watermark(e *scoring.Event) int64 { return min(e.Arrived, r.until) }

// profile applies a profile by itself: whose a domain is depends on it.
func (r *Runner) profile(in Input) error {
	if err := r.Flush(); err != nil {
		return err
	}
	e, l := in.Event, r.lane(in.hash)
	a := l.account(e.Account, in.hash)
	if err := l.settle(a, e.Time); err != nil {
		return err
	}
	before, _ := a.Profile()
	if err := r.moveIn(e, a); err != nil {
		return err
	}
	out, err := l.apply(in)
	if err == nil && out.ProfileChanged {
		r.claim(e, before)
	}
	return err
}

// Flush has the lanes apply what waits in them, and lets go of all events.
func (r *Runner) Flush() error {
	if r.waiting == 0 {
		return nil
	}
	r.waiting = 0
	return r.each(func(l *lane) error {
		defer func() {
			clear(l.inputs)
			l.inputs = l.inputs[:0]
		}()
		for _, in := range l.inputs {
			if _, err := l.apply(in); err != nil {
				return err
			}
		}
		return nil
	})
}

// each does something in all lanes at once.
func (r *Runner) each(do func(*lane) error) error {
	var group errgroup.Group
	for _, l := range r.lanes {
		group.Go(func() error { return do(l) })
	}
	return group.Wait()
}

// resolve is the account of a domain, as pkg/engine finds it.
func (r *Runner) resolve(name string) string {
	for n := name; n != ""; n = domain.Parent(n) {
		if a, ok := r.aliases[n]; ok {
			return a.account
		}
	}
	return name
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

// Finish does what time alone does until the end, writes the changes in order of
// (time, account, seq) and calls score, unless it is nil, for each account in order of name.
func (r *Runner) Finish(changes func(line []byte) error, score func(Score) error) (Tally, error) {
	err := r.Flush()
	if err == nil {
		err = r.each((*lane).finish)
	}
	if err == nil {
		err = r.spool.each(changes)
	}
	if err == nil && score != nil {
		err = r.scores(score)
	}
	tally := Tally{After: r.after}
	for _, l := range r.lanes {
		tally.add(&l.tally)
	}
	return tally, err
}

func (r *Runner) scores(score func(Score) error) error {
	var all []*account
	for _, l := range r.lanes {
		all = slices.AppendSeq(all, l.all)
	}
	slices.SortFunc(all, func(a, b *account) int { return strings.Compare(a.name, b.name) })
	for _, named := range all {
		a := &named.Account
		if !a.Known() {
			continue
		}
		s := Score{Account: named.name, Score: r.model.Score(a, r.until), Tier: r.model.Tier(a), Seq: a.Seq, Clock: a.Clock}
		if err := score(s); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tally) add(u *Tally) {
	t.Counted += u.Counted
	t.Duplicate += u.Duplicate
	t.Unmatched += u.Unmatched
	t.Outdated += u.Outdated
	t.Unscored += u.Unscored
	t.Changes += u.Changes
}
