package traffic

import (
	"context"
	"fmt"
	"iter"
	"time"

	"tidemark/streams/sink"
)

// Publisher writes to Kafka. It returns nil once all messages are acknowledged,
// and tries again by itself what can heal.
type Publisher interface {
	Publish(ctx context.Context, topic string, messages []sink.Message) error
}

// Topics are where the feeds go.
type Topics struct{ Profiles, Intent, Engagement string }

func (t Topics) of(f Feed) string {
	return [...]string{Profiles: t.Profiles, Intent: t.Intent, Engagement: t.Engagement}[f]
}

// Pacer publishes a world's events, each once the clock has come to it.
type Pacer struct {
	World     *World
	Clock     *Clock
	Topics    Topics
	Publisher Publisher
	Journal   *Journal
}

// breath is the shortest pause between two requests, so that a fast clock gives
// larger batches and not more of them.
const breath = 10 * time.Millisecond

// Introduce publishes the firms' profiles, before anything happens.
func (p *Pacer) Introduce(ctx context.Context) error {
	return p.publish(ctx, p.World.Profiles())
}

// Run publishes until ctx ends.
func (p *Pacer) Run(ctx context.Context) error {
	next, stop := iter.Pull(p.World.Events())
	defer stop()
	event, _ := next() // there is no end
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		var due []Event
		for now := p.Clock.Elapsed(); event.At <= now; event, _ = next() {
			due = append(due, event)
		}
		if err := p.publish(ctx, due); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		timer.Reset(max(breath, min(p.Clock.Until(event.At), time.Second)))
	}
}

// publish writes events to their topics, each feed in order.
func (p *Pacer) publish(ctx context.Context, events []Event) error {
	messages := map[Feed][]sink.Message{}
	for i := range events {
		e := &events[i]
		value, err := e.CloudEvent(p.Clock.Begins())
		if err != nil {
			return err
		}
		messages[e.Feed] = append(messages[e.Feed], sink.Message{
			Key: []byte(e.Key()), Value: value, Time: p.Clock.Begins().Add(e.At),
			Headers: []sink.Header{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}},
		})
		p.Journal.Note(e)
	}
	for _, feed := range []Feed{Profiles, Intent, Engagement} {
		if err := p.Publisher.Publish(ctx, p.Topics.of(feed), messages[feed]); err != nil {
			return fmt.Errorf("traffic: %w", err)
		}
	}
	return nil
}
