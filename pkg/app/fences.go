package app

import (
	"context"

	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/streams/source"
)

// fencer knows the merges that are read again; see engine.Fences.
type fencer interface {
	Fences() map[engine.Partition]int64
	PastFences(ctx context.Context, fences map[engine.Partition]int64) (bool, error)
	Ends() map[engine.Partition]int64
}

// fences has topics with merges that are read again go first, in all instances: the other
// topics stand still until every shard is past them. Who reads such a topic is not held
// back by those that wait, as nobody waits for what is stopped. That lasts for what a lost
// second holds of these topics, and for no time at all where it held no merge.
type fences struct {
	engine fencer
	log    zerolog.Logger

	ahead map[engine.Partition]int64 // the fences that some shard is not past; none: all topics flow
	held  []string                   // the session's topics that stand still
	told  bool                       // the session's own partitions are past theirs, in every shard
}

// begin stops the topics of a new session that have to wait, and lets go those that the
// others wait for. all are the partitions that there are: those of a topic that nobody reads
// any more are waited for by nobody.
//
// Topics wait only where the store was set back and several instances read (apart). One that
// is alone reads again in the order of the first time, by event time, and waiting would make
// it another; so it would after a mere crash.
func (f *fences) begin(v valve, mine, all []engine.Partition, apart bool) {
	apart = apart || f.waits()
	f.ahead, f.held, f.told = map[engine.Partition]int64{}, nil, false
	if !apart {
		return
	}
	found := f.engine.Fences()
	first := map[string]bool{}
	for _, p := range all {
		if at, ok := found[p]; ok {
			f.ahead[p], first[p.Topic] = at, true
			f.log.Info().Str("topic", p.Topic).Int("partition", p.ID).Int64("offset", at).
				Msg("merges are read again up to here before the other topics go on")
		}
	}
	if len(f.ahead) == 0 {
		return
	}
	for i, p := range mine {
		switch {
		case i > 0 && mine[i-1].Topic == p.Topic:
		case first[p.Topic]:
			v.Allow(p.Topic, source.Unlimited)
		default:
			f.held = append(f.held, p.Topic)
			v.Allow(p.Topic, 0)
		}
	}
}

// waits reports whether topics stand still, here or elsewhere.
func (f *fences) waits() bool { return len(f.ahead) > 0 }

// due reports, once, that what is read here is past the fences. The others are to be told
// then, by moving all shards there.
func (f *fences) due() bool {
	if f.told {
		return false
	}
	ends, some := f.engine.Ends(), false
	for p, at := range f.ahead {
		end, ours := ends[p]
		if ours && end < at {
			return false
		}
		some = some || ours
	}
	f.told = some
	return some
}

// look lets the topics go on once every shard is past the fences.
func (f *fences) look(ctx context.Context, v valve) error {
	past, err := f.engine.PastFences(ctx, f.ahead)
	if err != nil || !past {
		return err
	}
	for _, topic := range f.held {
		v.Allow(topic, source.Unlimited)
	}
	f.ahead, f.held = nil, nil
	f.log.Info().Msg("merges are read again: all topics go on")
	return nil
}
