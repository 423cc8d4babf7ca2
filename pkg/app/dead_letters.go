package app

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/deadletters"
	"tidemark/streams/conn"
	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

// DeadLetters opens the configured dead-letter topic. The caller calls done when
// it needs the letters no more.
func DeadLetters(ctx context.Context, c config.Config, log zerolog.Logger) (letters *deadletters.Letters, done func(), err error) {
	topic, inputs := c.Kafka.Topics.DeadLetters, c.Kafka.InputTopics()
	transport, err := reach(ctx, c, topic, &sink.MissingTopicError{Topic: topic}, inputs...)
	if err != nil {
		return nil, nil, err
	}
	publisher, err := sink.New(sink.Config{Transport: transport}, log)
	if err != nil {
		transport.Close()
		return nil, nil, err
	}
	return &deadletters.Letters{
		Cluster: letterCluster{transport, publisher, sink.NewTopics(transport, 0), log}, Topic: topic, Inputs: inputs,
		Now: func() int64 { return time.Now().UnixMilli() },
	}, transport.Close, nil
}

// letterCluster is a cluster as deadletters wants it.
type letterCluster struct {
	transport *conn.Transport
	*sink.Publisher
	*sink.Topics
	log zerolog.Logger
}

// Log implements deadletters.Cluster.
func (l letterCluster) Log(topic string) (deadletters.Log, error) {
	return tail.New(tail.Config{Transport: l.transport, Topic: topic}, l.log)
}
