package source

import (
	"context"
	"errors"
	"fmt"
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

func (s *Source) bounds(ctx context.Context, parts []engine.Partition) (map[engine.Partition]Bounds, error) {
	found, err := survey.Bounds(ctx, s.client, parts, kafka.ReadUncommitted)
	if err != nil {
		return nil, err
	}
	all := make(map[engine.Partition]Bounds, len(found))
	for p, b := range found {
		all[p] = Bounds(b)
	}
	return all, nil
}

func (s *Source) committed(ctx context.Context, parts []engine.Partition) (map[engine.Partition]int64, error) {
	found, err := survey.Committed(ctx, s.client, s.cfg.Group, parts)
	if err != nil {
		return nil, err
	}
	all := make(map[engine.Partition]int64, len(found))
	for p, c := range found {
		all[p] = c.Offset
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
