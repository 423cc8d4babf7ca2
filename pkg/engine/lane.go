package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tidemark/pkg/failpoint"
	"tidemark/scoring"
)

// lane owns some shards within the process.
type lane struct {
	e      *Engine
	shards map[int]*shard
	order  []int // the shards' numbers, ascending
	bound  int   // decoded accounts kept

	// Memory that is used again with each piece of work.
	list   []*entry
	next   []int32            // of each of a shard's inputs, the next of its account, counted from 1; 0: none
	one    []*entry           // of an account, whether it was touched
	hand   scoring.Account    // the one that inputs are applied to
	awake  []*entry           // more that are in hand
	spare  []*scoring.Account // memory for such
	swept  time.Time          // the latest sweep
	turn   int                // the place in order at which the next sweep begins
	latest uint64             // version that was given to a write
	packed []byte             // a state that is being packed
	writes [][]Write          // of steps that are done
	lent   [][]Write          // of those in hand
}

// shard is what a lane knows of one shard.
type shard struct {
	number    int
	positions map[Partition]int64 // as stored, as far as is known
	accounts  map[string]*entry
	due       int64 // the earliest due instant, as far as is known
	// others counts the steps before which someone else had written to the shard: an entry
	// that was read or written before the latest of them may be old.
	others uint64

	inputs []*Input // of the round in hand
	unseen []*Input // those of them that the positions do not cover
	// found are the accounts of unseen, in that order; nil: to be looked up.
	found    []*entry
	entries  []*entry // memory of found, used again
	sweeping []string // accounts that were found to be due; nil: to be looked up
	sweptIn  []string // the listings in which they were found; nil: where they should be

	passing []Partition     // of the round's inputs that came with a name of the shard, and went to an heir
	merged  map[string]went // accounts that inputs name and another instance merged: nothing was applied
}

func newLane(e *Engine, index, lanes, bound int) *lane {
	l := &lane{e: e, shards: map[int]*shard{}, bound: bound, latest: rand.Uint64()}
	for s := index; s < e.store.Shards(); s += lanes {
		l.shards[s] = &shard{number: s, positions: map[Partition]int64{}, accounts: map[string]*entry{}, due: NoDue}
		l.order = append(l.order, s)
	}
	return l
}

// nextVersion is a version that no account ever had, here or in another process:
// each lane counts from a place of its own among 2^64.
func (l *lane) nextVersion() uint64 {
	if l.latest++; l.latest == 0 {
		l.latest++ // 0 is that of an account that is not stored
	}
	return l.latest
}

// end lets go of a round's inputs.
func (l *lane) end() {
	for _, s := range l.shards {
		clear(s.inputs)
		clear(s.unseen)
		s.inputs, s.unseen, s.found = s.inputs[:0], s.unseen[:0], nil
		s.passing, s.merged = s.passing[:0], nil
	}
}

func (l *lane) take(shard int, in *Input) {
	s := l.shards[shard]
	s.inputs = append(s.inputs, in)
}

// idle reports whether the round has nothing for the lane.
func (l *lane) idle(r *Round) bool {
	if r.Everywhere {
		return false
	}
	for _, s := range l.shards {
		if s.busy() {
			return false
		}
	}
	return true
}

// due reports whether the round has accounts for the lane to sweep.
func (l *lane) due(r *Round) bool {
	for _, s := range l.shards {
		if s.due <= r.Watermark && l.e.owns(s.number) {
			return true
		}
	}
	return false
}

// busy reports whether the round in hand has something for the shard.
func (s *shard) busy() bool { return len(s.inputs) > 0 || len(s.passing) > 0 }

func (l *lane) nextDue() int64 {
	due := NoDue
	for _, s := range l.shards {
		if l.e.owns(s.number) {
			due = min(due, s.due)
		}
	}
	return due
}

func (l *lane) forgetAll() {
	for _, s := range l.shards {
		l.forget(s)
	}
}

func (l *lane) forget(s *shard) {
	clear(s.accounts)
	s.found, s.sweeping = nil, nil
}

