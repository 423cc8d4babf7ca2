package source

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestStoppedPartitionIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{0, 0}, 64)
	m.push(0, chunk{entries: []entry{one(0, 10), one(1, 20)}}, 2, 2)
	m.allow(1, 0) // never heard, and not waited for
	if got := times(m.take(nil, 9, math.MaxInt64)); !slices.Equal(got, []int64{10, 20}) {
		t.Fatalf("got %v", got)
	}
	m.push(1, chunk{entries: []entry{one(0, 5), one(1, 6), one(2, 7)}}, 3, 3)
	m.push(0, chunk{entries: []entry{one(2, 30)}}, 3, 3)
	if got := times(m.take(nil, 9, math.MaxInt64)); !slices.Equal(got, []int64{30}) {
		t.Fatalf("got %v", got)
	}
	marks := m.give(func(i int, _ int64) {
		if i == 1 {
			t.Error("the stopped partition moved")
		}
	})
	if want := (Mark{Consumed: math.MinInt64, Frontier: 5, End: 3, Stopped: true}); marks[1] != want || !marks[0].CaughtUp {
		t.Errorf("got marks %+v, want the second %+v", marks, want)
	}
	m.allow(1, 2)
	if got := times(m.take(nil, 9, math.MaxInt64)); !slices.Equal(got, []int64{5, 6}) {
		t.Fatalf("two are allowed, got %v", got)
	}
	m.allow(1, Unlimited)
	if got := times(m.take(nil, 9, math.MaxInt64)); !slices.Equal(got, []int64{7}) {
		t.Fatalf("got %v", got)
	}
	if marks := m.give(func(int, int64) {}); !marks[1].CaughtUp || marks[1].Stopped {
		t.Errorf("got %+v, want it caught up", marks[1])
	}
}

// A partition of which nothing may go, and that holds nothing, is as caught up as any.
func TestStoppedPartitionWithoutRecordsIsCaughtUp(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{7}, 64)
	m.allow(0, 0)
	m.push(0, chunk{}, 7, 7)
	if marks := m.give(func(int, int64) {}); !marks[0].CaughtUp {
		t.Errorf("got %+v", marks[0])
	}
}

// However partitions are stopped and let go, what is allowed goes in order, each
// record once.
func TestAllowKeepsTheBooks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newMerger([]int64{0, 0, 0}, 9)
		pushed, took := make([]int64, 3), make([]int64, 3)
		for range 60 {
			i := rapid.IntRange(0, 2).Draw(t, "partition")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				m.allow(i, rapid.SampledFrom([]int{0, 1, 3, Unlimited}).Draw(t, "records"))
			case 1:
				var entries []entry
				for range rapid.IntRange(0, 4).Draw(t, "pushed") {
					entries = append(entries, one(pushed[i], rapid.Int64Range(0, 9).Draw(t, "ms")))
					pushed[i]++
				}
				m.push(i, chunk{entries: entries}, pushed[i], pushed[i]+rapid.Int64Range(0, 1).Draw(t, "more"))
			case 2:
				m.pause(i)
			default:
				before := m.queues[i].allowed
				for _, in := range m.take(nil, rapid.IntRange(1, 9).Draw(t, "limit"), math.MaxInt64) {
					if in.Offset != took[in.Part] {
						t.Fatalf("partition %d gave %d, want %d", in.Part, in.Offset, took[in.Part])
					}
					if took[in.Part]++; in.Part == i && before >= 0 {
						if before--; before < 0 {
							t.Fatalf("partition %d gave more than was allowed", i)
						}
					}
				}
			}
			behind, heads := 0, 0
			for i := range m.queues {
				q := &m.queues[i]
				if q.blocks() {
					behind++
				}
				if q.size > 0 && q.allowed != 0 {
					heads++
				}
			}
			if behind != m.behind || heads != len(m.heap) {
				t.Fatalf("behind %d, counted %d; heap of %d, heads %d", m.behind, behind, len(m.heap), heads)
			}
		}
	})
}

// The session hands out other topics while one is stopped, and what was held back
// afterwards.
func TestSessionAllow(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		bad, good := w.topic("bad", 1), w.topic("good", 1)
		for i := range int64(10) {
			w.produce(event(bad, 0, i), event(good, 0, 100+i))
		}
		se := w.join(w.source(w.config(bad, good)))
		se.Allow(bad, 0)
		got := w.read(se, everything(), inputs(10))
		se.Allow(bad, 3)
		probe := w.read(se, everything(), inputs(3))
		se.Allow(bad, Unlimited)
		rest := w.read(se, everything(), caughtUp)
		want := []string{"100 good/0@0", "0 bad/0@0", "3 bad/0@3"}
		if len(got.inputs) != 10 || len(probe.inputs) != 3 || len(rest.inputs) != 7 ||
			!slices.Equal([]string{got.inputs[0], probe.inputs[0], rest.inputs[0]}, want) {
			t.Errorf("got %v, then %v, then %v, want them to begin with %v", got.inputs, probe.inputs, rest.inputs, want)
		}
	})
}
