package desk

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	"tidemark/pkg/route"
	"tidemark/pkg/store"
)

// Beginning is where a desk begins, and what it is held against there.
type Beginning struct {
	// First are the positions to read tier changes from where nothing was ever read.
	First func(context.Context) (map[int]int64, error)
	// Published calls use with each record of the published log from these offsets on, in
	// the order of its partitions.
	Published func(ctx context.Context, from map[int]int64, use func(value []byte) error) error
	// Lent is what this process let out and may have published, though the log may not
	// show it yet.
	Lent []store.Entry
}

// Stand is where a desk stands after Begin.
type Stand struct {
	// Positions are where to read tier changes on, by partition.
	Positions map[int]int64
	// Mark is what a Gate is opened with.
	Mark string
	// Upheld are accounts whose MQA was brought back to what was published of it.
	Upheld []string
}

// upholdAtOnce bounds one commit.
const upholdAtOnce = 500

// uphold holds the desk against what was published since its mark, and corrects it
// where it denies that: the published step stands.
func (d *Desk) uphold(ctx context.Context, b Beginning) (mark string, corrected []string, err error) {
	for range attempts {
		if err := d.load(ctx); err != nil {
			return "", nil, err
		}
		mark, more, err := d.upholdOnce(ctx, b)
		corrected = append(corrected, more...)
		if err == nil {
			return mark, corrected, nil
		}
		d.forget()
		if !errors.Is(err, ErrConflict) {
			return "", nil, err
		}
	}
	return "", nil, ErrConflict
}

func (d *Desk) upholdOnce(ctx context.Context, b Beginning) (string, []string, error) {
	h, err := d.histories(ctx, b)
	if err != nil {
		return "", nil, err
	}
	var wrong []*dispute
	for _, account := range slices.Sorted(maps.Keys(h.accounts)) {
		found, err := d.judge(ctx, h, account)
		if err != nil {
			return "", nil, err
		}
		if found != nil {
			wrong = append(wrong, found)
		}
	}
	at := d.mark
	var corrected []string
	for chunk := range slices.Chunk(wrong, upholdAtOnce) {
		m, err := readMark(at)
		if err != nil {
			return "", corrected, err
		}
		// Another mark, as the outbox changes; its ends stay, for what is in it may be published.
		w := work{step: &route.Step{Past: map[string]*route.Past{}}, mark: &MarkMove{From: at, To: m.moved(nil)}}
		for _, u := range chunk {
			w.trim = append(w.trim, u.trim...)
			w.again = append(w.again, u.again...)
			w.join(d.cfg.Plan.Uphold(d.desk, &u.Upheld, d.cfg.Now()))
		}
		if err := d.store(ctx, w); err != nil {
			return "", corrected, err
		}
		at = w.mark.To
		for _, u := range chunk {
			corrected = append(corrected, u.account)
		}
	}
	return at, corrected, nil
}

// join adds a step to those of the same commit.
func (w *work) join(s *route.Step) {
	w.step.Events = append(w.step.Events, s.Events...)
	w.step.Put, w.step.Drop = append(w.step.Put, s.Put...), append(w.step.Drop, s.Drop...)
	maps.Copy(w.step.Past, s.Past)
}

// histories is what was published, and what waits to be, of the accounts concerned.
type histories struct {
	waits    map[string][]store.Entry // by account
	values   map[string][]byte        // of what waits, by the event's id
	accounts map[string]*history
	lent     map[string]bool // ids that were let out, and whether they stand in the log
}

// history is what was published of an account: the steps of its latest MQA.
type history struct {
	told []route.Event
	// same and other are ids that wait, and were published as they are or otherwise.
	same, other map[string]bool
	again       []Message // that may not be published
}