// run applies the round's inputs to the lane's shards and commits them.
func (l *lane) run(ctx context.Context, r *Round) error {
	var busy []*shard
	for _, n := range l.order {
		if s := l.shards[n]; s.busy() || r.Everywhere {
			busy = append(busy, s)
		}
	}
	if err := l.gather(ctx, busy); err != nil {
		return err
	}
	err := l.commitAll(ctx, busy, func(ctx context.Context, s *shard) (*work, error) { return l.apply(ctx, s, r) })
	if err != nil {
		return err
	}
	l.shrink()
	return nil
}

// commitAll prepares the work of each shard, commits all in one trip, and does
// again what another writer overtook.
func (l *lane) commitAll(ctx context.Context, shards []*shard, prepare func(context.Context, *shard) (*work, error)) (err error) {
	defer func() {
		if err != nil {
			l.forgetAll() // some may hold what was not stored
		}
		l.rest()
		l.settleLoans()
	}()
	for attempt := 0; len(shards) > 0; attempt++ {
		failpoint.Hit(failpoint.BeforeApply)
		again, err := l.pass(ctx, shards, prepare)
		if err != nil {
			return err
		}
		if len(again) > 0 {
			if err := l.readPositions(ctx); err != nil {
				return err
			}
		}
		shards = again
		if len(again) > 0 && attempt > 2 && !pause(ctx, attempt) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// largeStep is the number of writes from which on their memory is not used for others.
const largeStep = 512

// lend is memory for n writes, until the works in hand are committed.
func (l *lane) lend(n int) []Write {
	if n > largeStep {
		return make([]Write, 0, n)
	}
	var out []Write
	if last := len(l.writes) - 1; last >= 0 {
		out, l.writes = l.writes[last], l.writes[:last]
	}
	out = slices.Grow(out, n)
	l.lent = append(l.lent, out)
	return out
}

// settleLoans takes back what was lent.
func (l *lane) settleLoans() {
	for _, w := range l.lent {
		clear(w[:cap(w)])
	}
	l.writes = append(l.writes, l.lent...)
	l.lent = l.lent[:0]
}

// portion is after how many writes the works of some shards are on their way to the store
// already, while those of the lane's other shards are prepared.
const portion = 1024

// pass prepares the work of each shard once and commits it. It returns the shards whose
// work must be done again.
func (l *lane) pass(ctx context.Context, shards []*shard, prepare func(context.Context, *shard) (*work, error)) (again []*shard, err error) {
	var ahead errgroup.Group // the portion on its way, one at a time
	send := func(works []*work) error {
		failpoint.Hit(failpoint.Prepared)
		behind, err := l.commit(ctx, works)
		failpoint.Hit(failpoint.Committed)
		again = append(again, behind...)
		return err
	}
	var works []*work
	writes := 0
	for i, s := range shards {
		w, err := prepare(ctx, s)
		if err != nil {
			return nil, errors.Join(err, ahead.Wait())
		}
		if w.empty() {
			continue
		}
		works, writes = append(works, w), writes+len(w.step.Writes)
		if writes < portion || i == len(shards)-1 {
			continue
		}
		if err := ahead.Wait(); err != nil {
			return nil, err
		}
		full := works
		ahead.Go(func() error { return send(full) })
		works, writes = nil, 0
	}
	if err := ahead.Wait(); err != nil {
		return nil, err
	}
	return again, send(works)
}

// commit stores the works. It returns the shards whose work must be done again: what they
// remembered is dropped.
func (l *lane) commit(ctx context.Context, works []*work) (again []*shard, err error) {
	err = l.e.retry(ctx, "commit", func() error {
		var failed []*work
		var cause error
		for i, o := range l.e.store.Commit(ctx, steps(works)) {
			w := works[i]
			switch l.e.metrics.commit(o.Result); o.Result {
			case OK:
				l.stored(w, o)
			case Failed:
				failed, cause = append(failed, w), o.Err
			case Stale:
				l.forget(w.shard)
				again = append(again, w.shard)
			case Conflict:
				w.shard.overtaken(w)
				again = append(again, w.shard)
			}
		}
		works = failed
		return cause
	})
	return again, err
}

// stored takes note of what a committed work changed.
func (l *lane) stored(w *work, o Outcome) {
	s := w.shard
	for _, m := range w.step.Moves {
		s.positions[m.Partition] = m.To
	}
	for _, x := range w.step.Writes {
		if x.Due != KeepDue {
			s.due = min(s.due, x.Due)
		}
	}
	l.e.metrics.applied(w)
	l.e.adopted.Add(int64(w.adopted))
	switch {
	case o.Overwritten:
		l.forget(s)
	case o.Shared || w.step.Check:
		s.meetOthers(w, o.Shared)
	}
	if len(w.step.Outbox) > 0 && l.e.hooks.Outbox != nil {
		l.e.hooks.Outbox(s.number, Appended{Messages: w.step.Outbox, IDs: o.Appended, Behind: o.Behind})
	}
}

// meetOthers takes note of what a step told of others that write to the shard. Their
// accounts are not ours to know: what is in memory stays there, but is checked before it is
// written.
func (s *shard) meetOthers(w *work, again bool) {
	if again {
		s.others++
	}
	for i := range w.step.Writes {
		if e := s.accounts[w.step.Writes[i].Account]; e != nil {
			e.checked = s.others
		}
	}
}

// overtaken forgets the accounts of a step of which others changed some.
func (s *shard) overtaken(w *work) {
	s.others++
	for i := range w.step.Writes {
		delete(s.accounts, w.step.Writes[i].Account)
	}
	for _, in := range s.unseen {
		delete(s.accounts, in.Event.Account)
	}
	s.found, s.sweeping = nil, nil
}

// ErrRewound is returned when the store stands behind what this process stored
// there: it was set back. The session must begin again from where it stands now.
var ErrRewound = errors.New("the store was set back")

func (l *lane) readPositions(ctx context.Context) error {
	var all []map[Partition]int64
	err := l.e.retry(ctx, "read positions", func() (err error) {
		all, err = l.e.store.Positions(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for n, s := range l.shards {
		for p, before := range s.positions {
			if now := all[n][p]; now < before {
				return fmt.Errorf("%w: shard %d stands at %d of %s/%d, it stood at %d", ErrRewound, n, now, p.Topic, p.ID, before)
			}
		}
		s.positions = all[n]
	}
	return nil
}

// entries returns the accounts named, in that order, loading in one trip those that
// are missing or may be old. The list is valid until the next call.
func (l *lane) entries(ctx context.Context, s *shard, names []string) ([]*entry, error) {
	var m missing
	for _, name := range names {
		if e := s.accounts[name]; e == nil || e.checked != s.others {
			m.add(name)
		}
	}
	if err := l.fetch(ctx, s, m.names); err != nil {
		return nil, err
	}
	l.list = l.list[:0]
	for _, name := range names {
		e := s.accounts[name]
		if err := l.wake(e); err != nil {
			return nil, err
		}
		l.list = append(l.list, e)
	}
	return l.list, nil
}

// wake takes an entry in hand, until the lane rests.
func (l *lane) wake(e *entry) error {
	if e.account != nil {
		return nil
	}
	l.awake = append(l.awake, e)
	return e.wake(&l.e.models, l.borrow())
}

// borrow is memory for an account in hand.
func (l *lane) borrow() *scoring.Account {
	if len(l.spare) == 0 {
		return &scoring.Account{}
	}
	a := l.spare[len(l.spare)-1]
	l.spare = l.spare[:len(l.spare)-1]
	return a
}

// largeState is the size of a state from which on the memory of the account is not
// used for others: few accounts are as large.
const largeState = 1024

// spares is how many accounts' memory is kept for others.
const spares = 256

// rest lays all entries in hand to rest.
func (l *lane) rest() {
	for _, e := range l.awake {
		if e.account != nil { // else it could not be read, or rests already
			l.lay(e)
		}
	}
	clear(l.awake)
	l.awake = l.awake[:0]
}

// lay lays an entry to rest and keeps the memory for the next.
func (l *lane) lay(e *entry) {
	spare := e.sleep(l.e.model)
	if spare != &l.hand && len(e.state) < largeState && len(l.spare) < spares {
		l.spare = append(l.spare, spare)
	}
}

// missing are accounts that are not in memory, each once. The zero value has none.
type missing struct {
	names []string
	seen  map[string]bool
}

func (m *missing) add(name string) {
	if m.seen[name] {
		return
	}
	if m.seen == nil {
		m.seen = map[string]bool{}
	}
	name = strings.Clone(name) // the event's text is not ours to keep
	m.seen[name] = true
	m.names = append(m.names, name)
}

// fetch takes accounts into memory. Several shards may be fetched at once.
func (l *lane) fetch(ctx context.Context, s *shard, names []string) error {
	if len(names) == 0 {
		return nil
	}
	records, err := l.load(ctx, s, names)
	if err != nil {
		return err
	}
	for i, name := range names {
		r := records[i]
		s.put(name, &entry{version: r.Version, record: &r})
	}
	return nil
}

func (s *shard) put(name string, e *entry) {
	e.name, e.checked = name, s.others
	s.accounts[name] = e
}

// gather finds the accounts of the shards' fresh inputs, loading those that are not
// in memory, all shards at once.
func (l *lane) gather(ctx context.Context, shards []*shard) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range shards {
		var m missing
		s.found = s.lookUp(s.fresh(), &m)
		if len(m.names) > 0 {
			group.Go(func() error {
				err := l.fetch(ctx, s, m.names)
				for i, in := range s.unseen {
					if s.found[i] == nil {
						s.found[i] = s.accounts[in.Event.Account]
					}
				}
				return err
			})
		}
	}
	return group.Wait()
}

// lookUp are the accounts of inputs, nil for those that are not in memory, which
// are added to m.
func (s *shard) lookUp(inputs []*Input, m *missing) []*entry {
	found := s.entries[:0]
	for _, in := range inputs {
		e := s.accounts[in.Event.Account]
		found = append(found, e)
		if e == nil {
			m.add(in.Event.Account)
		}
	}
	s.entries = found
	return found
}

// kept is how many decoded accounts are in memory.
func (l *lane) kept() (n int) {
	for _, s := range l.shards {
		n += len(s.accounts)
	}
	return n
}

func (l *lane) load(ctx context.Context, s *shard, names []string) (records []Record, err error) {
	err = l.e.retry(ctx, "load", func() (err error) {
		records, err = l.e.store.Load(ctx, s.number, names)
		return err
	})
	return records, err
}

// shrink drops decoded accounts above the bound, any of them: they are loaded
// again when they are needed.
func (l *lane) shrink() {
	over := l.kept() - l.bound
	for _, n := range l.order {
		s := l.shards[n]
		for name := range s.accounts {
			if over <= 0 {
				return
			}
			delete(s.accounts, name)
			over--
		}
	}
}

// work is what is to be committed for a shard, and what to count once it is.
type work struct {
	shard     *shard
	step      Step
	came      []int32 // of each message of the step, the input that it came with
	effects   [5]int  // by scoring.Effect
	canaries  int
	crossings []scoring.CauseKind
	forgotten scoring.Forgotten
	held      []int // by rule of the model's holds; nil: none
	holdRules []string
	released  int
	adopted   int // accounts that were put under the model in force
}

// hold takes what was held or released into the work.
func (w *work) hold(m *scoring.Model, out *scoring.Outcome) {
	w.forgotten.Held += out.Forgotten.Held
	if out.Released {
		w.released++
	}
	if out.Held == nil {
		return
	}
	if w.held == nil {
		w.holdRules = m.HoldRules()
		w.held = make([]int, len(w.holdRules))
	}
	for i, n := range out.Held {
		w.held[i] += n
	}
}

func (w *work) empty() bool {
	return len(w.step.Moves) == 0 && len(w.step.Writes) == 0 && len(w.step.Outbox) == 0 && len(w.step.Drop) == 0
}

func steps(works []*work) []Step {
	out := make([]Step, len(works))
	for i, w := range works {
		out[i] = w.step
	}
	return out
}
