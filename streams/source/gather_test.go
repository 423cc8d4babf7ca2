package source

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
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
