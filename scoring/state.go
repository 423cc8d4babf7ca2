package scoring

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Layout is the newest version of the packed state that this program writes. Older
// layouts stay readable; a newer one is refused. Each account is written in the oldest
// that can say all of it: 2 where something is held, or it was merged or took an estate.
const Layout = 2

const plainLayout = 1

// ErrNewerLayout is returned by Unpack for a state that a newer program wrote.
// The caller must not touch the account: upgrade the program.
var ErrNewerLayout = errors.New("the state was written by a newer version of tidemark")

// errBroken is what Unpack finds in bytes that no version wrote.
var errBroken = errors.New("broken state")

// Pack appends the account's state, its profile left out, to dst. Instants are
// written as distances from the clock, which keeps them short.
func (m *Model) Pack(dst []byte, a *Account) []byte {
	layout := a.layout()
	dst = append(dst, layout)
	dst = binary.AppendUvarint(dst, a.Seq)
	switch {
	case a.into != "":
		return m.packMerged(append(dst, 2), a)
	case !a.Begun && len(a.taken) > 0:
		p := packer{b: append(dst, 3)}
		p.hashes(a.taken)
		return p.b
	case !a.Begun:
		return append(dst, 0)
	}
	p := packer{append(dst, 1), a.Clock}
	p.body(m, a)
	if layout > plainLayout {
		p.holds(m.names, a)
		p.hashes(a.taken)
	}
	return p.b
}

// layout is the oldest that can say all of the account.
func (a *Account) layout() byte {
	if a.into != "" || len(a.taken) > 0 || a.Begun && len(a.held)+len(a.suspects) > 0 {
		return Layout
	}
	return plainLayout
}

type packer struct {
	b     []byte
	clock int64
}

// body writes all that an account is but for its seq.
func (p *packer) body(m *Model, a *Account) {
	p.b = binary.AppendVarint(p.b, a.Clock)
	p.tier(a)
	p.count(len(a.sums))
	for _, s := range a.sums {
		p.number(s.number)
		p.float(s.x)
		p.instant(s.at)
	}
	p.count(len(a.surges))
	for _, s := range a.surges {
		p.number(s.number)
		p.float(s.short)
		p.float(s.long)
		p.instant(s.at)
	}
	p.count(len(a.people))
	for _, x := range a.people {
		p.hash(x.who)
		p.instant(x.at)
		p.role(m.names, x.role)
	}
	p.count(len(a.once))
	for _, x := range a.once {
		p.number(x.signal)
		p.hash(x.who)
		p.instant(x.end)
	}
	p.count(len(a.days))
	for _, d := range a.days {
		p.b = binary.AppendVarint(p.b, d.number)
		p.count(len(d.ids))
		for _, id := range d.ids {
			p.hash(id)
		}
	}
}

func (p *packer) count(n int)      { p.b = binary.AppendUvarint(p.b, uint64(n)) }
func (p *packer) number(n uint32)  { p.b = binary.AppendUvarint(p.b, uint64(n)) }
func (p *packer) float(x float64)  { p.b = binary.BigEndian.AppendUint64(p.b, math.Float64bits(x)) }
func (p *packer) hash(h uint64)    { p.b = binary.BigEndian.AppendUint64(p.b, h) }
func (p *packer) instant(at int64) { p.b = binary.AppendVarint(p.b, p.clock-at) }
func (p *packer) text(s string)    { p.count(len(s)); p.b = append(p.b, s...) }

func (p *packer) flag(yes bool) bool {
	if yes {
		p.b = append(p.b, 1)
	} else {
		p.b = append(p.b, 0)
	}
	return yes
}

// tier writes the tier, when it was entered, and the latest departures.
func (p *packer) tier(a *Account) {
	if !p.flag(a.tiered) {
		return
	}
	p.number(a.tier)
	p.instant(a.entered)
	p.count(len(a.left))
	for _, l := range a.left {
		p.number(l.tier)
		p.instant(l.at)
	}
}

// role writes a known role as its number + 1, another as 0 and its text.
func (p *packer) role(names *Names, role string) {
	if n, ok := names.roles[role]; ok {
		p.count(int(n.number) + 1)
		return
	}
	p.count(0)
	p.text(role)
}

// Unpack reads a state that Pack wrote, of this or an older layout. The account
// still needs its profile and Model.Open.
func (m *Model) Unpack(data []byte) (*Account, error) {
	a := &Account{}
	if err := m.unpack(a, data); err != nil {
		return nil, err
	}
	return a, nil
}

