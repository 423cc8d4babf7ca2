package follow

import "context"

// catchUp tells of gaps and takes from the compacted topic where every key stands of
// which the subscriber has missed something.
func (f *Follower) catchUp(ctx context.Context, lost ...*GapError) error {
	for _, gap := range lost {
		if err := f.cfg.Lost(gap); err != nil {
			return err
		}
	}
	return f.present(ctx, Again)
}

// presentBatch is how many events of the compacted topic are looked at together.
const presentBatch = 1000

// present takes the latest event of each key that the subscriber has not seen.
func (f *Follower) present(ctx context.Context, why Why) error {
	batch := make([]Event, 0, presentBatch)
	err := f.cfg.Log.Present(ctx, func(value []byte) error {
		e, err := Parse(value)
		if err != nil {
			f.cfg.Unreadable(Record{Value: value}, err)
			return nil
		}
		e.Caught = true
		if batch = append(batch, e); len(batch) < presentBatch {
			return nil
		}
		err = f.adopt(ctx, batch, why)
		batch = batch[:0]
		return err
	})
	if err != nil {
		return err
	}
	return f.adopt(ctx, batch, why)
}

func (f *Follower) adopt(ctx context.Context, events []Event, why Why) error {
	if len(events) == 0 {
		return nil
	}
	seen, err := f.seen(ctx, events)
	if err != nil {
		return err
	}
	latest := map[string]Event{}
	for _, e := range events {
		if e.Seq > latest[e.Key].Seq {
			latest[e.Key] = e
		}
	}
	step := Step{Why: why, Seen: map[string]uint64{}}
	for _, e := range events {
		if kept := latest[e.Key]; e.Seq != kept.Seq || step.Seen[e.Key] == e.Seq || e.Seq <= seen[e.Key] {
			continue
		}
		e.Missed = e.Seq - seen[e.Key] - 1
		step.Seen[e.Key] = e.Seq
		step.Events = append(step.Events, e)
	}
	if len(step.Events) == 0 {
		return nil
	}
	return f.take(ctx, step)
}
