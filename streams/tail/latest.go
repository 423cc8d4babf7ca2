package tail

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
)

// Depth is how many records of a partition Latest looks at, and lookBack how many first.
const (
	Depth    = 8192
	lookBack = 256
)

// Latest are the latest records of a key, the oldest first, of a topic that is
// partitioned as the Java client would. It looks back from the end of the key's partition
// until enough says so of what was found, or for Depth records.
func (f *Follower) Latest(ctx context.Context, key string, enough func([]Record) bool) ([]Record, error) {
	partitions, err := f.partitions(ctx)
	if err != nil {
		return nil, fmt.Errorf("partitions of %s: %w", f.cfg.Topic, err)
	}
	slices.Sort(partitions)
	p := kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: []byte(key)}, partitions...)
	first, end, err := f.span(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("ends of %s/%d: %w", f.cfg.Topic, p, err)
	}
	first = max(first, end-Depth)
	var out []Record
	for step := int64(lookBack); end > first && !enough(out); step *= 2 {
		from := max(first, end-step)
		some, err := f.keyed(ctx, p, []byte(key), from, end)
		if err != nil {
			return nil, err
		}
		out, end = append(some, out...), from
	}
	return out, nil
}

// keyed are the records of a key from an offset up to before another.
func (f *Follower) keyed(ctx context.Context, partition int, key []byte, from, end int64) (out []Record, err error) {
	for at := from; at < end; {
		records, next, err := f.fetch(ctx, partition, at)
		if err != nil {
			return nil, fmt.Errorf("fetch %s/%d at %d: %w", f.cfg.Topic, partition, at, err)
		}
		for _, r := range records {
			if r.Offset < end && bytes.Equal(r.Key, key) {
				out = append(out, r)
			}
		}
		at = max(next, at+1) // compaction and transactions leave offsets without a record
	}
	return out, nil
}
