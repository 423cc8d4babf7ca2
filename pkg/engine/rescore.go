package engine

import (
	"context"
	"fmt"

	"tidemark/scoring"
)

// Scanner walks the accounts of a shard. A scan started at cursor 0 and followed
// until the cursor is 0 again sees every account that is there all the while.
type Scanner interface {
	Scan(ctx context.Context, shard int, cursor uint64, limit int) ([]Record, uint64, error)
}

// rescoreBatch is how many accounts a scan step asks for.
const rescoreBatch = 500

// Rescore puts every account of the store under the engine's model at instant
// at, where before was the model in force until then. It may be repeated with the
// same instant: an account that was adopted already does not move again. No round
// may be processed meanwhile.
func (e *Engine) Rescore(ctx context.Context, scan Scanner, before *scoring.Model, at int64, progress func(shard, accounts int)) error {
	accounts := 0
	for _, l := range e.lanes {
		for _, n := range l.order {
			if err := l.rescore(ctx, l.shards[n], scan, before, at, &accounts); err != nil {
				return fmt.Errorf("rescore shard %d: %w", n, err)
			}
			progress(n, accounts)
		}
	}
	return nil
}

func (l *lane) rescore(ctx context.Context, s *shard, scan Scanner, before *scoring.Model, at int64, accounts *int) error {
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		records, next, err := scan.Scan(ctx, s.number, cursor, rescoreBatch)
		if err != nil {
			return err
		}
		names := make([]string, len(records))
		for i, r := range records {
			names[i] = r.Account
		}
		err = l.commitAll(ctx, []*shard{s}, func(ctx context.Context, s *shard) (*work, error) {
			return l.adopt(ctx, s, before, names, at)
		})
		if err != nil {
			return err
		}
		l.forget(s)
		*accounts += len(names)
		cursor = next
	}
	return nil
}

// adopt moves accounts of one shard from the model before to the engine's.
func (l *lane) adopt(ctx context.Context, s *shard, before *scoring.Model, names []string, at int64) (*work, error) {
	w := &work{shard: s, step: Step{Shard: s.number}}
	records, err := l.load(ctx, s, names)
	if err != nil {
		return nil, err
	}
	t := &touched{}
	seen := map[string]bool{}
	for i, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		e, err := open(before, l.borrow(), records[i])
		if err != nil {
			return nil, err
		}
		l.awake = append(l.awake, e)
		out := l.e.model.Adopt(e.account, before, at)
		s.put(name, e)
		t.add(e)
		if err := l.note(w, t, e, &out, 0); err != nil {
			return nil, err
		}
	}
	return w, l.writeAll(w, t, at)
}
