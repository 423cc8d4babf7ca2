package app

import (
	"context"
	"fmt"
	"math"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
)

// Comparison holds two states against each other at one instant.
type Comparison struct {
	At     int64 // Unix milliseconds
	Live   int   // accounts of the live state
	Log    int   // accounts of the state built from the log
	Differ int   // accounts of either that stand in different tiers
	// Moves counts those that differ by both tiers. An account that one of the two
	// does not know stands in the last tier there.
	Moves map[engine.Correction]int
	// Scores counts accounts in the same tier whose scores differ by more than 1e-6.
	Scores     int
	Unreadable int // accounts of the live state that this program can't decode
	Examples   []Difference
}

// Difference is an account that stands in different tiers.
type Difference struct {
	Account             string
	LiveTier, LogTier   string
	LiveScore, LogScore float64
}

// mostExamples is how many differences are named.
const mostExamples = 10

// scoreTolerance is within what two scores are the same (SPEC 4).
const scoreTolerance = 1e-6

// compare holds the live state against the new one while both go on: an account
// that changes meanwhile may be counted though it does not differ.
func (b *rebuild) compare(ctx context.Context, at int64) (Comparison, error) {
	c := comparer{out: Comparison{At: at, Moves: map[engine.Correction]int{}}, log: reign{model: b.model}}
	var err error
	if c.live, err = inForce(ctx, b.live); err != nil {
		return c.out, err
	}
	if c.live.model == nil { // nothing is stored under any model
		c.live.model = b.model
	}
	if err := walk(ctx, b.live, b.next, func(live, log engine.Record) { c.out.Live++; c.pair(live, log) }); err != nil {
		return c.out, fmt.Errorf("live state: %w", err)
	}
	err = walk(ctx, b.next, b.live, func(log, live engine.Record) {
		c.out.Log++
		if live.State == nil {
			c.pair(live, log)
		}
	})
	if err != nil {
		return c.out, fmt.Errorf("new state: %w", err)
	}
	return c.out, nil
}

// walk calls each for every account of the one store, with what the other has.
func walk(ctx context.Context, one, other *redis.Store, each func(one, other engine.Record)) error {
	const batch = 500
	for shard := range one.Shards() {
		seen := map[string]bool{}
		for cursor, first := uint64(0), true; first || cursor != 0; first = false {
			records, next, err := one.Scan(ctx, shard, cursor, batch)
			if err != nil {
				return err
			}
			others, err := loadAll(ctx, other, records)
			if err != nil {
				return err
			}
			for _, r := range records {
				if !seen[r.Account] {
					seen[r.Account] = true
					each(r, others[r.Account])
				}
			}
			cursor = next
		}
	}
	return nil
}

func loadAll(ctx context.Context, s *redis.Store, like []engine.Record) (map[string]engine.Record, error) {
	names := make([]string, len(like))
	for i, r := range like {
		names[i] = r.Account
	}
	records, err := s.Load(ctx, engine.WantedOf(names, s.Shards())...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]engine.Record, len(like))
	for _, r := range records {
		out[r.Account] = r
	}
	return out, nil
}

// comparer compares account by account.
type comparer struct {
	out       Comparison
	live, log reign
}

func (c *comparer) pair(live, log engine.Record) {
	liveTier, liveScore, ok := c.stands(c.live, live)
	if !ok {
		c.out.Unreadable++
	}
	logTier, logScore, _ := c.stands(c.log, log)
	switch {
	case liveTier != logTier:
		c.out.Differ++
		c.out.Moves[engine.Correction{Told: liveTier, Is: logTier}]++
		if len(c.out.Examples) < mostExamples {
			c.out.Examples = append(c.out.Examples, Difference{
				Account: max(live.Account, log.Account), LiveTier: liveTier, LogTier: logTier, LiveScore: liveScore, LogScore: logScore,
			})
		}
	case math.Abs(liveScore-logScore) > scoreTolerance:
		c.out.Scores++
	}
}

// stands is an account's tier and score at the comparison's instant.
func (c *comparer) stands(in reign, r engine.Record) (tier string, score float64, ok bool) {
	m := in.model
	a, err := in.read(r)
	if a == nil {
		return m.LastTier(), 0, err == nil
	}
	at := c.out.At
	if a.Begun {
		at = max(at, a.Clock)
		m.Advance(a, at)
	}
	return m.Tier(a), m.Score(a, at), true
}
