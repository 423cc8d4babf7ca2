package engine

import (
	"context"
	"fmt"

	"tidemark/scoring"
)

// Told is what subscribers were last told of an account.
type Told struct {
	Seq  uint64
	Tier string
}

// Rebased is what a Rebase found.
type Rebased struct {
	Accounts int // with a state, or told of
	// Corrected counts the accounts whose tier is not the one that subscribers were
	// told, by both.
	Corrected map[Correction]int
}

// Correction is a difference between what was told and what the log says.
type Correction struct{ Told, Is string }

// Rebase gives every account of a store that was filled from the log the numbers
// of what was published: told is the latest published tier change of each account.
// Where tiers differ, a crossing at instant at is put into the outbox. Accounts
// that the log knows nothing of are there afterwards too, with their numbers. Begin
// with empty outboxes; stopped in between, begin anew. No round may be processed
// meanwhile.
func (e *Engine) Rebase(ctx context.Context, scan Scanner, told map[string]Told, at int64, progress func(accounts int)) (Rebased, error) {
	r := rebase{scan: scan, told: told, at: at, seen: map[string]bool{}, found: Rebased{Corrected: map[Correction]int{}}}
	absent := make([][]string, e.store.Shards())
	for account := range told {
		n := ShardOf(account, len(absent))
		absent[n] = append(absent[n], account)
	}
	for _, l := range e.lanes {
		for _, n := range l.order {
			if err := r.shard(ctx, l, l.shards[n], absent[n]); err != nil {
				return r.found, fmt.Errorf("rebase shard %d: %w", n, err)
			}
			progress(r.found.Accounts)
		}
	}
	return r.found, nil
}

// listBatch is how many accounts a step of a listing or a scan asks for.
const listBatch = 500

// rebase is one under way.
type rebase struct {
	scan  Scanner
	told  map[string]Told
	at    int64
	seen  map[string]bool // of the shard in hand
	found Rebased
}

// shard does the accounts that are stored, then those that were only told of.
func (r *rebase) shard(ctx context.Context, l *lane, s *shard, told []string) error {
	clear(r.seen)
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		records, next, err := r.scan.Scan(ctx, s.number, cursor, listBatch)
		if err != nil {
			return err
		}
		names := make([]string, len(records))
		for i := range records {
			names[i] = records[i].Account
		}
		if err := r.batch(ctx, l, s, names); err != nil {
			return err
		}
		cursor = next
	}
	for len(told) > 0 {
		n := min(len(told), listBatch)
		if err := r.batch(ctx, l, s, told[:n]); err != nil {
			return err
		}
		told = told[n:]
	}
	return nil
}

func (r *rebase) batch(ctx context.Context, l *lane, s *shard, names []string) error {
	fresh := names[:0:0]
	for _, name := range names {
		if !r.seen[name] {
			r.seen[name] = true
			fresh = append(fresh, name)
		}
	}
	var corrected []Correction
	err := l.commitAll(ctx, []*shard{s}, func(ctx context.Context, s *shard) (w *work, err error) {
		w, corrected, err = r.prepare(ctx, l, s, fresh)
		return w, err
	})
	s.forget()
	r.found.Accounts += len(fresh)
	for _, c := range corrected {
		r.found.Corrected[c]++
	}
	return err
}

func (r *rebase) prepare(ctx context.Context, l *lane, s *shard, names []string) (*work, []Correction, error) {
	w := &work{shard: s, step: Step{Shard: s.number}}
	entries, err := l.entries(ctx, s, names)
	if err != nil {
		return nil, nil, err
	}
	var corrected []Correction
	t := &touched{}
	for _, e := range entries {
		told := r.told[e.name]
		out := l.e.model.Rebase(e.account, told.Seq, told.Tier, r.at)
		if err := l.note(w, t, e, &out, 0); err != nil {
			return nil, nil, err
		}
		for i := range out.Crossings {
			corrected = append(corrected, correctionOf(&out.Crossings[i]))
		}
	}
	return w, corrected, l.writeAll(w, t, UnknownWatermark)
}

func correctionOf(c *scoring.Crossing) Correction { return Correction{Told: c.From, Is: c.To} }
