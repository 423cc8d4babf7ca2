package engine

import (
	"fmt"

	"tidemark/scoring"
)

// entry is an account in memory: packed while it rests, decoded while it is in hand,
// with what the store holds beside it.
type entry struct {
	name    string
	version uint64  // as stored
	armed   int64   // due instant as stored, NoDue for none
	tier    string  // tier listing as stored, "" for none
	record  *Record // as loaded, until it is in hand for the first time

	account *scoring.Account // nil while it rests
	state   []byte           // as packed last: nil where nothing is stored
	asleep  scoring.Asleep   // what belongs to state

	// from is where the events of a merged account began to be its heir's.
	from map[Partition]int64

	checked uint32 // shard.others when it was read or written
	behind  uint8  // by how many changes of the model: it stands under an earlier one

	// What the work in hand has changed.
	touched        bool
	profileChanged bool
	forgotten      bool // at some point; it may have begun again since

	// The first and the last of the round's inputs of its shard, counted from 1; 0: none.
	first, last int32
}

// open makes an entry of a stored record, in hand, decoded into a.
func open(m *models, a *scoring.Account, r Record) (*entry, error) {
	e := &entry{name: r.Account, version: r.Version, record: &r}
	return e, e.open(m, a)
}

// open takes the entry in hand for the first time, under the model that it was written
// under.
func (e *entry) open(all *models, a *scoring.Account) error {
	r, m := e.record, all.now
	e.record, e.armed, e.account = nil, NoDue, a
	if r.State == nil {
		if err := m.Wake(a, nil, scoring.Asleep{}); err != nil {
			return err
		}
		m.Open(a)
		return nil
	}
	v, packed, err := unwrap(r.State)
	if err == nil {
		e.behind, err = all.behind(v.epoch)
	}
	if err != nil {
		return fmt.Errorf("account %q: %w", r.Account, err)
	}
	m = all.of(e.behind)
	if v.armed > 0 {
		e.armed = int64(v.armed - 1)
	}
	if err := m.Wake(a, packed, scoring.Asleep{}); err != nil {
		return fmt.Errorf("account %q: %w", r.Account, err)
	}
	if r.Profile != nil && a.Into() != "" {
		if e.from, err = unpackFrom(r.Profile); err != nil {
			return fmt.Errorf("account %q: %w", r.Account, err)
		}
	} else if r.Profile != nil {
		p, at, err := scoring.UnpackProfile(r.Profile)
		if err != nil {
			return fmt.Errorf("account %q: %w", r.Account, err)
		}
		a.SetProfile(p, at)
	}
	m.Open(a)
	// Nothing crosses before the armed instant, and where none is armed, nothing ever.
	if e.armed == NoDue {
		a.Rest(NoDue)
	} else {
		a.Rest(e.armed - 1)
	}
	e.state, e.tier = r.State, listed(m, a)
	return nil
}

// wake takes a resting entry in hand, decoded into a.
func (e *entry) wake(m *models, a *scoring.Account) error {
	if e.record != nil {
		return e.open(m, a)
	}
	var packed []byte
	if e.state != nil {
		_, packed, _ = unwrap(e.state) // our own
	}
	if err := m.of(e.behind).Wake(a, packed, e.asleep); err != nil {
		return fmt.Errorf("account %q: %w", e.name, err)
	}
	e.account = a
	return nil
}

// mayBeMerged reports whether the account may have been merged, as far as can be told while
// it rests: of what was loaded and never in hand only that it is new.
func (e *entry) mayBeMerged() bool {
	if e.record != nil {
		return e.record.State != nil
	}
	return e.tier == MergedListing
}

// sleep lays the entry to rest, as it was written last.
func (e *entry) sleep(m *scoring.Model) (spare *scoring.Account) {
	e.asleep, spare, e.account = m.Sleep(e.account), e.account, nil
	return spare
}

// listed is the tier under which the account is listed. The last tier is not: it
// is where everybody else is, and a scan finds them.
func listed(m *scoring.Model, a *scoring.Account) string {
	if a.Into() != "" {
		return MergedListing
	}
	if tier := m.Tier(a); tier != m.LastTier() {
		return tier
	}
	return ""
}

// write is the stored form of the entry as it is now; the entry then holds what
// will be stored. An account that was erased keeps a few bytes: without them its
// versions would repeat, and who remembers it from before could write over it.
//
// The state that goes to the store is the entry's own, valid until it is written again.
func (e *entry) write(all *models, version uint64, memory *states, swept int64) (Write, error) {
	m := all.of(e.behind)
	w := Write{Account: e.name, Was: e.version, Now: version, TierWas: e.tier, Tier: listed(m, e.account), Due: KeepDue}
	if e.account.Empty() && e.version == 0 {
		e.state = nil
		return w, nil // nothing is known and nothing stored: only the version is checked
	}
	if e.account.Empty() && e.forgotten {
		// Nothing was ever published of it: it goes as if it had never been. Who remembers
		// it from before meets another version, and a version never comes again.
		e.version, e.armed, e.tier, e.state, w.Due = 0, NoDue, "", nil, NoDue
		return w, nil
	}
	if w.Due = e.arm(m, swept); w.Due == KeepDue && w.Tier != w.TierWas {
		w.Due = e.armed
	}
	v := envelope{epoch: byte(all.past.Epoch-uint64(e.behind)) % epochs}
	if e.armed != NoDue {
		v.armed = uint64(e.armed) + 1
	}
	memory.packed = m.Pack(v.wrap(memory.packed[:0]), e.account)
	e.state = memory.keep(e.state, memory.packed)
	w.State = e.state
	if e.profileChanged && e.from != nil {
		packed, err := packFrom(e.from)
		if err != nil {
			return Write{}, fmt.Errorf("account %q: %w", e.name, err)
		}
		w.Profile = packed
	} else if e.profileChanged {
		w.Profile = []byte{}
		if p, at := e.account.Profile(); p != nil {
			packed, err := scoring.PackProfile(p, at)
			if err != nil {
				return Write{}, fmt.Errorf("account %q: %w", e.name, err)
			}
			w.Profile = packed
		}
	}
	e.version = version
	e.tier = w.Tier
	return w, nil
}

// arm decides what becomes of the stored due instant. Moving one costs more than
// storing a state, and points mostly push a demotion later: an instant that is
// too early is left alone until it fires, unless the account has lived past it.
// After a sweep up to an instant the truth is stored, and always after that
// instant, so that a sweep ends.
func (e *entry) arm(m *scoring.Model, swept int64) int64 {
	past := e.armed <= e.account.Clock || !e.account.Begun
	if swept == UnknownWatermark && e.armed != NoDue && !past && m.Rests(e.account, e.armed-1) {
		return KeepDue
	}
	due := NoDue
	if at, ok := m.Due(e.account); ok {
		due = at
	}
	if swept != UnknownWatermark {
		e.armed = max(due, swept+1)
		return e.armed
	}
	if due == e.armed || !past && due > e.armed {
		return KeepDue
	}
	e.armed = due
	return due
}