// unpack is Unpack into an account that was cleared.
func (m *Model) unpack(a *Account, data []byte) error {
	u := unpacker{b: data}
	layout := u.byte()
	if layout > Layout {
		return fmt.Errorf("layout %d, this program reads up to %d: %w", layout, Layout, ErrNewerLayout)
	} else if layout == 0 {
		return errBroken
	}
	a.Seq = u.uvarint()
	switch begun := u.byte(); {
	case begun == 1:
		a.Begun = true
		u.body(a, m.names)
		if layout > plainLayout {
			u.holds(a, m.names)
			a.taken = u.hashes(a.taken)
		}
	case begun == 2 && layout > plainLayout:
		u.merged(a, m.names)
	case begun == 3 && layout > plainLayout:
		a.taken = u.hashes(a.taken)
	case begun != 0:
		u.failed = true
	}
	if u.failed || len(u.b) > 0 {
		return errBroken
	}
	return nil
}

type unpacker struct {
	b      []byte
	clock  int64
	failed bool
}

func (u *unpacker) body(a *Account, names *Names) {
	a.Clock = u.varint()
	u.clock = a.Clock
	if a.tiered = u.flag(); a.tiered {
		a.tier, a.entered = u.number(), u.instant()
		a.left = list(u, a.left, 2, func(x *leave) { x.tier, x.at = u.number(), u.instant() })
	}
	a.sums = list(u, a.sums, 10, func(x *sum) { x.number, x.x, x.at = u.number(), u.float(), u.instant() })
	a.surges = list(u, a.surges, 18, func(x *pair) { x.number, x.short, x.long, x.at = u.number(), u.float(), u.float(), u.instant() })
	a.people = list(u, a.people, 10, func(x *person) { x.who, x.at, x.role = u.hash(), u.instant(), u.role(names) })
	a.once = list(u, a.once, 10, func(x *mark) { x.signal, x.who, x.end = u.number(), u.hash(), u.instant() })
	a.days = list(u, a.days, 2, func(x *day) {
		x.number = u.varint()
		x.ids = list(u, x.ids, 8, func(id *uint64) { *id = u.hash() })
	})
}

// list reads a count and that many values of at least size bytes each, so that a
// broken count can't ask for more memory than the bytes could fill. What into holds is
// written over.
func list[T any](u *unpacker, into []T, size int, read func(*T)) []T {
	n := u.uvarint()
	if n > uint64(len(u.b)/size) {
		u.failed = true
	}
	if n == 0 || u.failed {
		return into[:0]
	}
	out := slices.Grow(into[:0], int(n))[:n]
	for i := range out {
		read(&out[i])
	}
	return out
}

func (u *unpacker) byte() byte {
	if len(u.b) == 0 {
		u.failed = true
		return 0
	}
	x := u.b[0]
	u.b = u.b[1:]
	return x
}

func (u *unpacker) flag() bool {
	x := u.byte()
	u.failed = u.failed || x > 1
	return x == 1
}

func (u *unpacker) uvarint() uint64 {
	x, n := binary.Uvarint(u.b)
	return x * u.took(n)
}

func (u *unpacker) varint() int64 {
	x, n := binary.Varint(u.b)
	return x * int64(u.took(n))
}

// took moves past n bytes. It is 1, or 0 where the bytes did not suffice.
func (u *unpacker) took(n int) uint64 {
	if n <= 0 {
		u.failed, u.b = true, nil
		return 0
	}
	u.b = u.b[n:]
	return 1
}

func (u *unpacker) number() uint32 {
	x := u.uvarint()
	u.failed = u.failed || x > math.MaxUint32
	return uint32(x)
}

func (u *unpacker) instant() int64 { return u.clock - u.varint() }

func (u *unpacker) hash() uint64 {
	if len(u.b) < 8 {
		u.failed, u.b = true, nil
		return 0
	}
	x := binary.BigEndian.Uint64(u.b)
	u.b = u.b[8:]
	return x
}

func (u *unpacker) float() float64 {
	x := math.Float64frombits(u.hash())
	u.failed = u.failed || math.IsNaN(x) || math.IsInf(x, 0)
	return x
}

func (u *unpacker) role(names *Names) string {
	if n := u.uvarint(); n > 0 {
		name, ok := names.lookup(uint32(n - 1))
		if !ok || len(name) < len(roleName("")) {
			u.failed = true
			return ""
		}
		return name[len(roleName("")):]
	}
	return u.text()
}

// packedProfile is a profile as stored. Field names are short as every account
// carries them.
type packedProfile struct {
	Time       int64          `json:"t"`
	Attributes map[string]any `json:"a,omitempty"`
	Domains    []string       `json:"d,omitempty"`
	Parent     string         `json:"p,omitempty"`
}

// PackProfile writes a profile and its time; the same profile gives the same bytes.
func PackProfile(p *Profile, at int64) ([]byte, error) {
	data, err := json.Marshal(packedProfile{at, p.Attributes, p.Domains, p.Parent})
	if err != nil {
		return nil, fmt.Errorf("pack profile: %w", err)
	}
	return data, nil
}

// UnpackProfile reads what PackProfile wrote.
func UnpackProfile(data []byte) (*Profile, int64, error) {
	var p packedProfile
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, 0, fmt.Errorf("unpack profile: %w", err)
	}
	return &Profile{Attributes: p.Attributes, Domains: p.Domains, Parent: p.Parent}, p.Time, nil
}
