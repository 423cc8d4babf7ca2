package app

import (
	"math"
	"testing"
	"time"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/pkg/store/memory"
	"tidemark/streams/source"
)

var (
	ours   = engine.Partition{Topic: "engagement", ID: 0}
	theirs = engine.Partition{Topic: "engagement", ID: 1}
	both   = []engine.Partition{ours, theirs}
)

func caughtUp(consumed int64) source.Mark {
	return source.Mark{CaughtUp: true, Consumed: consumed, Frontier: consumed}
}

func lagging(consumed, frontier int64) source.Mark {
	return source.Mark{Consumed: consumed, Frontier: frontier}
}

// tides are two instances that tell each other of their partition each.
func tides(t *testing.T) (a, b *tide) {
	t.Helper()
	s := memory.New(1)
	a, b = newTide(s, 1000), newTide(s.Peer(), 1000)
	a.assign([]engine.Partition{ours}, both)
	b.assign([]engine.Partition{theirs}, both)
	return a, b
}

func exchange(t *testing.T, of *tide) {
	t.Helper()
	if err := of.exchange(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTheTideIsTheLeastOfAllPartitions(t *testing.T) {
	t.Parallel()
	a, b := tides(t)
	if got := a.rise([]source.Mark{caughtUp(10)}, 5000); got != engine.UnknownWatermark {
		t.Errorf("before the other said anything: got %d, want unknown", got)
	}
	if got := a.limit(); got != math.MinInt64 {
		t.Errorf("before the other said anything: got limit %d, want none to go", got)
	}
	b.rise([]source.Mark{lagging(2000, 2500)}, 5000)
	exchange(t, b)
	exchange(t, a)
	if got := a.rise([]source.Mark{caughtUp(10)}, 5000); got != 2000 {
		t.Errorf("got %d, want 2000, what the other consumed", got)
	}
	if got := a.limit(); got != 3500 {
		t.Errorf("got limit %d, want 3500, a lead before what waits there", got)
	}
	exchange(t, b)
	if got := b.limit(); got != 6000 {
		t.Errorf("got limit %d, want 6000, a lead before now", got)
	}
}

// Nobody waits for the other for ever: whoever has the least input may apply it.
func TestTheLeastInputMayAlwaysGo(t *testing.T) {
	t.Parallel()
	a, b := tides(t)
	// Both consumed something far ahead of what waits: late events.
	a.rise([]source.Mark{lagging(90_000, 50_000)}, 100_000)
	b.rise([]source.Mark{lagging(95_000, 40_000)}, 100_000)
	exchange(t, a)
	exchange(t, b)
	exchange(t, a)
	if a.limit() < 50_000 || b.limit() < 40_000 {
		t.Errorf("got limits %d and %d: both wait", a.limit(), b.limit())
	}
}

// So it is at the start too, when neither has applied anything yet, and whatever
// was noted in an earlier life.
func TestTheFirstInputMayAlwaysGo(t *testing.T) {
	t.Parallel()
	for _, noted := range []map[engine.Partition]store.Watermark{nil, {ours: {Consumed: 70, Frontier: 80}, theirs: {Consumed: 60, Frontier: 60}}} {
		a, b := tides(t)
		if len(noted) > 0 {
			if err := a.marks.PutWatermarks(t.Context(), noted); err != nil {
				t.Fatal(err)
			}
		}
		a.rise([]source.Mark{lagging(math.MinInt64, 50_000)}, 100_000)
		b.rise([]source.Mark{lagging(math.MinInt64, 40_000)}, 100_000)
		exchange(t, a)
		exchange(t, b)
		exchange(t, a)
		if a.limit() < 50_000 && b.limit() < 40_000 {
			t.Errorf("got limits %d and %d with %v noted before: both wait for ever", a.limit(), b.limit(), noted)
		}
	}
}

func TestTheTideNeverRunsAheadOfTheClock(t *testing.T) {
	t.Parallel()
	a := newTide(memory.New(1), 1000)
	a.assign([]engine.Partition{ours}, []engine.Partition{ours})
	if got := a.rise([]source.Mark{lagging(5300, 5300)}, 5000); got != 5000 {
		t.Errorf("an event of the near future: got %d, want 5000", got)
	}
	if got := a.rise([]source.Mark{caughtUp(5300)}, 4000); got != 4000 {
		t.Errorf("the clock stepped back: got %d, want 4000", got)
	}
	if got := a.limit(); got != math.MaxInt64 {
		t.Errorf("alone: got limit %d, want none", got)
	}
}

// Marks vouch for the instant at which they were taken. Told later, after a round
// that took long, they must not vouch for more.
func TestMarksAreNotStampedLater(t *testing.T) {
	t.Parallel()
	a, b := tides(t)
	a.rise([]source.Mark{caughtUp(10)}, 5000)
	exchange(t, a) // an hour in between
	exchange(t, b)
	if got := b.rise([]source.Mark{caughtUp(10)}, 3_605_000); got > 5000 {
		t.Errorf("got %d, want at most 5000: what came in that hour is not known", got)
	}
}

// What is not known yet is not told: what was told before stays true.
func TestUnknownMarksAreNotNoted(t *testing.T) {
	t.Parallel()
	s := memory.New(1)
	if err := s.PutWatermarks(t.Context(), map[engine.Partition]store.Watermark{ours: {Consumed: 70, Frontier: 80}}); err != nil {
		t.Fatal(err)
	}
	a := newTide(s, 1000)
	a.assign([]engine.Partition{ours}, []engine.Partition{ours})
	a.rise([]source.Mark{lagging(math.MinInt64, math.MinInt64)}, 5000)
	if err := a.note(t.Context()); err != nil {
		t.Fatal(err)
	}
	marks, err := s.Watermarks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if marks[ours].Consumed != 70 {
		t.Errorf("got %+v, want what was there", marks[ours])
	}
}

// An account that waits for the watermark does not keep the pump spinning.
func TestTheDeadlineIsNeverAtOnce(t *testing.T) {
	t.Parallel()
	p := heldBack(t)
	if wait := time.Until(p.deadline()); wait < p.look/2 {
		t.Errorf("got a wait of %s, want about %s", wait, p.look)
	}
}
