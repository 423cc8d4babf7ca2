package engine

import (
	"encoding/binary"
	"errors"

	"tidemark/scoring"
)

// Past is how the model in force came to be: those before it, as far as accounts may
// still stand under them. The zero value is for a store that was under one model only.
type Past struct {
	// Epoch counts the changes of the model. Each state says at which it was written.
	Epoch uint64
	// Models are those before the one in force, the latest last.
	Models []Before
}

// Before is a model that was in force until another took effect.
type Before struct {
	Model *scoring.Model
	Until int64 // the instant at which the next one took effect, Unix milliseconds
}

// ErrLaterModel is returned where an account stands under a later model than the
// engine's: somebody put one in force, and this process must end.
var ErrLaterModel = errors.New("the account stands under a later model than this instance's: restart it with the model that is in force")

// epochs is how many epochs a state can tell apart. Of two the later one is that from
// which it is less than half of them to the other.
const epochs = 1 << 7

// epochMark is the bit that makes a byte one that names an epoch: the packed account begins
// with its layout, which is less.
const epochMark = 1 << 7

var _ [epochMark - 1 - scoring.Layout]struct{} // layouts are less

// models are the model in force and those before it.
type models struct {
	now  *scoring.Model
	past Past
}

// of is the model that an account stands under which is behind by so many changes.
func (m *models) of(behind uint8) *scoring.Model {
	if behind == 0 {
		return m.now
	}
	return m.past.Models[len(m.past.Models)-int(behind)].Model
}

// behind is by how many changes a state is behind. One from before all that is known
// stands under the earliest that is.
func (m *models) behind(epoch byte) (uint8, error) {
	by := (byte(m.past.Epoch) - epoch) % epochs
	if by >= epochs/2 {
		return 0, ErrLaterModel
	}
	return min(by, uint8(min(len(m.past.Models), epochs/2))), nil
}

// present reports whether a state was written at the present epoch; nothing was at another.
func (m *models) present(state []byte) bool {
	v, _, err := unwrap(state)
	return state == nil || err == nil && v.epoch == byte(m.past.Epoch)%epochs
}

// adopt puts an open account under the model in force, change by change, each at the
// instant at which it took effect, and gives what came of each to note.
func (m *models) adopt(a *scoring.Account, behind uint8, note func(*scoring.Outcome) error) error {
	for ; behind > 0; behind-- {
		out := m.of(behind-1).Adopt(a, m.of(behind), m.until(behind))
		if err := note(&out); err != nil {
			return err
		}
	}
	return nil
}

// until is when the model ceased to be in force that is behind by so many changes.
func (m *models) until(behind uint8) int64 {
	return m.past.Models[len(m.past.Models)-int(behind)].Until
}

// read decodes a stored account and puts it under the model in force; nil where nothing
// is stored.
func (m *models) read(r Record) (*scoring.Account, error) {
	e, err := open(m, &scoring.Account{}, r)
	if err != nil || r.State == nil {
		return nil, err
	}
	return e.account, m.adopt(e.account, e.behind, func(*scoring.Outcome) error { return nil })
}

// Read decodes a stored account and puts it under the model in force; it returns nil where
// nothing is stored.
func (p Past) Read(inForce *scoring.Model, r Record) (*scoring.Account, error) {
	return (&models{inForce, p}).read(r)
}

// Read is Past.Read for a store that was under one model only.
func Read(m *scoring.Model, r Record) (*scoring.Account, error) { return Past{}.Read(m, r) }

// envelope is what a state is beside the packed account: the armed due instant (0 for
// none, else instant + 1, as an unsigned varint) and, unless it is 0, the epoch.
type envelope struct {
	armed uint64
	epoch byte
}

var errEnvelope = errors.New("broken state: no due instant")

// unwrap takes a state apart.
func unwrap(state []byte) (v envelope, packed []byte, err error) {
	armed, n := binary.Uvarint(state)
	if n <= 0 {
		return v, nil, errEnvelope
	}
	v.armed = armed
	if n < len(state) && state[n]&epochMark != 0 {
		v.epoch = state[n] &^ epochMark
		n++
	}
	return v, state[n:], nil
}

// wrap appends what stands before a packed account.
func (v envelope) wrap(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, v.armed)
	if v.epoch != 0 {
		dst = append(dst, epochMark|v.epoch)
	}
	return dst
}

// Inherit tells the engine which models were in force before its own, so that accounts
// that stand under them are put under its own when they come in hand. It is for before the
// first Assign.
func (e *Engine) Inherit(p Past) { e.models.past = p }

// adopt puts an account in hand under the model in force, if it is not, before anything
// else is done to it.
func (l *lane) adopt(w *work, t *touched, e *entry) error {
	if e.behind == 0 {
		return nil
	}
	behind := e.behind
	e.behind = 0
	w.adopted++
	return l.e.models.adopt(e.account, behind, func(out *scoring.Outcome) error { return l.note(w, t, e, out, 0) })
}

// follow puts an account whose state was set back to before changes of the model under
// those of them that were published already: it had a crossing at the instant at.
func (l *lane) follow(e *entry, at int64) {
	for m := &l.e.models; e.behind > 0 && at >= m.until(e.behind); e.behind-- {
		m.of(e.behind-1).Succeed(e.account, m.of(e.behind), m.until(e.behind))
	}
}

// modelOf is the model that an account stands under.
func (l *lane) modelOf(e *entry) *scoring.Model { return l.e.models.of(e.behind) }
