package sink

import (
	"sync"
	"time"
)

// whole stands for a topic's metadata where a partition is expected.
const whole = -1

// outages remembers which topics fail, so that an outage is told once however
// many partitions and attempts it has.
type outages struct {
	mu     sync.Mutex // guards topics; nothing is sent while it is held
	topics map[string]*outage
}

type outage struct {
	since   time.Time
	failing map[int]bool // partitions
}

// begin notes a failure and reports whether the topic's outage begins with it.
func (o *outages) begin(topic string, partition int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.topics[topic]
	if t == nil {
		if o.topics == nil {
			o.topics = map[string]*outage{}
		}
		o.topics[topic] = &outage{since: time.Now(), failing: map[int]bool{partition: true}}
		return true
	}
	t.failing[partition] = true
	return false
}

// end notes a success and reports whether the topic's outage ends with it.
func (o *outages) end(topic string, partition int) (lasted time.Duration, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.topics[topic]
	if t == nil {
		return 0, false
	}
	if delete(t.failing, partition); len(t.failing) > 0 {
		return 0, false
	}
	delete(o.topics, topic)
	return time.Since(t.since), true
}
