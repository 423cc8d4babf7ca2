package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/pkg/engine"
	"tidemark/streams/survey"
)

// check returns an OffsetError if the log does not hold offset, its end being an
// offset to wait at.
func (b Bounds) check(p engine.Partition, offset int64) error {
	if offset >= b.First && offset <= b.End {
		return nil
	}
	return &OffsetError{Topic: p.Topic, Partition: p.ID, Wanted: offset, First: b.First, End: b.End}
}

// retry tries until it works, until ctx or the session ends, or until there is no
// hope.
func retry[T any](ctx context.Context, se *Session, try func(context.Context) (T, error)) (T, error) {
	var none T
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(se.ctx, cancel)() //nolint:contextcheck // it ends ctx and replaces nothing
	for failures := 0; ; {
		one, done := context.WithTimeout(ctx, se.source.cfg.RequestTimeout)
		v, err := try(one)
		done()
		if err == nil {
			return v, nil
		}
		failures++
		setup := setupError(err)
		switch {
		case se.ctx.Err() != nil:
			return none, ErrEnded
		case setup != nil:
			return none, setup
		case !pause(ctx, failures):
			if se.ctx.Err() != nil {
				return none, ErrEnded
			}
			return none, fmt.Errorf("%w (last: %w)", ctx.Err(), err)
		}
	}
}

// atOnce bounds the partitions asked for together: kafka-go sends two requests for
// each, all at once and each on its own connection.
const atOnce = 8

func (s *Source) bounds(ctx context.Context, parts []engine.Partition) (map[engine.Partition]Bounds, error) {
	all := make(map[engine.Partition]Bounds, len(parts))
	for some := range slices.Chunk(parts, atOnce) {
		topics := make(map[string][]kafka.OffsetRequest)
		for _, p := range some {
			topics[p.Topic] = append(topics[p.Topic], kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
		}
		res, err := s.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: topics})
		if err != nil {
			return nil, fmt.Errorf("list offsets: %w", err)
		}
		for topic, found := range res.Topics {
			for _, b := range found {
				if b.Error != nil {
					return nil, fmt.Errorf("list offsets of %s/%d: %w", topic, b.Partition, b.Error)
				}
				all[engine.Partition{Topic: topic, ID: b.Partition}] = Bounds{First: b.FirstOffset, End: b.LastOffset}
			}
		}
	}
	if len(all) != len(parts) {
		return nil, fmt.Errorf("list offsets: %d answers for %d partitions", len(all), len(parts))
	}
	return all, nil
}

func (s *Source) committed(ctx context.Context, parts []engine.Partition) (map[engine.Partition]int64, error) {
	if len(parts) == 0 {
		return map[engine.Partition]int64{}, nil
	}
	topics := make(map[string][]int)
	for _, p := range parts {
		topics[p.Topic] = append(topics[p.Topic], p.ID)
	}
	res, err := s.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: s.cfg.Group, Topics: topics})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", s.cfg.Group, err)
	}
	all := make(map[engine.Partition]int64, len(parts))
	for topic, found := range res.Topics {
		for _, o := range found {
			if o.Error != nil {
				return nil, fmt.Errorf("read the offset of group %s in %s/%d: %w", s.cfg.Group, topic, o.Partition, o.Error)
			}
			all[engine.Partition{Topic: topic, ID: o.Partition}] = o.CommittedOffset
		}
	}
	if len(all) != len(parts) {
		return nil, fmt.Errorf("read the offsets of group %s: %d answers for %d partitions", s.cfg.Group, len(all), len(parts))
	}
	return all, nil
}

func (s *Source) commit(ctx context.Context, m member, offsets map[engine.Partition]int64) error {
	topics := make(map[string][]kafka.OffsetCommit)
	note := survey.Stamp(time.Now())
	for p, offset := range offsets {
		topics[p.Topic] = append(topics[p.Topic], kafka.OffsetCommit{Partition: p.ID, Offset: offset, Metadata: note})
	}
	res, err := s.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: s.cfg.Group, GenerationID: m.generation, MemberID: m.id, Topics: topics})
	if err != nil {
		return fmt.Errorf("commit offsets of group %s: %w", s.cfg.Group, err)
	}
	for topic, found := range res.Topics {
		for _, o := range found {
			if ended(o.Error) {
				return ErrEnded
			}
			if o.Error != nil {
				return fmt.Errorf("commit offset of group %s in %s/%d: %w", s.cfg.Group, topic, o.Partition, o.Error)
			}
		}
	}
	return nil
}

// ended says that the group went on without this generation.
func ended(err error) bool {
	return errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.RebalanceInProgress)
}
