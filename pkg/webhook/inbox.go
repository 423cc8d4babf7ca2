package webhook

import (
	"context"
	"encoding/json"
	"time"

	"tidemark/pkg/follow"
)

// Inbox is the subscriber of one topic: it queues each new event for every endpoint that
// wants it.
type Inbox struct {
	Topic      string
	Memory     Memory
	Dispatcher *Dispatcher
}

var _ follow.State = (*Inbox)(nil)

// Positions implements follow.State.
func (i *Inbox) Positions(ctx context.Context) (map[int]int64, error) { return i.Memory.Positions(ctx) }

// Seen implements follow.State.
func (i *Inbox) Seen(ctx context.Context, keys []string) ([]uint64, error) {
	return i.Memory.Seen(ctx, keys)
}

// Take implements follow.State. A new subscriber begins with what happens from now on:
// where the accounts stand by then is no news.
func (i *Inbox) Take(ctx context.Context, step follow.Step) error {
	queued := map[string][]Entry{}
	if step.Why != follow.Begun {
		for _, e := range step.Events {
			i.queue(queued, &e)
		}
	}
	if err := i.Memory.TakeQueued(ctx, step, time.Now().UnixMilli(), queued); err != nil {
		return err
	}
	for endpoint := range queued {
		i.Dispatcher.wake(endpoint)
	}
	return nil
}

func (i *Inbox) queue(queued map[string][]Entry, e *follow.Event) {
	entry := Entry{Topic: i.Topic, Key: e.Key, Seq: e.Seq, Value: e.Value}
	for _, endpoint := range i.Dispatcher.wanted(&entry) {
		queued[endpoint] = append(queued[endpoint], entry)
	}
}

// Wants reports whether the endpoint's filter holds for an event of a topic.
func (e *Endpoint) Wants(topic string, value []byte) bool {
	var event map[string]any
	return json.Unmarshal(value, &event) == nil && e.wants(topic, event)
}
