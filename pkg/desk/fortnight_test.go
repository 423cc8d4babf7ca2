package desk_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tidemark/pkg/desk"
	"tidemark/pkg/route"
	"tidemark/pkg/store"
	"tidemark/pkg/store/memory"
)

var seeds = flag.Int("fortnights", fortnights, "how many random fortnights are simulated")

// A fortnight of 40 reps in three time zones, over the end of summer time in Europe
// and in America, with a spike of 300 MQAs within an hour: one owner always, no breach
// missed or doubled, no cap exceeded, queues in order. And whatever is killed at
// whatever step, the very same events are published as without.
func TestFortnight(t *testing.T) {
	t.Parallel()
	for seed := range uint64(*seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			calm := simulate(t, seed, calmly)
			calm.check()
			crashed := simulate(t, seed, withCrashes)
			crashed.check()
			if crashed.crashes < 20 || crashed.conflicts < 20 {
				t.Errorf("only %d crashes and %d conflicts: this shows nothing", crashed.crashes, crashed.conflicts)
			}
			sameEvents(t, calm.published, crashed.published)
			simulate(t, seed, withOutages).check()
			set := simulate(t, seed, withLosses)
			set.check()
			if set.losses < 100 || set.upheld < 100 {
				t.Errorf("only %d losses that made %d accounts deny what was published: this shows nothing", set.losses, set.upheld)
			}
		})
	}
}

func sameEvents(t *testing.T, want, got [][]byte) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || !bytes.Equal(want[i], got[i]) {
			at := func(events [][]byte) string {
				if i < len(events) {
					return string(events[i])
				}
				return "nothing"
			}
			t.Fatalf("event %d of %d and %d:\nwithout crashes %s\nwith them       %s", i, len(want), len(got), at(want), at(got))
		}
	}
}

type mode int

const (
	calmly mode = iota
	withCrashes
	withOutages // crashes, and hours in which only commands work
	withLosses  // crashes, and a store that loses its latest commits
)

// fortnight is one simulated run.
type fortnight struct {
	t    *testing.T
	mode mode
	// fate decides what happens in the world, ill what is killed: the same world can be
	// lived through with other illnesses.
	fate, ill *rand.Rand
	seed      uint64
	office    *office
	plan      *route.Plan
	now       int64
	store     *flaky
	pump      *desk.Desk // of `serve`; nil while it is down
	clerk     *desk.Desk // of the commands: another process
	log       [3][]*route.Change
	read      map[int]int64
	due       []happening // in order
	order     int

	outages   []outage
	topic     [][]byte // as published
	published [][]byte // in order, each once
	known     map[string][]byte
	crashes   int
	conflicts int
	losses    int
	upheld    int
	gate      *desk.Gate
	back      <-chan struct{}
	watch     watch
}

type outage struct{ from, to int64 }

type happening struct {
	at, order int64
	do        func()
}

func (f *fortnight) at(at int64, do func()) {
	f.order++
	h := happening{at, int64(f.order), do}
	i, _ := slices.BinarySearchFunc(f.due, h, func(a, b happening) int {
		if a.at != b.at {
			return int(max(-1, min(1, a.at-b.at)))
		}
		return int(a.order - b.order)
	})
	f.due = slices.Insert(f.due, i, h)
}

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

func simulate(t *testing.T, seed uint64, m mode) *fortnight {
	t.Helper()
	f := &fortnight{
		t: t, mode: m, seed: seed, fate: rand.New(rand.NewPCG(seed, 1)), ill: rand.New(rand.NewPCG(seed, uint64(m)+2)),
		read: map[int]int64{}, known: map[string][]byte{},
	}
	f.office = newOffice(t, f.fate)
	f.plan = f.office.plan
	f.watch.init(f)
	begin := time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC).UnixMilli()
	f.now = begin
	f.store = &flaky{Desk: memory.NewDesk(), f: f}
	f.restart()
	f.clerk = f.pump
	if m != calmly {
		f.clerk = f.newDesk()
	}
	f.populate(begin)
	if m == withOutages {
		for range 6 {
			from := begin + f.ill.Int64N(13*day)
			f.outages = append(f.outages, outage{from, from + f.ill.Int64N(9*hour)})
		}
	}
	f.live(begin + 15*day)
	return f
}