func (d *Desk) histories(ctx context.Context, b Beginning) (*histories, error) {
	h := &histories{waits: map[string][]store.Entry{}, values: map[string][]byte{}, accounts: map[string]*history{}, lent: map[string]bool{}}
	if err := d.waiting(ctx, h); err != nil {
		return nil, err
	}
	m, err := readMark(d.mark)
	if err != nil {
		return nil, err
	}
	lent := make([]*route.Event, len(b.Lent))
	for i, entry := range b.Lent {
		if lent[i], _, err = route.ParseEvent(entry.Value); err != nil {
			return nil, err
		}
		h.lent[lent[i].ID()] = false
	}
	source := "tidemark/" + d.cfg.Namespace
	err = b.Published(ctx, m.Ends, func(value []byte) error {
		e, from, err := route.ParseEvent(value)
		if err != nil || from != source {
			return nil //nolint:nilerr // somebody else's, and nothing that this desk said
		}
		if _, was := h.lent[e.ID()]; was {
			h.lent[e.ID()] = true
		}
		h.note(e, value)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, e := range lent {
		if h.lent[e.ID()] {
			continue
		}
		of := h.note(e, b.Lent[i].Value)
		if !of.same[e.ID()] {
			of.again = append(of.again, Message{Account: b.Lent[i].Account, Value: b.Lent[i].Value})
		}
	}
	return h, nil
}

// waiting reads the outbox. A mark that moved meanwhile is a conflict.
func (d *Desk) waiting(ctx context.Context, h *histories) error {
	const page = 1000
	for after, more := "", true; more; {
		entries, mark, err := d.cfg.Store.DeskOutbox(ctx, after, page)
		if err != nil {
			return err
		}
		if mark != d.mark {
			return ErrConflict
		}
		for _, e := range entries {
			step, _, err := route.ParseEvent(e.Value)
			if err != nil {
				return err
			}
			h.waits[e.Account] = append(h.waits[e.Account], e)
			h.values[step.ID()] = e.Value
			after = e.ID
		}
		more = len(entries) == page
	}
	return nil
}

// note adds a published step. Of two with one id the first stands.
func (h *histories) note(e *route.Event, value []byte) *history {
	of := h.accounts[e.MQA.Account]
	if of == nil {
		of = &history{same: map[string]bool{}, other: map[string]bool{}}
		h.accounts[e.MQA.Account] = of
	}
	if id := e.ID(); h.values[id] != nil && !of.same[id] && !of.other[id] {
		if bytes.Equal(h.values[id], value) {
			of.same[id] = true
		} else {
			of.other[id] = true
		}
	}
	switch n := len(of.told); {
	case n > 0 && !e.Behind(&of.told[n-1]): // a repeat
	case n > 0 && e.MQA.Seq > of.told[n-1].MQA.Seq:
		of.told = []route.Event{*e}
	default:
		of.told = append(of.told, *e)
	}
	return of
}

// dispute is an account whose desk denies what was published.
type dispute struct {
	route.Upheld
	account string
	trim    []string  // of the outbox
	again   []Message // to publish once more
}

// judge finds out whether the desk denies what was published of an account; nil: it
// does not.
func (d *Desk) judge(ctx context.Context, h *histories, account string) (*dispute, error) {
	of := h.accounts[account]
	last := &of.told[len(of.told)-1]
	u := &dispute{Upheld: route.Upheld{Told: of.told}, account: account, again: of.again}
	for _, entry := range h.waits[account] {
		e, _, err := route.ParseEvent(entry.Value)
		if err != nil {
			return nil, err
		}
		id := e.ID()
		if len(u.trim) > 0 || of.other[id] || !of.same[id] && !e.Behind(last) {
			u.trim, u.Dropped = append(u.trim, entry.ID), append(u.Dropped, *e)
		}
	}
	m := d.desk.MQAs[account]
	if m == nil {
		var err error
		if u.Past, err = d.remembered(ctx, account); err != nil {
			return nil, err
		}
	}
	var behind bool
	switch {
	case m != nil:
		behind = last.MQA.Seq > m.Seq || last.MQA.Seq == m.Seq && last.MQA.N > m.N
	default:
		behind = u.Past == nil || u.Past.Last < last.MQA.Seq
	}
	if !behind && len(u.trim) == 0 {
		return nil, nil //nolint:nilnil // they agree, and nothing went wrong
	}
	return u, nil
}
