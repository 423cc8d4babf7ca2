package source

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"tidemark/scoring"
)

func at(ms int64) *scoring.Event { return &scoring.Event{Time: ms} }

// one is the queue's entry for a record with one event.
func one(offset, ms int64) entry { return entry{event: at(ms), offset: offset, time: ms, stamp: ms} }

func times(inputs []Input) (ms []int64) {
	for _, in := range inputs {
		if in.Event != nil {
			ms = append(ms, in.Event.Time)
		}
	}
	return ms
}

func TestNothingGoesBeforeEveryPartitionWasHeard(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{0, 0}, 64)
	m.push(0, chunk{entries: []entry{one(0, 10)}}, 1, 1)
	if got := m.take(nil, 9, math.MaxInt64); len(got) != 0 {
		t.Fatalf("took %v before partition 1 was heard", times(got))
	}
	m.push(1, chunk{}, 0, 5) // heard, but there is more to come
	if got := m.take(nil, 9, math.MaxInt64); len(got) != 0 {
		t.Fatalf("took %v while partition 1 may hold earlier ones", times(got))
	}
	m.push(1, chunk{entries: []entry{one(4, 7)}}, 5, 5)
	if got := times(m.take(nil, 9, math.MaxInt64)); !slices.Equal(got, []int64{7, 10}) {
		t.Fatalf("got %v, want 7 before 10", got)
	}
}

func TestEmptyPartitionDoesNotHoldUp(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{0, 0}, 64)
	m.push(1, chunk{}, 0, 0)
	m.push(0, chunk{entries: []entry{one(0, 10), one(1, 20)}}, 2, 9)
	// Partition 0 has run out and is not at its end: 20 may go, then all wait.
	if got := times(m.take(nil, 9, math.MaxInt64)); !slices.Equal(got, []int64{10, 20}) {
		t.Fatalf("got %v", got)
	}
	m.push(1, chunk{entries: []entry{one(0, 5)}}, 1, 1)
	if got := m.take(nil, 9, math.MaxInt64); len(got) != 0 {
		t.Fatalf("took %v while partition 0 is behind", times(got))
	}
	m.push(0, chunk{}, 9, 9) // seven offsets without an input
	if got := times(m.take(nil, 9, math.MaxInt64)); !slices.Equal(got, []int64{5}) {
		t.Fatalf("got %v", got)
	}
	ends := map[int]int64{}
	m.give(func(i int, p int64) { ends[i] = p })
	if ends[0] != 9 || ends[1] != 1 {
		t.Errorf("positions %v, want 9 and 1", ends)
	}
}

func TestTiesGoByTimestampThenPartition(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{0, 0, 0}, 64)
	m.push(2, chunk{entries: []entry{{event: at(10), time: 10, stamp: 1}}}, 1, 1)
	m.push(1, chunk{entries: []entry{{event: at(10), time: 10, stamp: 2}}}, 1, 1)
	m.push(0, chunk{entries: []entry{{event: at(10), time: 10, stamp: 2}}}, 1, 1)
	var order []int
	for _, in := range m.take(nil, 9, math.MaxInt64) {
		order = append(order, in.Part)
	}
	if !slices.Equal(order, []int{2, 0, 1}) {
		t.Errorf("order %v, want 2 0 1", order)
	}
}

func TestRecordStaysTogether(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{0, 0}, 64)
	m.push(0, chunk{entries: []entry{
		{event: at(10), time: 10, offset: 3, more: true},
		{event: at(30), time: 30, offset: 3, more: true},
		{dead: "x", offset: 3},
		{event: at(40), time: 40, offset: 5},
	}},

		7, 7)

	m.push(1, chunk{entries: []entry{one(0, 20)}}, 1, 1)
	first := m.take(nil, 1, math.MaxInt64)
	if len(first) != 3 || first[2].Dead != "x" || m.queues[0].position != 4 {
		t.Fatalf("got %+v, position %d", first, m.queues[0].position)
	}
	if got := times(m.take(nil, 9, math.MaxInt64)); !slices.Equal(got, []int64{20, 40}) {
		t.Errorf("got %v", got)
	}
	if m.queues[0].position != 7 {
		t.Errorf("position %d, want 7: what follows holds no input", m.queues[0].position)
	}
}

