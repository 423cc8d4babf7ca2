package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tidemark/pkg/engine"
	"tidemark/streams/codec"
)

// pause has every instance pause while the new generation becomes the live one.
// Should this process die in the middle, they go on with the former state after
// the time of a lease.
func (b *rebuild) pause(ctx context.Context, stop func() error) error {
	b.stage("waiting for instances to pause")
	owner := b.live.Process()
	release, err := hold(ctx, ctx, b.log, func(ctx context.Context) (bool, error) { return b.live.HoldSwitch(ctx, owner, leaseTTL) })
	if err != nil {
		return err
	}
	defer func() {
		release()
		// Best effort: it runs out by itself, and is gone already once switched.
		_ = b.live.ReleaseSwitch(context.WithoutCancel(ctx), owner)
	}()
	shards := everyShard(b.live.Shards())
	releaseShards, err := holdShards(ctx, b.log, b.live, shards, owner)
	if err != nil {
		return err
	}
	defer func() {
		releaseShards()
		_ = b.live.ReleaseShards(context.WithoutCancel(ctx), shards, owner) // they run out by themselves
	}()
	return b.take(ctx, owner, stop)
}

// take reads on to where the instances stood, takes over what was published, and
// switches.
func (b *rebuild) take(ctx context.Context, owner string, stop func() error) error {
	b.stage("reading on to where they stood")
	stood, err := b.stood(ctx)
	if err != nil {
		return err
	}
	if err := b.replay.await(ctx, stood); err != nil {
		return err
	}
	if err := stop(); err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	b.stage("comparing with what was published")
	// What a switch that failed put there was never published.
	if err := b.next.DropOutbox(ctx); err != nil {
		return err
	}
	ends, err := b.tiers.Ends(ctx)
	if err != nil {
		return err
	}
	told, err := b.told(ctx)
	if err != nil {
		return err
	}
	rebased, err := b.rebase(ctx, told)
	if err != nil {
		return err
	}
	published := make(map[engine.Partition]int64, len(ends))
	for p, end := range ends {
		published[engine.Partition{Topic: b.cfg.Kafka.Topics.AccountTiers, ID: p}] = end
	}
	if _, err := b.engine.Checkpoint(ctx, published); err != nil {
		return err
	}
	done, err := b.live.Switch(ctx, owner, b.result.Generation)
	if err != nil {
		return err
	}
	if !done {
		return errors.New("the right to switch was lost, as this process or Redis stood still for too long: " +
			"nothing has changed, run `tidemark rebuild --switch` again")
	}
	b.result.Switched, b.result.Corrected = true, rebased.Corrected
	return nil
}

// stood is the furthest that any shard of the live state got in each input
// partition.
func (b *rebuild) stood(ctx context.Context) (map[engine.Partition]int64, error) {
	all, err := b.live.Positions(ctx)
	if err != nil {
		return nil, err
	}
	inputs := b.cfg.Kafka.InputTopics()
	out := map[engine.Partition]int64{}
	for _, shard := range all {
		for p, at := range shard {
			if slices.Contains(inputs, p.Topic) {
				out[p] = max(out[p], at)
			}
		}
	}
	// A log that is shorter, as the topic was recreated, has no more to give.
	b.replay.mu.Lock()
	defer b.replay.mu.Unlock()
	for p := range out {
		if end, known := b.replay.end[p]; !known || out[p] > max(end, b.replay.ends[p]) {
			delete(out, p)
		}
	}
	return out, nil
}

// told reads what subscribers were last told of each account.
func (b *rebuild) told(ctx context.Context) (map[string]engine.Told, error) {
	partitions, err := b.tiers.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	told := map[string]engine.Told{}
	for _, p := range partitions {
		err := eachPublished(ctx, b.tiers, p, 0, func(c *codec.Published, _ []byte) error {
			if c.Seq > told[c.Account].Seq {
				told[c.Account] = engine.Told{Seq: c.Seq, Tier: c.To}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read what was published: %w", err)
		}
	}
	return told, nil
}

// rebase takes over the numbers of what was published.
func (b *rebuild) rebase(ctx context.Context, told map[string]engine.Told) (engine.Rebased, error) {
	e, err := b.newEngine(b.next)
	if err != nil {
		return engine.Rebased{}, err
	}
	b.replay.mu.Lock()
	at := b.replay.level
	b.replay.mu.Unlock()
	last := time.Now()
	return e.Rebase(ctx, b.next, told, at, func(accounts int) {
		if time.Since(last) > time.Second {
			last = time.Now()
			b.log.Info().Int("accounts", accounts).Msg("compared with what was published")
		}
	})
}
