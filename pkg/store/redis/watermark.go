package redis

import (
	"context"
	"fmt"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

// PutWatermarks replaces what is known of these partitions and leaves the others.
func (s *Store) PutWatermarks(ctx context.Context, marks map[engine.Partition]store.Watermark) error {
	if len(marks) == 0 {
		return nil
	}
	args := make([]any, 0, 2*len(marks))
	for partition, mark := range marks {
		args = append(args, partitionField(partition), fmt.Sprintf("%d %d", mark.Consumed, mark.Frontier))
	}
	return s.try(ctx, "put watermarks", func() error {
		return s.client.HSet(ctx, s.keys.watermarks(), args...).Err()
	})
}

// Watermarks returns what is known of all partitions, from every instance.
func (s *Store) Watermarks(ctx context.Context) (map[engine.Partition]store.Watermark, error) {
	var fields map[string]string
	err := s.try(ctx, "read watermarks", func() (err error) {
		fields, err = s.client.HGetAll(ctx, s.keys.watermarks()).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make(map[engine.Partition]store.Watermark, len(fields))
	for field, value := range fields {
		partition, err := parsePartition(field)
		if err != nil {
			return nil, fmt.Errorf("read watermarks: %w", err)
		}
		var mark store.Watermark
		if _, err := fmt.Sscanf(value, "%d %d", &mark.Consumed, &mark.Frontier); err != nil {
			return nil, fmt.Errorf("read watermark of %s: %q is not two instants", field, value)
		}
		out[partition] = mark
	}
	return out, nil
}