// A record of several events goes at the time of its first, as a whole and in its
// own order; until then the position stays before it, whatever is taken.
func TestPositionMovesWithWholeRecords(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{0, 0}, 64)
	m.push(0, chunk{entries: []entry{
		{event: at(20), time: 20, offset: 0, more: true},
		{event: at(5), time: 5, offset: 0, more: true},
		{dead: "a", offset: 0, more: true},
		{dead: "b", offset: 0},
		one(1, 30),
	}},

		2, 2)

	m.push(1, chunk{entries: []entry{one(0, 10), one(1, 25)}}, 2, 2)
	for i, want := range []struct {
		inputs     int
		positions  [2]int64
		first      int64
		deadBehind int
	}{
		{1, [2]int64{0, 1}, 10, 0},
		{4, [2]int64{1, 1}, 20, 2},
		{1, [2]int64{1, 2}, 25, 0},
		{1, [2]int64{2, 2}, 30, 0},
	} {
		got := m.take(nil, 1, math.MaxInt64)
		dead := 0
		for _, in := range got {
			if in.Dead != nil {
				dead++
			}
		}
		positions := [2]int64{m.queues[0].position, m.queues[1].position}
		if len(got) != want.inputs || positions != want.positions || times(got)[0] != want.first || dead != want.deadBehind {
			t.Errorf("step %d: got %+v, positions %v, want %+v", i, got, positions, want)
		}
	}
}

func TestDeadLetterGoesAtOnce(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{0, 0}, 64)
	m.push(0, chunk{entries: []entry{{dead: "first", offset: 0}, one(1, 50), {dead: "second", offset: 2}, one(3, 99)}}, 4, 4)
	m.push(1, chunk{entries: []entry{one(0, 40), one(1, 60)}}, 2, 2)
	var got []string
	for _, in := range m.take(nil, 9, 70) {
		if in.Event == nil {
			got = append(got, in.Dead.(string))
			continue
		}
		got = append(got, fmt.Sprint(in.Event.Time))
	}
	if want := []string{"first", "40", "50", "second", "60"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	marks := m.give(func(int, int64) {})
	if want := (Mark{Consumed: 50, Frontier: 99, End: 4}); marks[0] != want {
		t.Errorf("mark %+v, want %+v", marks[0], want)
	}
	if want := (Mark{CaughtUp: true, Consumed: 60, Frontier: 60, End: 2}); marks[1] != want {
		t.Errorf("mark %+v, want %+v", marks[1], want)
	}
}

func TestNews(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{0, 0}, 64)
	expect := func(when string, want bool) {
		t.Helper()
		if got := m.news(30); got != want {
			t.Fatalf("%s: news %v, want %v", when, got, want)
		}
		m.give(func(int, int64) {})
	}
	expect("at the start", false)
	m.push(0, chunk{}, 0, 0)
	expect("partition 0 is caught up", true)
	expect("told already", false)
	m.push(1, chunk{}, 0, 0)
	expect("partition 1 is caught up", true)
	m.push(1, chunk{entries: []entry{one(0, 31)}}, 1, 1)
	expect("all that waits is held back", true)
	expect("told already", false)
	m.lose(0)
	expect("partition 0 cannot be vouched for", true)
	m.push(0, chunk{}, 0, 0)
	expect("partition 0 is back", true)
}

func TestFullBufferHearsTheEndAgain(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{0}, 2)
	m.push(0, chunk{entries: []entry{one(0, 1), one(1, 2)}}, 2, 2)
	if !m.pause(0) {
		t.Fatal("a full buffer did not pause")
	}
	if got := m.take(nil, 9, math.MaxInt64); len(got) != 2 {
		t.Fatalf("took %v", times(got))
	}
	if m.queues[0].mark().CaughtUp || m.behind != 1 {
		t.Error("what was heard before the pause still counts")
	}
	if m.pause(0) {
		t.Error("an empty buffer paused")
	}
	if !m.push(0, chunk{}, 2, 2) || !m.queues[0].mark().CaughtUp || m.behind != 0 {
		t.Error("not caught up after hearing again")
	}
}

// A backlog comes out in one order, whatever the answers' sizes and interleaving and
// whatever is taken between them.
func TestMergeIsTheSameForEveryInterleaving(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		logs := rapid.SliceOfN(rapid.SliceOfN(rapid.Int64Range(0, 20), 0, 12), 1, 5).Draw(t, "logs")
		want := order(logs)
		m := newMerger(make([]int64, len(logs)), 64)
		fetched := make([]int, len(logs))
		heard := make([]bool, len(logs))
		var got []Input
		for {
			var open []int
			for i := range logs {
				if fetched[i] < len(logs[i]) || !heard[i] {
					open = append(open, i)
				}
			}
			if len(open) == 0 {
				break
			}
			i := rapid.SampledFrom(open).Draw(t, "partition")
			n := rapid.IntRange(0, len(logs[i])-fetched[i]).Draw(t, "records")
			var entries []entry
			for _, ms := range logs[i][fetched[i] : fetched[i]+n] {
				entries = append(entries, entry{event: at(ms), time: ms, offset: int64(fetched[i])})
				fetched[i]++
			}
			heard[i] = true
			m.push(i, chunk{entries: entries}, int64(fetched[i]), int64(len(logs[i])))
			got = m.take(got, len(got)+rapid.IntRange(0, 9).Draw(t, "max"), math.MaxInt64)
			check(t, m)
		}
		got = m.take(got, math.MaxInt, math.MaxInt64)
		if g := places(got); !slices.Equal(g, want) {
			t.Fatalf("got %v\nwant %v\nlogs %v", g, want, logs)
		}
	})
}

