package app

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/streams/codec"
	"tidemark/streams/sink"
)

// PublishProfiles publishes CloudEvents to the profiles topic in batches, as give hands
// them to put, and returns once all are acknowledged by all replicas.
func PublishProfiles(ctx context.Context, c config.Config, log zerolog.Logger, give func(put func(account string, value []byte) error) error) error {
	topic := c.Kafka.Topics.Profiles
	formats, err := Formats(c)
	if err != nil {
		return err
	}
	if formats[topic] != (codec.Format{}) {
		return fmt.Errorf("kafka.inputs: the topic %s has a format of its own, and what is imported are CloudEvents: "+
			"give the imported profiles a topic of their own, by kafka.topics.profiles or another input", topic)
	}
	transport, err := reach(ctx, c, topic, &sink.MissingTopicError{Topic: topic})
	if err != nil {
		return err
	}
	defer transport.Close()
	publisher, err := sink.New(sink.Config{Transport: transport}, log)
	if err != nil {
		return err
	}
	b := profileBatch{ctx: ctx, publisher: publisher, topic: topic}
	if err := give(b.put); err != nil {
		return err
	}
	return b.flush()
}

// profileBatch gathers messages, so that an import does not wait for each.
type profileBatch struct {
	ctx       context.Context
	publisher *sink.Publisher
	topic     string
	messages  []sink.Message
}

// mostProfiles is how many go together.
const mostProfiles = 500

func (b *profileBatch) put(account string, value []byte) error {
	b.messages = append(b.messages, sink.Message{
		Key: []byte(account), Value: value,
		Headers: []sink.Header{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}},
	})
	if len(b.messages) < mostProfiles {
		return nil
	}
	return b.flush()
}

func (b *profileBatch) flush() error {
	err := b.publisher.Publish(b.ctx, b.topic, b.messages)
	b.messages = b.messages[:0]
	return err
}
