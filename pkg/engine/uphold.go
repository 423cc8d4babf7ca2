package engine

import "context"

// Upheld says what stands of an account whose state was set back and then scored
// on, by a writer that had not noticed: under numbers that were published before,
// with another meaning.
type Upheld struct {
	Published
	// Drop are the entries of the outbox that say something else, and all of the
	// account behind them.
	Drop []string
	// Early: the account's entries end with an older one.
	Early bool
}

// Uphold makes what was published of some accounts of a shard stand, in one step:
// wrong entries leave the outbox, the account goes on from the published seq, and
// where its tier is another one by now, a crossing says so under the next. judge
// is called once the states are read, and again if another writer overtakes: what
// the outbox holds of them then is all that they wrote. Accounts that it does not
// name stay as they are.
func (e *Engine) Uphold(ctx context.Context, number int, accounts []string, judge func(context.Context) (map[string]Upheld, error)) (corrected []string, err error) {
	l := e.laneOf(number)
	for _, s := range l.shards {
		clear(s.positions) // none are moved, and none held against what is stored
	}
	err = l.commitAll(ctx, []*shard{l.shards[number]}, func(ctx context.Context, s *shard) (*work, error) {
		s.forget() // others write there all the time
		corrected = nil
		entries, err := l.entries(ctx, s, accounts)
		if err != nil {
			return nil, err
		}
		verdicts, err := judge(ctx)
		if err != nil {
			return nil, err
		}
		w, t := &work{shard: s, step: Step{Shard: s.number}}, &touched{}
		for _, entry := range entries {
			v, ok := verdicts[entry.name]
			if !ok {
				continue
			}
			wrong, err := l.uphold(w, t, entry, &v)
			if err != nil {
				return nil, err
			}
			if wrong {
				corrected = append(corrected, entry.name)
			}
		}
		return w, l.writeAll(w, t, UnknownWatermark)
	})
	return corrected, err
}

// uphold corrects one account and reports whether anything was wrong with it.
func (l *lane) uphold(w *work, t *touched, e *entry, v *Upheld) (bool, error) {
	if v.Seq > e.account.Seq {
		l.follow(e, v.At)
	}
	behind := l.modelOf(e).Resume(e.account, v.Seq, v.To, v.At)
	if !behind && len(v.Drop) == 0 && !v.Early {
		return false, nil
	}
	t.add(e) // even where nothing changes: its version says that nobody wrote since
	w.step.Drop = append(w.step.Drop, v.Drop...)
	// Once more: the compacted topic ends with it, and the log has it even if its
	// first publishing was cut off between the two.
	w.step.Outbox = append(w.step.Outbox, Message{Account: v.Account, Value: v.Value})
	if behind || len(v.Drop) == 0 {
		return true, nil
	}
	out := l.modelOf(e).Rebase(e.account, v.Seq, v.To, v.At)
	return true, l.note(w, t, e, &out, 0)
}
