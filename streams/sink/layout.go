package sink

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// layoutAge is for how long a topic's layout is not asked for again. The transport answers
// from what it knows, so nothing is sent for the question; but each answer is a copy.
const layoutAge = 500 * time.Millisecond

// layouts are those of the topics that were published to.
type layouts struct {
	mu     sync.Mutex // guards topics; nothing is asked while it is held
	topics map[string]*layout
}

// layout is what the transport knew of a topic. It is not changed once it is made.
type layout struct {
	asked      time.Time
	partitions []int // 0, 1, …
	leaders    []int // by partition; unknown where there is none
}

// unknown is a leader that is not known.
const unknown = -1

// get returns the layout if it is not too old, or nil.
func (l *layouts) get(topic string) *layout {
	l.mu.Lock()
	defer l.mu.Unlock()
	if of := l.topics[topic]; of != nil && time.Since(of.asked) < layoutAge {
		return of
	}
	return nil
}

// set replaces a topic's layout; nil: it is to be asked for.
func (l *layouts) set(topic string, of *layout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.topics == nil {
		l.topics = map[string]*layout{}
	}
	l.topics[topic] = of
}

// layoutOf is how many partitions a topic has, and who leads them. The transport's own
// knowledge is at most its MetadataTTL old, so a topic that grows is noticed.
func (p *Publisher) layoutOf(ctx context.Context, topic string) (*layout, error) {
	if known := p.layouts.get(topic); known != nil {
		return known, nil
	}
	var found *layout
	err := p.retry(ctx, topic, whole, func() (err error) {
		found, err = p.askLayout(ctx, topic)
		return err
	})
	return found, err
}

// askLayout asks once, and remembers the answer.
func (p *Publisher) askLayout(ctx context.Context, topic string) (*layout, error) {
	response, err := p.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	t := &response.Topics[0]
	switch {
	case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
		return nil, &MissingTopicError{Topic: topic}
	case t.Error != nil:
		return nil, t.Error
	case len(t.Partitions) == 0:
		return nil, kafka.LeaderNotAvailable
	}
	of := &layout{asked: time.Now()}
	for i := range t.Partitions {
		of.partitions = append(of.partitions, i)
		of.leaders = append(of.leaders, unknown)
	}
	for _, partition := range t.Partitions {
		if partition.ID < len(of.leaders) && partition.Leader.Host != "" {
			of.leaders[partition.ID] = partition.Leader.ID
		}
	}
	p.layouts.set(topic, of)
	return of, nil
}
