package engine

import (
	"context"
	"fmt"
)

// Scanner walks the accounts of a shard. A scan started at cursor 0 and followed
// until the cursor is 0 again sees every account that is there all the while.
type Scanner interface {
	Scan(ctx context.Context, shard int, cursor uint64, limit int) ([]Record, uint64, error)
}

// rescoreBatch is how many accounts a Rescore asks for: events wait for no more.
const rescoreBatch = 128

// underModel is the row of a shard's positions that says at which epoch all accounts of
// the shard stand. It lies with them, so that a shard that is set back is looked through
// again. No topic's name has the sign.
var underModel = Partition{Topic: "#model"}

// walk is where Rescore stands: in a shard, or before the next one.
type walk struct {
	shard  int
	cursor uint64
	within bool
}

// Rescore puts some accounts of the owned shards under the model in force, at the
// instants at which it and those before it took effect, each a few at a time: an account
// that comes in hand otherwise is put there then, so that events need not wait for it.
// Calls go on where the last one stopped; it returns false when no account of an owned
// shard is left. It may be stopped anywhere and begun anew. No round may be processed
// meanwhile. Errors are as those of Process.
func (e *Engine) Rescore(ctx context.Context, scan Scanner) (more bool, err error) {
	s := e.behind()
	if s == nil {
		return false, nil
	}
	var records []Record
	var next uint64
	err = e.retry(ctx, "scan accounts", func() (err error) {
		records, next, err = scan.Scan(ctx, s.number, e.walk.cursor, rescoreBatch)
		return err
	})
	if err == nil {
		err = e.laneOf(s.number).rescore(ctx, s, records, next == 0)
	}
	if err != nil {
		e.walk = walk{}
		return true, fmt.Errorf("rescore shard %d: %w", s.number, err)
	}
	e.walk = walk{s.number, next, next != 0}
	return e.behind() != nil, nil
}

// behind is the owned shard to go on with, nil where none has accounts left.
func (e *Engine) behind() *shard {
	if e.walk.within && e.owns(e.walk.shard) {
		if s := e.laneOf(e.walk.shard).shards[e.walk.shard]; e.lags(s.positions) {
			return s
		}
	}
	e.walk.cursor, e.walk.within = 0, false
	for n := range e.store.Shards() {
		if s := e.laneOf(n).shards[n]; e.owns(n) && e.lags(s.positions) {
			return s
		}
	}
	return nil
}

// lags reports whether a shard with these positions may have accounts that are not under
// the model in force.
func (e *Engine) lags(positions map[Partition]int64) bool {
	return uint64(positions[underModel]) < e.models.past.Epoch
}

// Unscored is how many shards, of all instances, may have accounts left that are not
// under the model in force.
func (e *Engine) Unscored(ctx context.Context) (shards int, err error) {
	if e.models.past.Epoch == 0 {
		return 0, nil
	}
	all, err := e.store.Positions(ctx)
	if err != nil {
		return 0, fmt.Errorf("positions: %w", err)
	}
	for n, positions := range all {
		if e.lags(positions) {
			shards++
		}
		// Others may have looked through it, before it was this instance's.
		s := e.laneOf(n).shards[n]
		if at := positions[underModel]; at > s.positions[underModel] {
			s.positions[underModel] = at
		}
	}
	return shards, nil
}

// Adopted is how many accounts this engine put under the model in force.
func (e *Engine) Adopted() int64 { return e.adopted.Load() }

// rescore puts accounts as scanned under the model in force. last says that these are the
// last of the shard.
func (l *lane) rescore(ctx context.Context, s *shard, records []Record, last bool) error {
	left, err := l.left(s, records)
	if err != nil || len(left) == 0 && !last {
		return err
	}
	attempt := 0
	return l.commitAll(ctx, []*shard{s}, func(ctx context.Context, s *shard) (*work, error) {
		if attempt++; attempt > 1 { // another writer was there
			if left, err = l.reload(ctx, s, left); err != nil {
				return nil, err
			}
		}
		w := &work{shard: s, step: Step{Shard: s.number}}
		t := &touched{}
		for _, e := range left {
			if err := l.wake(e); err != nil {
				return nil, err
			}
			if l.e.models.present(e.state) {
				continue
			}
			t.add(e) // changed or not: none is to be left behind
			if err := l.adopt(w, t, e); err != nil {
				return nil, err
			}
		}
		if len(t.entries) > 0 || last {
			w.step.Moves = s.guards(l.e.ends)
		}
		if last && l.e.lags(s.positions) {
			w.step.Moves = append(w.step.Moves, Move{Partition: underModel, From: s.positions[underModel], To: int64(l.e.models.past.Epoch)})
		}
		return w, l.writeAll(w, t, UnknownWatermark)
	})
}

// left are those of the accounts that are not under the model in force. Most of a shard
// that was looked through before are, and cost next to nothing. What is not in memory
// yet is not kept there either.
func (l *lane) left(s *shard, records []Record) ([]*entry, error) {
	var left []*entry
	seen := make(map[string]bool, len(records))
	for i := range records {
		r := &records[i]
		if seen[r.Account] {
			continue
		}
		seen[r.Account] = true
		if e := s.accounts[r.Account]; e != nil {
			left = append(left, e) // newer than what was scanned
			continue
		}
		v, _, err := unwrap(r.State)
		if err != nil {
			return nil, fmt.Errorf("account %q: %w", r.Account, err)
		}
		if behind, err := l.e.models.behind(v.epoch); err != nil || behind > 0 {
			left = append(left, &entry{name: r.Account, version: r.Version, record: r, checked: s.others})
		}
	}
	return left, nil
}

// reload reads accounts again that another writer may have changed.
func (l *lane) reload(ctx context.Context, s *shard, stale []*entry) ([]*entry, error) {
	names := make([]string, len(stale))
	for i, e := range stale {
		names[i] = e.name
	}
	records, err := l.e.load(ctx, Wanted{Shard: s.number, Accounts: names})
	if err != nil {
		return nil, err
	}
	fresh := make([]*entry, len(names))
	for i := range names {
		fresh[i] = &entry{name: names[i], version: records[i].Version, record: &records[i], checked: s.others}
		delete(s.accounts, names[i])
	}
	return fresh, nil
}
