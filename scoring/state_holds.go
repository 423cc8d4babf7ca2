package scoring

import (
	"encoding/binary"
	"math"
	"math/bits"
)

func (p *packer) holds(names *Names, a *Account) {
	p.count(len(a.held))
	for _, h := range a.held {
		p.short5(h.who)
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
		p.short5(s.who)
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
	a.held = list(u, a.held, 16, func(h *held) {
		*h = held{who: u.person(), signal: u.number(), end: never}
		if u.flag() {
			h.end = u.instant()
		}
		h.x, h.at = u.float(), u.instant()
	})
	a.suspects = list(u, a.suspects, 7, func(s *suspect) {
		*s = suspect{who: u.person()}
		if s.acted = u.flag(); s.acted {
			s.at, s.role = u.instant(), u.role(names)
		}
		s.clicks = list(u, nil, 5, func(c *click) { *c = u.click(names) })
		u.failed = u.failed || len(s.clicks) > maxClicks
	})
}

func (u *unpacker) click(names *Names) click {
	return click{
		at: u.instant(), strength: u.short(), role: u.role(names), rules: u.uvarint(),
		parts: list(u, nil, 2, func(p *part) {
			p.signal = u.number()
			if p.counted = u.flag(); p.counted {
				p.x = u.short()
			}
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
