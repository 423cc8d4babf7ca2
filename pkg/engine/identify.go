package engine

import (
	"context"
	"maps"
	"slices"

	"tidemark/scoring"
)

// identify does what the first of the inputs says about who is who: a merge, or a
// profile that declares the domain of an account that has events. Everything before
// it is stored, and past in every shard.
func (e *Engine) identify(ctx context.Context, in *Input, until int64) error {
	in.joins, in.watermark = false, max(e.watermark, min(e.level, until))
	if in.Event.Kind == scoring.KindProfile {
		if e.stored(in, in.Event.Account) {
			return e.moveAgain(ctx, in)
		}
		return e.moveIn(ctx, in)
	}
	if e.stored(in, in.Event.Account) { // done before
		return e.offerAgain(ctx, in, in.Event.Account)
	}
	refusal, err := e.merge(ctx, in)
	if err != nil || refusal == "" {
		return err
	}
	in.refused = true
	if e.hooks.Refuse == nil || e.Covered(in.Partition, in.Offset) {
		return nil
	}
	return e.retry(ctx, "refuse a merge", func() error { return e.hooks.Refuse(ctx, in, refusal) })
}

func (e *Engine) shardOf(account string) *shard {
	n := ShardOf(account, e.store.Shards())
	return e.laneOf(n).shards[n]
}

// laneOf is the lane that a shard is in.
func (e *Engine) laneOf(shard int) *lane { return e.lanes[shard%len(e.lanes)] }

// stored reports whether the shard of an account is past the input. What comes behind
// the input is not in the account before.
func (e *Engine) stored(in *Input, account string) bool {
	return e.shardOf(account).positions[in.Partition] > in.Offset
}

// moveIn moves the accounts that are no more than a domain into the one whose profile
// declares it. Whether one is, is asked once: it may have events later that are its own.
func (e *Engine) moveIn(ctx context.Context, in *Input) error {
	ev := in.Event
	owner, err := e.look(ctx, ev.Account)
	if err != nil || owner.account.Into() != "" {
		return err
	}
	before, at := owner.account.Profile()
	if before != nil && ev.Time < at {
		return nil
	}
	if err := e.moveAliases(ctx, ev, before); err != nil {
		return err
	}
	var held map[string]string
	err = e.retry(ctx, "look up aliases", func() (err error) {
		held, err = e.aliases.Resolve(ctx, ev.Profile.Domains)
		return err
	})
	if err != nil {
		return err
	}
	for _, domain := range ev.Profile.Domains {
		if domain == ev.Account {
			continue
		}
		moves := held[domain] == ev.Account && !e.stored(in, domain)
		if err := e.moveDomain(ctx, in, domain, moves); err != nil {
			return err
		}
	}
	return nil
}

// moveAgain is moveIn for a profile that is stored. What it moved the owner took: such
// an account is there again if its store was set back, but for one that the owner went
// into itself, where a circle was opened.
func (e *Engine) moveAgain(ctx context.Context, in *Input) error {
	way, err := e.way(ctx, in.Event.Account)
	if err != nil {
		return err
	}
	owner, err := e.look(ctx, in.Event.Account)
	if err != nil {
		return err
	}
	again := map[string]bool{}
	for _, domain := range in.Event.Profile.Domains {
		took, _ := owner.account.TookBy(in.Event, domain)
		again[domain] = took && !e.stored(in, domain) && !slices.Contains(way, domain)
	}
	for _, domain := range in.Event.Profile.Domains {
		if err := e.moveDomain(ctx, in, domain, again[domain]); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) moveDomain(ctx context.Context, in *Input, domain string, moves bool) error {
	a, err := e.look(ctx, domain)
	if err != nil {
		return err
	}
	if !moves || !a.account.Nameless() {
		return e.offerAgain(ctx, in, domain)
	}
	_, err = e.join(ctx, in, scoring.Merging{From: domain, Into: in.Event.Account, Event: in.Event, Watermark: in.watermark})
	return err
}

// mark notes which inputs of a round may change who is who. Of profiles these are
// the few that declare a domain under which there are events, or may be by then.
func (e *Engine) mark(ctx context.Context, inputs []Input) error {
	late := e.model.LateIdentification()
	domains := map[string]bool{}
	for i := range inputs {
		switch in := &inputs[i]; {
		case in.Event.Kind == scoring.KindMerge:
			in.joins = true
		case late && in.Event.Kind == scoring.KindProfile:
			for _, d := range in.Event.Profile.Domains {
				domains[d] = true
			}
		}
	}
	if len(domains) == 0 {
		return nil
	}
	nameless, kept, err := e.nameless(ctx, slices.Sorted(maps.Keys(domains)))
	if err != nil {
		return err
	}
	for i := range inputs {
		in := &inputs[i]
		if in.Event.Kind == scoring.KindProfile {
			for _, d := range in.Event.Profile.Domains {
				in.joins = in.joins || nameless[d] && d != in.Event.Account
				if s := kept[d]; s != nil && s.Of(in.Event, d) {
					in.joins = true
				}
			}
		}
		for _, name := range [...]string{e.heir(in.Event.Account), in.Event.Domain, e.heir(in.Event.Into())} {
			if domains[name] {
				nameless[name] = true // by now it may have events
			}
		}
	}
	return nil
}

// nameless are those of the accounts that have events and no profile of their own, and
// kept is what such ones left and an heir took.
func (e *Engine) nameless(ctx context.Context, names []string) (found map[string]bool, kept map[string]*scoring.Estate, err error) {
	records, err := e.load(ctx, WantedOf(names, e.store.Shards())...)
	if err != nil {
		return nil, nil, err
	}
	found, kept = map[string]bool{}, map[string]*scoring.Estate{}
	for _, r := range records {
		a, err := e.models.read(r)
		if err != nil {
			return nil, nil, err
		}
		if a == nil {
			continue
		}
		if a.Nameless() {
			found[r.Account] = true
		} else if s, _ := a.Kept(); s != nil {
			kept[r.Account] = s
		}
	}
	return found, kept, nil
}
