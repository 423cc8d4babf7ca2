package tail

import (
	"context"

	"github.com/segmentio/kafka-go"
)

// Whole calls take for each record that the topic holds now, partition by
// partition, and returns when all are handed on. What can heal is tried again
// until ctx ends.
func (f *Follower) Whole(ctx context.Context, take func(Record) error) error {
	r := readers{Follower: f, take: take}
	var partitions []int
	err := r.retry(ctx, "look for partitions", func() (err error) {
		partitions, err = r.partitions(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := r.whole(ctx, p); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (r *readers) whole(ctx context.Context, partition int) error {
	var at, end int64
	err := r.retry(ctx, "look for the log's ends", func() (err error) {
		at, end, err = r.span(ctx, partition)
		return err
	})
	for err == nil && at < end && ctx.Err() == nil {
		var records []Record
		next := at
		err = r.retry(ctx, "fetch", func() (err error) {
			records, next, err = r.fetch(ctx, partition, at)
			return err
		})
		if err == nil {
			err = r.hand(ctx, records)
		}
		// Compaction and transactions leave offsets without a record.
		at = max(next, at+1)
	}
	return err
}

// span is the first offset of the log and the one after its last.
func (f *Follower) span(ctx context.Context, partition int) (first, end int64, err error) {
	got, err := f.offsets(ctx, []kafka.OffsetRequest{kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)})
	if err != nil {
		return 0, 0, err
	}
	return got[0].FirstOffset, got[0].LastOffset, nil
}
