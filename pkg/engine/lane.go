package engine

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

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
	states states             // memory of packed ones
	glance byte               // keeps touch from being left out
	writes [][]Write          // of steps that are done
	lent   [][]Write          // of those in hand

	out     scoring.Outcome // of the input in hand
	changes []byte          // tier changes, one behind the other
}

// shard is what a lane knows of one shard.
type shard struct {
	number    int
	positions map[Partition]int64 // as stored, as far as is known
	accounts  map[string]*entry
	due       int64 // the earliest due instant, as far as is known
	// others counts the steps before which someone else had written to the shard: an entry
	// that was read or written before the latest of them may be old.
	others uint32

	inputs []*Input // of the round in hand
	unseen []*Input // those of them that the positions do not cover
	// found are the accounts of unseen, in that order; nil: to be looked up.
	found    []*entry
	entries  []*entry // memory of found, used again
	blanks   []*entry // memory of accounts to come
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

// busy adds the shards for which the round has something, by their numbers.
func (l *lane) busy(to []*shard, r *Round) []*shard {
	for _, n := range l.order {
		if s := l.shards[n]; r.Everywhere || len(s.inputs) > 0 || len(s.passing) > 0 {
			to = append(to, s)
		}
	}
	return to
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
		s.forget()
	}
}

func (s *shard) forget() {
	clear(s.accounts)
	s.found, s.sweeping = nil, nil
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

// entries returns the accounts named, in that order, loading in one trip those that
// are missing or may be old. The list is valid until the next call.
func (l *lane) entries(ctx context.Context, s *shard, names []string) ([]*entry, error) {
	var absent []*entry
	for _, name := range names {
		if e := s.accounts[name]; e == nil || e.checked != s.others {
			absent = append(absent, s.blank(strings.Clone(name)))
		}
	}
	if err := l.e.fetch(ctx, []missing{{s, absent}}); err != nil {
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

// missing are accounts of a shard that are not in memory.
type missing struct {
	shard *shard
	blank []*entry
}

const (
	// loadPortion is from how many accounts on one trip to the store is enough: the server
	// reads those of the next while what came is taken apart.
	loadPortion = 1024
	// loadsAbreast is how many trips of a lane are under way at once.
	loadsAbreast = 3
)

// fetch fills blank entries.
func (e *Engine) fetch(ctx context.Context, all []missing) error {
	trips := portions(all)
	if len(trips) == 1 {
		return e.fetchAtOnce(ctx, trips[0])
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loadsAbreast)
	for _, some := range trips {
		group.Go(func() error { return e.fetchAtOnce(ctx, some) })
	}
	return group.Wait()
}

// portions are those that one trip each is made for.
func portions(all []missing) (trips [][]missing) {
	from, n := 0, 0
	for i := range all {
		if n += len(all[i].blank); n >= loadPortion {
			trips = append(trips, all[from:i+1])
			from, n = i+1, 0
		}
	}
	return append(trips, all[from:])
}

// fetchAtOnce fills blank entries in one trip.
func (e *Engine) fetchAtOnce(ctx context.Context, all []missing) error {
	var wanted []Wanted
	for _, m := range all {
		if len(m.blank) == 0 {
			continue
		}
		names := make([]string, len(m.blank))
		for i, b := range m.blank {
			names[i] = b.name
		}
		wanted = append(wanted, Wanted{Shard: m.shard.number, Accounts: names})
	}
	if len(wanted) == 0 {
		return nil
	}
	records, err := e.load(ctx, wanted...)
	for _, m := range all {
		for _, b := range m.blank {
			if err != nil {
				delete(m.shard.accounts, b.name)
				continue
			}
			b.version, b.record = records[0].Version, &records[0]
			records = records[1:]
		}
	}
	return err
}

// gather finds the accounts of the shards' fresh inputs, loading those that are not
// in memory.
func (e *Engine) gather(ctx context.Context, shards []*shard) error {
	all := make([]missing, len(shards))
	for i, s := range shards {
		all[i] = missing{s, s.find(s.fresh())}
	}
	return e.fetch(ctx, all)
}

// find looks the accounts of inputs up, and returns those that are not in memory, blank.
func (s *shard) find(inputs []*Input) (blank []*entry) {
	found := s.entries[:0]
	for _, in := range inputs {
		e := s.accounts[in.Event.Account]
		if e == nil {
			e = s.blank(strings.Clone(in.Event.Account)) // the event's text is not ours to keep
			blank = append(blank, e)
		}
		found = append(found, e)
	}
	s.entries, s.found = found, found
	return blank
}

// kept is how many decoded accounts are in memory.
func (l *lane) kept() (n int) {
	for _, s := range l.shards {
		n += len(s.accounts)
	}
	return n
}

func (e *Engine) load(ctx context.Context, wanted ...Wanted) (records []Record, err error) {
	err = e.retry(ctx, "load", func() (err error) {
		records, err = e.store.Load(ctx, wanted...)
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
		for _, e := range s.accounts {
			if over <= 0 {
				return
			}
			s.drop(e, &l.states)
			over--
		}
	}
}
