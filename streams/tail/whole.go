package tail

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// Partitions are those that the topic has now. What can heal is tried again until
// ctx ends.
func (f *Follower) Partitions(ctx context.Context) (partitions []int, err error) {
	err = f.retry(ctx, "look for partitions", func() (err error) {
		partitions, err = f.partitions(ctx)
		return err
	})
	return partitions, errors.Join(err, ctx.Err())
}

// Ends are, for each partition, the offset behind the last record there is now. It
// asks once.
func (f *Follower) Ends(ctx context.Context) (map[int]int64, error) {
	partitions, err := f.partitions(ctx)
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", f.cfg.Topic, err)
	}
	ends, err := f.ends(ctx, partitions)
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", f.cfg.Topic, err)
	}
	return ends, nil
}

// All calls take for each record that the topic holds now, one partition after the other,
// each from its offset on; one that from does not name, from its beginning.
func (f *Follower) All(ctx context.Context, from map[int]int64, take func(Record) error) error {
	partitions, err := f.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := f.Whole(ctx, p, from[p], take); err != nil {
			return err
		}
	}
	return nil
}

// Whole calls take for each record that the partition holds now from an offset
// on, and returns when all are handed on. What can heal is tried again until ctx
// ends.
func (f *Follower) Whole(ctx context.Context, partition int, from int64, take func(Record) error) error {
	r := readers{Follower: f, take: take}
	return errors.Join(r.whole(ctx, partition, from), ctx.Err())
}

func (r *readers) whole(ctx context.Context, partition int, from int64) error {
	var first, end int64
	err := r.retry(ctx, "look for the log's ends", func() (err error) {
		first, end, err = r.span(ctx, partition)
		return err
	})
	at := max(first, from)
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

// Spans are, for each partition, the first offset there is and the one behind the
// last. What can heal is tried again until ctx ends.
func (f *Follower) Spans(ctx context.Context) (map[int][2]int64, error) {
	partitions, err := f.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[int][2]int64, len(partitions))
	for _, p := range partitions {
		err := f.retry(ctx, "look for the log's ends", func() error {
			first, end, err := f.span(ctx, p)
			out[p] = [2]int64{first, end}
			return err
		})
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
	}
	return out, nil
}
