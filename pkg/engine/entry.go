package engine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tidemark/scoring"
)

// entry is an account in hand: decoded, with what the store holds beside it.
type entry struct {
	name    string
	account *scoring.Account
	version uint64 // as stored
	armed   int64  // due instant as stored, NoDue for none
	tier    string // tier listing as stored, "" for none

	// from is where the events of a merged account began to be its heir's.
	from map[Partition]int64

	// What the work in hand has changed.
	touched        bool
	profileChanged bool
}

var errEnvelope = errors.New("broken state: no due instant")

// open makes an entry of a stored record. The state is the armed due instant
// (0 for none, else instant + 1, as an unsigned varint) and the packed account.
func open(m *scoring.Model, r Record) (*entry, error) {
	e := &entry{version: r.Version, armed: NoDue}
	if r.State == nil {
		e.account = &scoring.Account{}
		m.Open(e.account)
		return e, nil
	}
	armed, n := binary.Uvarint(r.State)
	if n <= 0 {
		return nil, fmt.Errorf("account %q: %w", r.Account, errEnvelope)
	}
	if armed > 0 {
		e.armed = int64(armed - 1)
	}
	a, err := m.Unpack(r.State[n:])
	if err != nil {
		return nil, fmt.Errorf("account %q: %w", r.Account, err)
	}
	if r.Profile != nil && a.Into() != "" {
		if e.from, err = unpackFrom(r.Profile); err != nil {
			return nil, fmt.Errorf("account %q: %w", r.Account, err)
		}
	} else if r.Profile != nil {
		p, at, err := scoring.UnpackProfile(r.Profile)
		if err != nil {
			return nil, fmt.Errorf("account %q: %w", r.Account, err)
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
	e.account, e.tier = a, listed(m, a)
	return e, nil
}

// Read decodes a stored account, or returns nil where nothing is stored.
func Read(m *scoring.Model, r Record) (*scoring.Account, error) {
	e, err := open(m, r)
	if err != nil || r.State == nil {
		return nil, err
	}
	return e.account, nil
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
// The state is appended to buf; what is returned of it stays valid whatever is
// appended later.
func (e *entry) write(m *scoring.Model, version uint64, buf []byte, swept int64) (Write, []byte, error) {
	w := Write{Account: e.name, Was: e.version, Now: version, TierWas: e.tier, Tier: listed(m, e.account), Due: KeepDue}
	if e.account.Empty() && e.version == 0 {
		return w, buf, nil // nothing is known and nothing stored: only the version is checked
	}
	w.Due = e.arm(m, swept)
	armed := uint64(0)
	if e.armed != NoDue {
		armed = uint64(e.armed) + 1
	}
	start := len(buf)
	buf = m.Pack(binary.AppendUvarint(buf, armed), e.account)
	w.State = buf[start:len(buf):len(buf)]
	if e.profileChanged && e.from != nil {
		packed, err := packFrom(e.from)
		if err != nil {
			return Write{}, buf, fmt.Errorf("account %q: %w", e.name, err)
		}
		w.Profile = packed
	} else if e.profileChanged {
		w.Profile = []byte{}
		if p, at := e.account.Profile(); p != nil {
			packed, err := scoring.PackProfile(p, at)
			if err != nil {
				return Write{}, buf, fmt.Errorf("account %q: %w", e.name, err)
			}
			w.Profile = packed
		}
	}
	e.version = version
	e.tier = w.Tier
	return w, buf, nil
}

// arm decides what becomes of the stored due instant. Moving one costs more than
// storing a state, and points mostly push a demotion later: an instant that is
// too early is left alone until it fires, unless the account has lived past it.
// After a sweep up to an instant the truth is stored, and always after that
// instant, so that a sweep ends.
func (e *entry) arm(m *scoring.Model, swept int64) int64 {
	past := e.armed <= e.account.Clock || !e.account.Begun
	if swept == UnknownWatermark && e.armed != NoDue && !past && m.Quiet(e.account, e.armed-1) {
		return KeepDue
	}
	due := NoDue
	if at, ok := m.NextCrossing(e.account); ok {
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
