package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tidemark/scoring"
)

// forwards reports whether an input that names a merged account is one for its heir.
// A profile or a tombstone speaks of an account that is no more.
func forwards(k scoring.Kind) bool {
	return k == scoring.KindEvent || k == scoring.KindErasure || k == scoring.KindOutcome
}

// went is where a merged account went.
type went struct {
	into string
	// from are the positions of its shard at that time, forwarded ones too: what lies
	// before them and names the account was applied to it. See reached for more.
	from map[Partition]int64
}

// heir is where an account went, as far as is known; itself where it was not merged.
func (e *Engine) heir(account string) string {
	for range len(e.moved) {
		next, ok := e.moved[account]
		if !ok {
			break
		}
		account = next.into
	}
	return account
}

// forwarded is the row of a shard's positions that says how much of a partition's
// inputs which name accounts of another shard, and went to heirs in this one, is
// applied: who did not know of a merge yet moves the partition's own position past
// them. No topic's name has the sign.
func forwarded(p Partition, from int) Partition {
	return Partition{Topic: p.Topic + ">" + strconv.Itoa(from), ID: p.ID}
}

// forward finds the heir of an input that names a merged account, and whether the
// input was applied already: to one on the way, before that was merged, or to the heir.
func (e *Engine) forward(in *Input) {
	if len(e.moved) == 0 || !forwards(in.Event.Kind) {
		return
	}
	if _, gone := e.moved[in.Event.Account]; !gone && in.detour == nil {
		return
	}
	var d detour
	if in.detour != nil {
		d = *in.detour
	}
	if d.name == "" {
		d.name = in.Event.Account
	}
	named, heir := e.shardOf(d.name), d.name
	row := in.Partition // as long as the way stays in the shard
	open := false       // rows from here on say nothing of it; see reached
	for range len(e.moved) {
		next, ok := e.moved[heir]
		if !ok {
			break
		}
		if !open && in.Offset < next.from[row] {
			in.done, in.detour = true, &d
			return
		}
		open = open || in.Offset < next.from[reached(forwarded(in.Partition, named.number))]
		in.held = in.held || open
		if heir = next.into; e.shardOf(heir) != named {
			row = forwarded(in.Partition, named.number)
		}
	}
	if heir == d.name {
		if in.detour != nil {
			in.detour = &detour{row: d.row}
		}
		return
	}
	in.detour = &d
	if heir != in.Event.Account {
		out := *in.Event // the event is shared
		out.Account = heir
		in.Event = &out
	}
	if row != in.Partition {
		own := e.shardOf(heir)
		d.row = row
		in.late = own.positions[in.Partition] > in.Offset && own.unseenRow(in)
	}
}

// unseenRow reports whether a forwarded input was not applied yet.
func (s *shard) unseenRow(in *Input) bool {
	row, _ := in.row()
	return in.held || s.positions[row] <= in.Offset
}

// rows are the moves of the rows of forwarded inputs.
func (s *shard) rows(inputs []*Input, r *Round) []Move {
	var moves []Move
	for _, in := range inputs {
		row, is := in.row()
		if !is {
			continue
		}
		to := in.Offset + 1
		if end, ended := r.Ends[in.Partition]; ended {
			to = end
		}
		i := slices.IndexFunc(moves, func(m Move) bool { return m.Partition == row })
		if i < 0 {
			i = len(moves)
			moves = append(moves, Move{Partition: row, From: s.positions[row]})
		}
		moves[i].To = max(moves[i].To, to, moves[i].From)
	}
	return moves
}

// runLate applies inputs that their shards' own positions are past, before the shards
// of the names that they came with move past them too.
func (e *Engine) runLate(ctx context.Context, late []*Input, r *Round) error {
	for len(late) > 0 {
		for _, in := range late {
			shard := ShardOf(in.Event.Account, e.store.Shards())
			e.laneOf(shard).take(shard, in)
		}
		again, err := e.runLanes(ctx, &Round{Watermark: UnknownWatermark, Until: r.Until, Behind: true})
		if err != nil {
			return err
		}
		if len(again) > 0 {
			if err := e.untangle(ctx); err != nil {
				return err
			}
		}
		late = late[:0:0]
		for i := range again {
			in := &again[i]
			if e.forward(in); !in.done {
				late = append(late, in)
			}
		}
	}
	return nil
}

// held are the inputs of shards that met accounts which another instance merged: none
// of them was applied. From now on it is known where those went.
func (e *Engine) held() []Input {
	var inputs []Input
	for _, l := range e.lanes {
		for _, n := range l.order {
			s := l.shards[n]
			if len(s.merged) == 0 {
				continue
			}
			merged := s.merged
			maps.Copy(e.moved, merged)
			s.merged = nil
			for _, in := range s.inputs {
				out := *in
				_, out.held = merged[in.Event.Account]
				out.held = out.held || in.held
				inputs = append(inputs, out)
			}
		}
	}
	return inputs
}

// meet notes an account that inputs of the shard name and that was merged.
func (s *shard) meet(account string, to went) {
	if s.merged == nil {
		s.merged = map[string]went{}
	}
	s.merged[account] = to
}

// learn finds out which accounts were merged, and whose estates wait.
func (e *Engine) learn(ctx context.Context) error {
	clear(e.moved)
	e.waiting, e.learned = e.waiting[:0], true
	for cursor := ""; ; {
		var names []string
		err := e.retry(ctx, "list merged accounts", func() (err error) {
			names, cursor, err = e.store.AccountsByTier(ctx, MergedListing, cursor, listBatch)
			return err
		})
		if err != nil {
			return err
		}
		if err := e.recall(ctx, names); err != nil {
			return err
		}
		if cursor == "" {
			return nil
		}
	}
}

func (e *Engine) recall(ctx context.Context, names []string) error {
	records, err := e.load(ctx, WantedOf(names, e.store.Shards())...)
	if err != nil {
		return err
	}
	for _, r := range records {
		x, err := open(&e.models, &scoring.Account{}, r)
		if err != nil {
			return err
		}
		if x.account.Into() == "" {
			continue
		}
		e.moved[r.Account] = went{x.account.Into(), x.from}
		if x.account.Estate() != nil {
			e.waiting = append(e.waiting, r.Account)
		}
	}
	return nil
}

// bequeathAll goes on with the merges that a crash interrupted.
func (e *Engine) bequeathAll(ctx context.Context) error {
	for len(e.waiting) > 0 {
		if err := e.bequeath(ctx, e.waiting[0], ""); err != nil {
			return err
		}
		e.waiting = e.waiting[1:]
	}
	if !e.learned {
		return nil
	}
	e.learned = false
	return e.untangle(ctx)
}

// packFrom writes the positions at which a merged account's events became its heir's.
// They are stored in place of its profile.
func packFrom(from map[Partition]int64) ([]byte, error) {
	out := make(map[string]int64, len(from))
	for p, at := range from {
		out[p.Topic+"/"+strconv.Itoa(p.ID)] = at
	}
	return json.Marshal(out)
}

func unpackFrom(data []byte) (map[Partition]int64, error) {
	var in map[string]int64
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("where its events went on: %w", err)
	}
	out := make(map[Partition]int64, len(in))
	for name, at := range in {
		slash := strings.LastIndexByte(name, '/')
		id, err := strconv.Atoi(name[slash+1:])
		if err != nil || slash < 0 {
			return nil, fmt.Errorf("where its events went on: %q is no partition", name)
		}
		out[Partition{Topic: name[:slash], ID: id}] = at
	}
	return out, nil
}