// order merges the plain way: always the least head.
func order(logs [][]int64) (want []string) {
	next := make([]int, len(logs))
	for {
		least := -1
		for i := range logs {
			if next[i] < len(logs[i]) && (least < 0 || logs[i][next[i]] < logs[least][next[least]]) {
				least = i
			}
		}
		if least < 0 {
			return want
		}
		want = append(want, fmt.Sprintf("%d@%d", least, next[least]))
		next[least]++
	}
}

func places(inputs []Input) (got []string) {
	for _, in := range inputs {
		got = append(got, fmt.Sprintf("%d@%d", in.Part, in.Offset))
	}
	return got
}

// check holds the merger's books against what they count.
func check(t *rapid.T, m *merger) {
	behind, heads := 0, 0
	for i := range m.queues {
		q := &m.queues[i]
		if q.size > 0 {
			heads++
		} else if !q.drained() {
			behind++
		}
	}
	if behind != m.behind || heads != len(m.heap) {
		t.Fatalf("behind %d, counted %d; heap of %d, heads %d", m.behind, behind, len(m.heap), heads)
	}
}

// lent is memory that counts how often it was taken back.
type lent struct{ freed int }

func (l *lent) Free() { l.freed++ }

// The memory of an answer's events is taken back once all of them were handed out, and
// who took the last has come again.
func TestMemoryIsTakenBackWithTheLastEvent(t *testing.T) {
	t.Parallel()
	m := newMerger([]int64{0, 0}, 64)
	first, other, empty := &lent{}, &lent{}, &lent{}
	m.push(0, chunk{[]entry{one(0, 10), one(1, 30)}, first}, 2, 2)
	m.push(1, chunk{[]entry{one(0, 20), one(1, 40)}, other}, 2, 2)
	take := func(n int, want ...int64) {
		t.Helper()
		m.settle()
		if got := times(m.take(nil, n, math.MaxInt64)); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	freed := func(want ...int) {
		t.Helper()
		if got := []int{first.freed, other.freed, empty.freed}; !slices.Equal(got, want) {
			t.Errorf("taken back %v, want %v", got, want)
		}
	}
	take(2, 10, 20)
	freed(0, 0, 0)
	take(1, 30) // the last of the first answer
	freed(0, 0, 0)
	take(1, 40)
	freed(1, 0, 0)
	take(1)
	freed(1, 1, 0)
	m.push(0, chunk{memory: empty}, 3, 3) // an answer without inputs
	freed(1, 1, 1)
	if c := m.chunk(); c.memory != empty || len(c.entries) != 0 {
		t.Errorf("got %+v, want what was taken back last", c)
	}
}

// A busier partition has more room, in step with what went of it lately, so that all
// run out at about the same time; one of which nothing goes keeps a little.
func TestRoomGoesByWhatWent(t *testing.T) {
	t.Parallel()
	const bound = 800
	m := newMerger([]int64{0, 0, 0, 0}, bound)
	share := []int{70, 20, 10, 0} // of a hundred inputs
	rooms := func() (rooms []int) {
		for i := range m.queues {
			q, size := &m.queues[i], m.queues[i].size
			n := sort.Search(bound+1, func(n int) bool { q.size = n; return !m.room(i) })
			q.size = size
			rooms = append(rooms, n)
		}
		return rooms
	}
	if got := rooms(); !slices.Equal(got, []int{200, 200, 200, 200}) {
		t.Fatalf("before anything went there is room for %v, want equal shares", got)
	}
	go100 := func(share []int) {
		for i, n := range share {
			entries := make([]entry, n)
			for k := range entries {
				entries[k] = one(m.queues[i].fetched+int64(k), 1)
			}
			end := m.queues[i].fetched + int64(n)
			m.push(i, chunk{entries: entries}, end, end)
		}
		m.take(nil, 100, math.MaxInt64)
	}
	for range 3 {
		go100(share)
	}
	if got := rooms(); !slices.Equal(got, []int{515, 165, 95, 25}) {
		t.Fatalf("there is room for %v, want a little and the shares of the rest", got)
	}
	for range 100 {
		go100([]int{0, 10, 20, 70})
	}
	if got := rooms(); got[0] != 25 || got[1] < 90 || got[1] > 100 || got[3] < 510 || got[3] > 520 {
		t.Fatalf("when others are busy there is room for %v", got)
	}
}
