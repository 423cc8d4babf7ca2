package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/streams/sink"
)

// read follows one partition until ctx ends.
func (r *readers) read(ctx context.Context, partition int, offset int64) error {
	for !over(ctx) {
		var records []Record
		err := r.retry(ctx, "fetch", func() (err error) {
			records, offset, err = r.fetch(ctx, partition, offset)
			if errors.Is(err, kafka.OffsetOutOfRange) {
				offset, err = r.reenter(ctx, partition, offset)
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := r.hand(ctx, records); err != nil {
			return err
		}
	}
	return nil
}

// fetch asks once, and returns where to go on. The client leaves out transaction
// markers.
func (f *Follower) fetch(ctx context.Context, partition int, offset int64) (out []Record, next int64, err error) {
	response, err := f.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: f.cfg.Topic, Partition: partition, Offset: offset,
		MinBytes: 1, MaxBytes: int64(f.cfg.MaxBytes), MaxWait: f.cfg.MaxWait, IsolationLevel: kafka.ReadCommitted,
	})
	if err != nil {
		return nil, offset, err
	}
	if response.Error != nil {
		return nil, offset, response.Error
	}
	for {
		rec, err := response.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, offset, fmt.Errorf("read %s/%d at %d: %w", f.cfg.Topic, partition, offset, err)
		}
		if rec.Offset < offset {
			continue // a batch begins before what was asked for
		}
		keep := Record{Topic: f.cfg.Topic, Partition: partition, Offset: rec.Offset, Time: rec.Time.UnixMilli(), Headers: rec.Headers}
		if keep.Key, err = bytesOf(rec.Key); err == nil {
			keep.Value, err = bytesOf(rec.Value)
		}
		if err != nil {
			return nil, offset, fmt.Errorf("read %s/%d at %d: %w", f.cfg.Topic, partition, rec.Offset, err)
		}
		out = append(out, keep)
	}
	switch n := len(out); {
	case n > 0:
		next = out[n-1].Offset + 1
	case offset < response.LastStableOffset:
		// An answer without records although there is something: a marker or what
		// compaction left stands at the offset, and no record.
		next = offset + 1
	default:
		next = offset
	}
	return out, next, nil
}

func bytesOf(b kafka.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	defer b.Close() //nolint:errcheck // it is memory
	return kafka.ReadAll(b)
}

// reenter finds where to go on once the log does not hold the offset any more: its
// first record, or its end where the log became shorter.
func (r *readers) reenter(ctx context.Context, partition int, offset int64) (int64, error) {
	got, err := r.offsets(ctx, []kafka.OffsetRequest{kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)})
	if err != nil {
		return offset, err
	}
	first, end := got[0].FirstOffset, got[0].LastOffset
	to := first
	if offset > end {
		to = end
	}
	r.log.Warn().Int("partition", partition).Int64("offset", offset).Int64("first", first).Int64("end", end).
		Int64("to", to).Msg("the log does not hold the offset, going on elsewhere")
	return to, nil
}

// partitions are the topic's, as far as they are known now.
func (f *Follower) partitions(ctx context.Context) ([]int, error) {
	response, err := f.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{f.cfg.Topic}})
	if err != nil {
		return nil, err
	}
	topic := response.Topics[0]
	if topic.Error != nil {
		return nil, topic.Error
	}
	out := make([]int, len(topic.Partitions))
	for i, p := range topic.Partitions {
		out[i] = p.ID
	}
	if len(out) == 0 {
		return nil, kafka.LeaderNotAvailable
	}
	return out, nil
}

// ends are the offsets behind the last records.
func (f *Follower) ends(ctx context.Context, partitions []int) (map[int]int64, error) {
	ask := make([]kafka.OffsetRequest, len(partitions))
	for i, p := range partitions {
		ask[i] = kafka.LastOffsetOf(p)
	}
	got, err := f.offsets(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := map[int]int64{}
	for _, p := range got {
		out[p.Partition] = p.LastOffset
	}
	return out, nil
}

func (f *Follower) offsets(ctx context.Context, ask []kafka.OffsetRequest) ([]kafka.PartitionOffsets, error) {
	response, err := f.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{f.cfg.Topic: ask}})
	if err != nil {
		return nil, err
	}
	got := response.Topics[f.cfg.Topic]
	for _, p := range got {
		if p.Error != nil {
			return nil, p.Error
		}
	}
	if len(got) == 0 {
		return nil, kafka.UnknownTopicOrPartition
	}
	return got, nil
}

// The pause between attempts doubles between these.
const minPause, maxPause = 50 * time.Millisecond, 2 * time.Second

// retry repeats an attempt while its error can heal and ctx lives.
func (f *Follower) retry(ctx context.Context, what string, attempt func() error) error {
	pause := minPause
	for told := false; ; told = true {
		err := attempt()
		switch {
		case err == nil || over(ctx):
			return nil
		case !sink.Heals(err):
			return fmt.Errorf("%s of %s: %w", what, f.cfg.Topic, err)
		case !told:
			f.log.Warn().Err(err).Str("what", what).Msg("reading fails, it is tried until it works")
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		pause = min(2*pause, maxPause)
	}
}

// over tells whether ctx has ended. A request fails at the deadline of its context,
// which may be a moment before the context says so.
func over(ctx context.Context) bool {
	deadline, has := ctx.Deadline()
	return ctx.Err() != nil || has && !time.Now().Before(deadline)
}
