package scoring

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// layoutHolds is the first layout with what is held.
const layoutHolds = 2

func (a *Account) layout() byte {
	if a.Begun && len(a.held)+len(a.suspects) > 0 {
		return layoutHolds
	}
	return 1
}

func (p *packer) holds(names *Names, a *Account) {
	p.count(len(a.held))
	for _, h := range a.held {
		p.hash(h.who)
		p.number(h.signal)
		if p.flag(h.end != never) {
			p.instant(h.end)
		}
		p.float(h.x)
		p.instant(h.at)
	}
	p.count(len(a.suspects))
	for i := range a.suspects {
		s := &a.suspects[i]
		p.hash(s.who)
		if p.flag(s.acted) {
			p.instant(s.at)
			p.role(names, s.role)
		}
		p.count(len(s.clicks))
		for k := range s.clicks {
			p.click(names, &s.clicks[k])
		}
	}
}

func (p *packer) click(names *Names, c *click) {
	p.instant(c.at)
	p.short(c.strength)
	p.role(names, c.role)
	p.b = binary.AppendUvarint(p.b, c.rules)
	p.count(len(c.parts))
	for _, x := range c.parts {
		p.number(x.signal)
		if p.flag(x.counted) {
			p.short(x.x)
		}
	}
}

func (u *unpacker) holds(a *Account, names *Names) {
	a.held = list(u, 19, func() held {
		h := held{who: u.hash(), signal: u.number(), end: never}
		if u.flag() {
			h.end = u.instant()
		}
		h.x, h.at = u.float(), u.instant()
		return h
	})
	a.suspects = list(u, 10, func() suspect {
		s := suspect{who: u.hash()}
		if s.acted = u.flag(); s.acted {
			s.at, s.role = u.instant(), u.role(names)
		}
		s.clicks = list(u, 5, func() click { return u.click(names) })
		u.failed = u.failed || len(s.clicks) > maxClicks
		return s
	})
}

func (u *unpacker) click(names *Names) click {
	return click{
		at: u.instant(), strength: u.short(), role: u.role(names), rules: u.uvarint(),
		parts: list(u, 2, func() part {
			p := part{signal: u.number()}
			if p.counted = u.flag(); p.counted {
				p.x = u.short()
			}
			return p
		}),
	}
}

// short writes a figure that mostly has few digits: its bytes from the last, as an
// unsigned varint. 1 takes three.
func (p *packer) short(x float64) {
	p.b = binary.AppendUvarint(p.b, bits.ReverseBytes64(math.Float64bits(x)))
}

func (u *unpacker) short() float64 {
	x := math.Float64frombits(bits.ReverseBytes64(u.uvarint()))
	u.failed = u.failed || math.IsNaN(x) || math.IsInf(x, 0)
	return x
}
