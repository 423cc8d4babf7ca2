package engine

import "context"

// Published is the latest tier change of an account that subscribers may have
// seen.
type Published struct {
	Account string
	Seq     uint64
	To      string
	At      int64 // instant of the crossing, Unix milliseconds
	// Value is the message as it was published. It is published once more behind
	// what a restored outbox may hold: the compacted topic must end with it.
	Value []byte
}

// Reconcile brings accounts whose state was set back up to what was published of
// them, before anything new is. It returns how many were behind. An account
// stands in the list at most once; doing it again changes nothing.
func (e *Engine) Reconcile(ctx context.Context, published []Published) (behind int, err error) {
	shards := map[int][]Published{}
	for _, p := range published {
		n := ShardOf(p.Account, e.store.Shards())
		shards[n] = append(shards[n], p)
	}
	for n, list := range shards {
		l := e.laneOf(n)
		found := 0
		err := l.commitAll(ctx, []*shard{l.shards[n]}, func(ctx context.Context, s *shard) (w *work, err error) {
			w, found, err = l.resume(ctx, s, list)
			return w, err
		})
		if err != nil {
			return behind, err
		}
		behind += found
		l.shrink()
	}
	return behind, nil
}

func (l *lane) resume(ctx context.Context, s *shard, list []Published) (w *work, behind int, err error) {
	w = &work{shard: s, step: Step{Shard: s.number}}
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Account
	}
	entries, err := l.entries(ctx, s, names)
	if err != nil {
		return nil, 0, err
	}
	t := &touched{}
	for i, p := range list {
		if p.Seq > entries[i].account.Seq {
			l.follow(entries[i], p.At)
		}
		if l.modelOf(entries[i]).Resume(entries[i].account, p.Seq, p.To, p.At) {
			t.add(entries[i])
			w.step.Outbox = append(w.step.Outbox, Message{Account: p.Account, Value: p.Value})
		}
	}
	return w, len(t.entries), l.writeAll(w, t, UnknownWatermark)
}
