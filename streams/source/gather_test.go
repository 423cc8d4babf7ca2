package source

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/pkg/engine"
)

// At the end of the log the partitions that one broker leads are asked for together, and
// those that others lead go to them.
func TestPartitionsAtTheEndAreFetchedTogether(t *testing.T) {
	t.Parallel()
	const partitions = 9
	c := fakeCluster(t)
	w := newWorld(t, c.ListenAddrs()[0])
	topics := []string{w.topic("a", partitions), w.topic("b", partitions)}
	led := map[int32]int{}
	for _, topic := range topics {
		for p := range int32(partitions) {
			led[c.LeaderFor(topic, p)]++
		}
	}
	seen := gatherings(c, led)
	se := w.join(w.source(w.config(topics...)))
	defer se.Close()
	w.read(se, everything(), caughtUp)
	for offset := int64(0); !seen(); offset++ {
		var records []*kgo.Record
		for _, topic := range topics {
			for p := range int32(partitions) {
				records = append(records, event(topic, p, 1000*offset+int64(p)))
			}
		}
		w.produce(records...)
		got := w.read(se, everything(), inputs(len(records))).inputs
		if slices.Sort(got); len(slices.Compact(got)) != len(records) {
			t.Fatalf("read %v, want one record of each partition", got)
		}
	}
}

// gatherings says whether each broker was asked for all that it leads in one request.
func gatherings(c *kfake.Cluster, led map[int32]int) func() bool {
	var mu sync.Mutex
	waiting := maps.Clone(led)
	c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked := 0
		for _, topic := range req.(*kmsg.FetchRequest).Topics {
			asked += len(topic.Partitions)
		}
		mu.Lock()
		defer mu.Unlock()
		if asked == led[c.CurrentNode()] {
			delete(waiting, c.CurrentNode())
		}
		return nil, nil, false
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(waiting) == 0
	}
}

// asksOf are asks of a session at the ends of its logs, one for each partition.
func asksOf(n int) (*Session, []*ask) {
	se := &Session{
		source: &Source{}, parts: make([]engine.Partition, n),
		merge: newMerger(make([]int64, n), 2*n), answered: make([]int64, n), wake: make(chan struct{}, 1),
	}
	var asks []*ask
	for i := range n {
		asks = append(asks, newAsk(&fetcher{session: se, index: i}))
	}
	return se, asks
}

func released(a *ask) bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// Those go on without being woken whose log is read to its end and who have room.
func TestWhoHasNothingElseToDoAsksAgain(t *testing.T) {
	t.Parallel()
	se, asks := asksOf(4)
	asks[1].err = errShort
	asks[2].got.end = 5 // behind
	se.merge.push(3, chunk{entries: []entry{one(0, 10), one(0, 11)}}, 0, 0)
	var g gatherer
	on := g.deliver(t.Context(), asks, 100)
	if len(on) != 1 || on[0] != asks[0] || released(asks[0]) || !released(asks[1]) || !released(asks[2]) || !released(asks[3]) {
		t.Fatalf("%d asks go on, want the first alone", len(on))
	}
	select {
	case <-se.wake: // it was caught up
	default:
		t.Error("the merge was not told")
	}
	if !g.again(asks[0], on) || len(g.take()) != 1 {
		t.Error("the first does not make the next request")
	}
	if g.again(asks[1], on) || <-asks[0].lead != nil {
		t.Error("who is done does not leave the next request to the first that goes on")
	}
	if g.again(asks[0], on[:0]) || g.again(asks[1], on) || len(asks[0].lead) > 0 {
		t.Error("a request that is gathered for has two who make it")
	}
}

func TestLargeAnswersAreLeftToTheFetchers(t *testing.T) {
	t.Parallel()
	_, asks := asksOf(2)
	var g gatherer
	if on := g.deliver(t.Context(), asks, minPooled); len(on) > 0 || asks[0].delivered || !released(asks[0]) || !released(asks[1]) {
		t.Errorf("%d asks go on, want none", len(on))
	}
}

// Requests that are given up at the same instant can go in one from then on.
func TestRequestsThatWaitEndTogether(t *testing.T) {
	t.Parallel()
	var g gatherer
	now := time.Now()
	first := g.begin(now, time.Second)
	second := g.begin(now.Add(300*time.Millisecond), time.Second)
	late := g.begin(now.Add(time.Second-time.Microsecond), time.Second)
	if want := now.Add(time.Second); !first.Equal(want) || !second.Equal(want) {
		t.Errorf("they end after %v and %v, want a second", first.Sub(now), second.Sub(now))
	}
	if want := now.Add(2*time.Second - time.Microsecond); !late.Equal(want) {
		t.Errorf("one that could not wait any more ends after %v, want two seconds", late.Sub(now))
	}
	if g.end(first) || g.end(late) {
		t.Error("it says that no other is under way")
	}
	if !g.end(second) {
		t.Error("it says that another is under way")
	}
}
