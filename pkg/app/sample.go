package app

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/streams/codec"
	"tidemark/streams/tail"
)

// Sample reads the latest records of a topic, about so many, the same number of each
// partition. It joins no group and moves nothing.
func Sample(ctx context.Context, c config.Config, log zerolog.Logger, topic string, n int) ([]codec.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, sampleLimit)
	defer cancel()
	transport, err := reach(ctx, c, topic, fmt.Errorf("there is no topic %s", topic))
	if err != nil {
		return nil, err
	}
	defer transport.Close()
	follower, err := tail.New(tail.Config{Transport: transport, Topic: topic}, log)
	if err != nil {
		return nil, err
	}
	ends, err := follower.Ends(ctx)
	if err != nil {
		return nil, err
	}
	var out []codec.Record
	for partition, end := range ends {
		from := max(end-int64((n+len(ends)-1)/len(ends)), 0)
		err := follower.Whole(ctx, partition, from, func(r tail.Record) error {
			out = append(out, sampled(&r))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %s/%d: %w", topic, partition, err)
		}
	}
	return out, nil
}

// sampleLimit is how long a person waits for a sample.
const sampleLimit = 30 * time.Second

func sampled(r *tail.Record) codec.Record {
	out := codec.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Time, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, codec.Header{Key: h.Key, Value: h.Value})
	}
	return out
}
