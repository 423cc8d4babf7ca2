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
// of the two that can say all of it: 1 where nothing but the seq is left, else the newest.
const Layout = 3

const plainLayout = 1

// ErrNewerLayout is returned by Unpack for a state that a newer program wrote.
// The caller must not touch the account: upgrade the program.
var ErrNewerLayout = errors.New("the state was written by a newer version of tidemark")

// errBroken is what Unpack finds in bytes that no version wrote.
var errBroken = errors.New("broken state")

// What stands behind the seq since layout 3: which parts follow, or what kind of account
// it is that has none of them.
const (
	hasTier = 1 << iota
	hasLeft
	hasSurges
	hasPeople
	hasOnce
	hasDays
	hasHolds                // and the estates that it took
	isMerged                // alone: it went into another
	isHeir   = isMerged | 1 // it took estates and never began
)

// Pack appends the account's state, its profile left out, to dst. What can be said by
// what was said before is: instants by others and by the clock, people by their number.
func (m *Model) Pack(dst []byte, a *Account) []byte {
	if !a.Begun && a.into == "" && len(a.taken) == 0 {
		return append(binary.AppendUvarint(append(dst, plainLayout), a.Seq), 0)
	}
	p := packer{b: binary.AppendUvarint(append(dst, Layout), a.Seq)}
	switch {
	case a.into != "":
		p.b = append(p.b, isMerged)
		p.merged(m, a)
	case !a.Begun:
		p.b = append(p.b, isHeir)
		p.hashes(a.taken)
	default:
		p.body(m, a)
	}
	return p.b
}

type packer struct {
	b     []byte
	clock int64
	sums  []sum // by which instants are said
}

// body writes all that an account is but for its seq.
func (p *packer) body(m *Model, a *Account) {
	has := a.parts()
	p.b = binary.AppendVarint(append(p.b, has), a.Clock)
	p.clock, p.sums = a.Clock, a.sums
	p.count(len(a.sums))
	for _, s := range a.sums {
		p.figure(s.number, s.x)
		p.b = binary.AppendUvarint(p.b, uint64(a.Clock-s.at))
	}
	if has&hasTier != 0 {
		p.number(a.tier)
		p.shared(a.entered)
	}
	if has&hasLeft != 0 {
		p.count(len(a.left))
		for _, l := range a.left {
			p.number(l.tier)
			p.shared(l.at)
		}
	}
	if has&hasSurges != 0 {
		p.count(len(a.surges))
		for _, s := range a.surges {
			p.figure(s.number, s.short)
			p.figure(0, s.long)
			p.shared(s.at)
		}
	}
	if has&hasPeople != 0 {
		p.count(len(a.people))
		for _, x := range a.people {
			p.short5(x.who)
			p.shared(x.at)
			p.role(m.names, x.role)
		}
	}
	if has&hasOnce != 0 {
		p.count(len(a.once))
		for _, x := range a.once {
			p.number(x.signal)
			p.one(a.people, x.who)
			p.end(x.end)
		}
	}
	if has&hasDays != 0 {
		p.count(len(a.days))
		for _, d := range a.days {
			p.b = binary.AppendVarint(p.b, d.number-floorDiv(a.Clock, Day))
			p.count(len(d.ids))
			for _, id := range d.ids {
				p.short5(id)
			}
		}
	}
	if has&hasHolds != 0 {
		p.holds(m.names, a)
		p.hashes(a.taken)
	}
}

// parts are what there is to write of an account beside its clock and its sums.
func (a *Account) parts() (has byte) {
	for i, there := range [...]bool{
		a.tiered, a.tiered && len(a.left) > 0, len(a.surges) > 0, len(a.people) > 0, len(a.once) > 0, len(a.days) > 0,
		len(a.held)+len(a.suspects)+len(a.taken) > 0,
	} {
		if there {
			has |= 1 << i
		}
	}
	return has
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
	if u.old = layout <= lastWide; u.old {
		u.wide(a, m.names, layout)
	} else {
		u.account(a, m.names)
	}
	if u.failed || len(u.b) > 0 {
		return errBroken
	}
	return nil
}

type unpacker struct {
	b      []byte
	clock  int64
	sums   []sum
	old    bool // a layout before 3
	failed bool
}

func (u *unpacker) account(a *Account, names *Names) {
	switch has := u.byte(); {
	case has < isMerged:
		a.Begun = true
		u.body(a, names, has)
	case has == isMerged:
		u.merged(a, names)
	case has == isHeir:
		a.taken = u.hashes(a.taken)
	default:
		u.failed = true
	}
}

func (u *unpacker) body(a *Account, names *Names, has byte) {
	a.Clock = u.varint()
	u.clock = a.Clock
	a.sums = list(u, a.sums, 3, func(x *sum) {
		x.number, x.x = u.figure()
		x.at = u.clock - int64(u.uvarint())
	})
	u.sums = a.sums
	if a.tiered = has&hasTier != 0; a.tiered {
		a.tier, a.entered = u.number(), u.shared()
	}
	if has&hasLeft != 0 {
		a.left = list(u, a.left, 2, func(x *leave) { x.tier, x.at = u.number(), u.shared() })
	}
	if has&hasSurges != 0 {
		a.surges = list(u, a.surges, 5, func(x *pair) {
			x.number, x.short = u.figure()
			_, x.long = u.figure()
			x.at = u.shared()
		})
	}
	if has&hasPeople != 0 {
		a.people = list(u, a.people, 7, func(x *person) { x.who, x.at, x.role = u.short5(), u.shared(), u.role(names) })
	}
	if has&hasOnce != 0 {
		a.once = list(u, a.once, 3, func(x *mark) { x.signal, x.who, x.end = u.number(), u.one(a.people), u.end() })
	}
	if has&hasDays != 0 {
		a.days = list(u, a.days, 2, func(x *day) {
			x.number = floorDiv(u.clock, Day) + u.varint()
			x.ids = list(u, x.ids, 5, func(id *uint64) { *id = u.short5() })
		})
	}
	if has&hasHolds != 0 {
		u.holds(a, names)
		a.taken = u.hashes(a.taken)
	}
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
