package offline

import (
	"cmp"
	"io"
	"maps"
	"runtime"
	"slices"

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

// New makes a runner that stops at the instant until, Unix milliseconds. Changes
// wait in the spool, which the caller owns.
func New(m *scoring.Model, until int64, enc Encoder, spoolFile io.ReadWriteSeeker) *Runner {
	r := &Runner{
		model: m, until: until, encoder: enc, spool: &spool{file: spoolFile},
		lanes: make([]*lane, runtime.GOMAXPROCS(0)), aliases: map[string]alias{}, moved: map[string]string{},
	}
	for i := range r.lanes {
		r.lanes[i] = &lane{Runner: r, accounts: map[string]*account{}}
	}
	return r
}

// lane is the one that an account belongs to.
func (r *Runner) lane(account string) *lane {
	return r.lanes[xxhash.Sum64String(account)%uint64(len(r.lanes))]
}

// Profile takes a profile that is known beforehand. It takes effect at its own
// time or at its account's first event, whichever is earlier; its domains are
// known from the start. A tombstone among them takes the profiles before it back,
// as in a compacted topic.
func (r *Runner) Profile(e *scoring.Event) {
	a := r.lane(e.Account).account(e.Account)
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

// round is how many events the lanes take at a time.
const round = 1 << 14

// Event takes the next event of the history. An error may be that of an earlier one.
func (r *Runner) Event(e *scoring.Event) error {
	in := input{event: *e}
	in.event.Arrived = e.Time
	if r.started {
		in.event.Arrived = r.latest
	}
	in.watermark = min(in.event.Arrived, r.until)
	if !r.started || e.Time > r.latest {
		r.latest, r.started = e.Time, true
	}
	if e.Time > r.until {
		r.after++
		return nil
	}
	if e.Account == "" {
		in.event.Account = r.resolve(e.Domain)
	}
	if e.Kind == scoring.KindMerge {
		return r.merge(&in)
	}
	r.forward(&in.event)
	if e.Kind == scoring.KindProfile || e.Kind == scoring.KindTombstone {
		return r.profile(&in)
	}
	l := r.lane(in.event.Account)
	l.inputs = append(l.inputs, in)
	if r.waiting++; r.waiting < round {
		return nil
	}
	return r.run()
}

// profile applies a profile by itself: whose a domain is depends on it.
func (r *Runner) profile(in *input) error {
	if err := r.run(); err != nil {
		return err
	}
	l := r.lane(in.event.Account)
	a := l.account(in.event.Account)
	if err := l.settle(in.event.Account, a, in.event.Time); err != nil {
		return err
	}
	before, _ := a.Profile()
	if err := r.moveIn(in, a); err != nil {
		return err
	}
	out, err := l.apply(in)
	if err == nil && out.ProfileChanged {
		r.claim(&in.event, before)
	}
	return err
}

// run has the lanes apply what waits in them.
func (r *Runner) run() error {
	r.waiting = 0
	return r.each(func(l *lane) error {
		defer func() {
			clear(l.inputs)
			l.inputs = l.inputs[:0]
		}()
		for i := range l.inputs {
			if _, err := l.apply(&l.inputs[i]); err != nil {
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
// (time, account, seq) and calls score for each account in order of name.
func (r *Runner) Finish(changes func(line []byte) error, score func(Score) error) (Tally, error) {
	err := r.run()
	if err == nil {
		err = r.each((*lane).finish)
	}
	if err == nil {
		err = r.spool.each(changes)
	}
	if err == nil {
		err = r.scores(score)
	}
	tally := Tally{After: r.after}
	for _, l := range r.lanes {
		tally.add(&l.tally)
	}
	return tally, err
}

func (r *Runner) scores(score func(Score) error) error {
	var names []string
	for _, l := range r.lanes {
		names = slices.AppendSeq(names, maps.Keys(l.accounts))
	}
	slices.Sort(names)
	for _, name := range names {
		a := r.lane(name).accounts[name].Account
		if !a.Known() {
			continue
		}
		s := Score{Account: name, Score: r.model.Score(a, r.until), Tier: r.model.Tier(a), Seq: a.Seq, Clock: a.Clock}
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