func (f *fortnight) newDesk() *desk.Desk {
	d, err := desk.New(desk.Config{Plan: f.plan, Store: f.store, Namespace: "sim", Topic: "tier-changes", Now: func() int64 { return f.now }})
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// down reports whether `serve` does not run, and until when.
func (f *fortnight) down() (int64, bool) {
	for _, o := range f.outages {
		if o.from <= f.now && f.now < o.to {
			return o.to, true
		}
	}
	return 0, false
}

// live goes from happening to happening and from timer to timer.
func (f *fortnight) live(end int64) {
	for {
		next := end
		if len(f.due) > 0 {
			next = min(next, f.due[0].at)
		}
		until, down := f.down()
		if down {
			next = min(next, until)
		} else if at, waits := f.tick(); waits {
			next = min(next, max(at, f.now))
		}
		if next >= end {
			return
		}
		f.now = next
		for len(f.due) > 0 && f.due[0].at <= f.now {
			do := f.due[0].do
			f.due = f.due[1:]
			do()
		}
		if _, down := f.down(); !down {
			f.pumpAll()
			f.watch.idle()
		}
	}
}

// restart is what a process does that was killed: it knows nothing.
func (f *fortnight) restart() {
	for {
		f.pump = f.newDesk()
		stand, err := f.pump.Begin(f.t.Context(), desk.Beginning{
			First: func(context.Context) (map[int]int64, error) { return map[int]int64{0: 0, 1: 0, 2: 0}, nil },
			Published: func(_ context.Context, from map[int]int64, use func([]byte) error) error {
				for _, value := range f.topic[from[0]:] {
					if err := use(value); err != nil {
						return err
					}
				}
				return nil
			},
		})
		if err == nil {
			f.read = maps.Clone(stand.Positions)
			f.upheld += len(stand.Upheld)
			f.gate = desk.NewGate(f.store, func(context.Context) (map[int]int64, error) { return map[int]int64{0: int64(len(f.topic))}, nil })
			f.back = f.gate.Open(stand.Mark)
			return
		}
		f.mustCrash(err)
	}
}

func (f *fortnight) mustCrash(err error) {
	f.t.Helper()
	if !errors.Is(err, errKilled) && !errors.Is(err, desk.ErrRewound) && !errors.Is(err, desk.ErrSetBack) {
		f.t.Fatalf("seed %d, at %s: %v", f.seed, time.UnixMilli(f.now).UTC(), err)
	}
}

// tick does what is due, and begins anew for as long as it is killed on the way.
func (f *fortnight) tick() (int64, bool) {
	for {
		var next int64
		var waits bool
		err := f.watch.step(f.pump, func() (err error) { next, waits, err = f.pump.Tick(f.t.Context()); return err })
		if err == nil {
			f.relay()
			return next, waits
		}
		f.mustCrash(err)
		f.restart()
	}
}

// pumpAll reads what there is of tier changes.
func (f *fortnight) pumpAll() {
	f.tick()
	for p := 0; p < len(f.log); p++ {
		for f.read[p] < int64(len(f.log[p])) {
			offset := f.read[p]
			err := f.watch.step(f.pump, func() error { return f.pump.Take(f.t.Context(), p, offset, f.log[p][offset]) })
			if err != nil {
				f.mustCrash(err)
				f.restart()
				p = 0
				continue
			}
			f.read[p] = offset + 1
			f.relay()
		}
	}
	f.relay()
}

// relay publishes the outbox, at times twice: killed before it was trimmed.
func (f *fortnight) relay() {
	for {
		entries, err := f.gate.Outbox(f.t.Context(), 1+f.ill.IntN(5))
		if err != nil {
			f.t.Fatal(err)
		}
		if len(entries) == 0 {
			select {
			case <-f.back:
				f.restart()
				continue
			default:
				return
			}
		}
		for _, e := range entries {
			f.publish(e)
		}
		if f.mode != calmly && f.ill.IntN(20) == 0 {
			continue
		}
		ids := make([]string, len(entries))
		for i, e := range entries {
			ids[i] = e.ID
		}
		f.store.lose()
		if err := f.gate.Trim(f.t.Context(), ids); err != nil {
			f.mustCrash(err)
			f.restart()
		}
	}
}

func (f *fortnight) publish(e store.Entry) {
	s := parseStep(f.t, e.Value)
	f.topic = append(f.topic, e.Value)
	if before, again := f.known[s.ID]; again {
		if !bytes.Equal(before, e.Value) {
			f.t.Errorf("two meanings of %s", s.ID)
		}
		return
	}
	f.known[s.ID] = e.Value
	f.published = append(f.published, e.Value)
	f.react(s)
}

// command is what a person does by another process; it does it again if that is killed.
func (f *fortnight) command(c route.Command) {
	key := fmt.Sprint(c, f.order)
	for {
		err := f.watch.step(f.clerk, func() error { _, err := f.clerk.Do(f.t.Context(), c, key); return err })
		switch {
		case errors.Is(err, errKilled):
			f.clerk = f.newDesk()
			continue
		case err != nil && !errors.Is(err, route.ErrState) && !errors.Is(err, route.ErrUnknown):
			f.t.Fatalf("%v: %v", c, err)
		}
		break
	}
	if _, down := f.down(); !down {
		f.relay()
	}
}

// dice is chance that depends on nothing but what it is about.
func (f *fortnight) dice(about ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, about...)
	return rand.New(rand.NewPCG(f.seed, h.Sum64()))
}

// flaky is a store whose caller is killed now and then, before or after a commit.
type flaky struct {
	*memory.Desk
	f       *fortnight
	earlier []*memory.Desk // what was stored lately, the latest last
}

// lose sets the store back now and then, as a failover would.
func (s *flaky) lose() {
	if s.f.mode != withLosses {
		return
	}
	if len(s.earlier) > 0 && s.f.ill.IntN(40) == 0 {
		to := s.f.ill.IntN(len(s.earlier))
		s.SetBack(s.earlier[to])
		s.earlier = s.earlier[:to]
		s.f.losses++
	}
	if s.earlier = append(s.earlier, s.Copy()); len(s.earlier) > 12 {
		s.earlier = s.earlier[1:]
	}
}

var errKilled = errors.New("killed")

func (s *flaky) CommitDesk(ctx context.Context, c desk.Commit) error {
	s.lose()
	fate := 99
	if s.f.mode != calmly {
		fate = s.f.ill.IntN(100)
	}
	if fate < 3 {
		s.f.crashes++
		return errKilled
	}
	if fate < 9 && fate >= 6 { // another process comes in between
		other, err := s.LoadDesk(ctx)
		if err == nil {
			err = s.Desk.CommitDesk(ctx, desk.Commit{From: other.Token, To: fmt.Sprint("other", s.f.conflicts), Shared: other.Shared})
		}
		if err != nil {
			return err
		}
	}
	err := s.Desk.CommitDesk(ctx, c)
	if errors.Is(err, desk.ErrConflict) {
		s.f.conflicts++
	}
	if err == nil && fate < 6 {
		s.f.crashes++
		return errKilled
	}
	return err
}
