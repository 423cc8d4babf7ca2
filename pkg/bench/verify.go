package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"tidemark/pkg/app"
	"tidemark/pkg/offline"
	"tidemark/streams/codec"
)

// history is tier changes by id: a hash of each one's bytes, until an instant.
type history struct {
	until time.Time
	mu    sync.Mutex // guards the rest: partitions are read at once
	seen  map[string]uint64
	twice []string // ids that came again with other bytes
}

func (h *history) add(value []byte) error {
	c, err := parseChange(value)
	if err != nil || c.Time.After(h.until) {
		return err
	}
	sum := xxhash.Sum64(value)
	h.mu.Lock()
	defer h.mu.Unlock()
	if before, ok := h.seen[c.ID]; ok && before != sum {
		h.twice = append(h.twice, c.ID)
	}
	h.seen[c.ID] = sum
	return nil
}

// differences are the ids that only one of two histories has, or whose bytes differ;
// an id that has two meanings within one history is among them.
func (h *history) differences(other *history) []string {
	ids := append(slices.Clone(h.twice), other.twice...)
	for id, sum := range h.seen {
		if theirs, ok := other.seen[id]; !ok || theirs != sum {
			ids = append(ids, id)
		}
	}
	for id := range other.seen {
		if _, ok := h.seen[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// shownDifferences is how many tier changes that differ are told.
const shownDifferences = 10

// verified is what a comparison found.
type verified struct {
	rate        float64 // events per second of the offline score, reading included
	changes     int     // that it made
	differences int     // of what was published from it
	fromFirst   int     // of what was published from what the first round published
}

// verify holds what a deployment published until the workload's end against what the
// offline score makes of the same topics, in the source's order, and against what
// the first round published.
func (b *bench) verify(ctx context.Context, d *deployment) (*verified, error) {
	until := time.UnixMilli(b.last)
	published := &history{until: until, seen: map[string]uint64{}}
	// The namespace is new in each round and stands in every change.
	source := []byte("tidemark/" + d.cfg.Namespace)
	if err := b.readAll(ctx, d.cfg.Kafka.Topics.TierChanges, func(value []byte) error {
		return published.add(bytes.Replace(value, source, []byte("tidemark/"), 1))
	}); err != nil {
		return nil, err
	}
	begun := time.Now()
	scored := &history{until: until, seen: map[string]uint64{}}
	if err := b.scoreOffline(ctx, d, scored); err != nil {
		return nil, err
	}
	took, differ := time.Since(begun), scored.differences(published)
	v := &verified{rate: perSecond(b.opts.Workload.Events, took), changes: len(scored.seen), differences: len(differ)}
	if b.first == nil {
		b.first = published
	}
	v.fromFirst = len(b.first.differences(published))
	b.say("verified: %d tier changes, %d differences from the offline history %s", len(published.seen), v.differences,
		strings.Join(differ[:min(len(differ), shownDifferences)], " "))
	return v, nil
}

// scoreOffline does what `score` does, on the deployment's input topics.
func (b *bench) scoreOffline(ctx context.Context, d *deployment, to *history) (err error) {
	model, err := app.Compile(b.file, b.file.Spec.Names())
	if err != nil {
		return err
	}
	spool, err := os.Create(filepath.Join(b.dir, "spool"))
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	defer func() { err = errors.Join(err, spool.Close()) }()
	runner := offline.New(model, b.last, codec.ChangeEncoder{}, spool)
	if _, err := b.merged(ctx, d, b.opts.Workload.Events, nil, runner.Event); err != nil {
		return err
	}
	_, err = runner.Finish(func(line []byte) error { return to.add(bytes.TrimSuffix(line, []byte("\n"))) }, func(offline.Score) error { return nil })
	return err
}
