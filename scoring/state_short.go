package scoring

import (
	"encoding/binary"
	"math"
	"slices"
)

// The short forms of layout 3. None of them loses anything: what one can't say is
// written in full.

// fingerprintBits is how much an account keeps of the fingerprints of events and people.
// Two events of one account are taken for one with a chance of 2⁻⁴⁰ for each that it
// remembers: one in 10¹¹ where it remembers ten, as most do, and never more than 5·10⁻¹⁰.
const fingerprintBits = 40

// fingerprint is what an account keeps of a hash that is not 0, and not 0 either.
func fingerprint(h uint64) uint64 {
	if h &= 1<<fingerprintBits - 1; h != 0 {
		return h
	}
	return 1
}

func (p *packer) short5(h uint64) {
	p.b = append(p.b, byte(h>>32), byte(h>>24), byte(h>>16), byte(h>>8), byte(h))
}

func (u *unpacker) short5() uint64 {
	if len(u.b) < 5 {
		u.failed, u.b = true, nil
		return 0
	}
	h := uint64(u.b[0])<<32 | uint64(binary.BigEndian.Uint32(u.b[1:]))
	u.b = u.b[5:]
	return h
}

// tens are what a figure with so many decimals is divided by. Division is exact to the
// last bit, so that 13 and one decimal is the very float64 that 1.3 is.
var tens = [4]float64{1, 10, 100, 1000}

// decimals is x as n/10^k with at most three decimals, if it is exactly that: such as the
// multiplier of a single event.
func decimals(x float64) (n uint64, k int, ok bool) {
	if !(x < 1<<32) || math.Signbit(x) {
		return 0, 0, false
	}
	n, k = uint64(float64(x*1000)+0.5), 3
	if float64(n)/1000 != x {
		return 0, 0, false
	}
	for ; k > 0 && n%10 == 0; k-- {
		n /= 10
	}
	return n, k, true
}

// figure writes a number of the dictionary, doubled, and x: as 8 bytes; or, behind an
// odd one, as n and how many of its digits are decimals.
func (p *packer) figure(number uint32, x float64) {
	n, k, ok := decimals(x)
	if !ok {
		p.b = binary.AppendUvarint(p.b, uint64(number)<<1)
		p.float(x)
		return
	}
	p.b = binary.AppendUvarint(p.b, uint64(number)<<1|1)
	p.b = binary.AppendUvarint(p.b, n<<2|uint64(k))
}

func (u *unpacker) figure() (number uint32, x float64) {
	lead := u.uvarint()
	u.failed = u.failed || lead>>1 > math.MaxUint32
	if lead&1 == 0 {
		return uint32(lead >> 1), u.float()
	}
	n := u.uvarint()
	return uint32(lead >> 1), float64(n>>2) / tens[n&3]
}

// shared writes an instant that mostly is that of a sum: the sum's place, doubled and 1
// more; else the age, doubled; and what neither can say as the place behind the last sum
// and the distance from the clock.
func (p *packer) shared(at int64) {
	for i := range p.sums {
		if p.sums[i].at == at {
			p.count(i<<1 | 1)
			return
		}
	}
	if age := uint64(p.clock - at); age < 1<<62 {
		p.b = binary.AppendUvarint(p.b, age<<1)
		return
	}
	p.count(len(p.sums)<<1 | 1)
	p.instant(at)
}

func (u *unpacker) shared() int64 {
	x := u.uvarint()
	if x&1 == 0 {
		return u.clock - int64(x>>1)
	}
	switch i := x >> 1; {
	case i < uint64(len(u.sums)):
		return u.sums[i].at
	case i == uint64(len(u.sums)):
		return u.instant()
	}
	u.failed = true
	return 0
}

// one writes somebody who mostly is one of the people: 0 for nobody, else the place
// counted from 1, or the place behind the last one and the fingerprint.
func (p *packer) one(people []person, who uint64) {
	if who == 0 {
		p.count(0)
		return
	}
	if i := slices.IndexFunc(people, func(x person) bool { return x.who == who }); i >= 0 {
		p.count(i + 1)
		return
	}
	p.count(len(people) + 1)
	p.short5(who)
}

func (u *unpacker) one(people []person) uint64 {
	switch i := u.uvarint(); {
	case i == 0:
		return 0
	case i <= uint64(len(people)):
		return people[i-1].who
	case i == uint64(len(people))+1:
		return u.short5()
	}
	u.failed = true
	return 0
}

// end writes a window's end, by the hour of the clock where it is on the hour: doubled,
// the hours between them; else, and 1 more, the distance from the clock.
func (p *packer) end(at int64) {
	hours := floorDiv(at, Hour) - floorDiv(p.clock, Hour)
	if at == floorDiv(at, Hour)*Hour && -maxHours < hours && hours < maxHours {
		p.b = binary.AppendVarint(p.b, hours<<1)
		return
	}
	p.b = binary.AppendVarint(p.b, (at-p.clock)<<1|1)
}

// maxHours keeps what end says by the hour within what the calendar has.
const maxHours = 1 << 32

func (u *unpacker) end() int64 {
	x := u.varint()
	if x&1 == 1 {
		return u.clock + x>>1
	}
	u.failed = u.failed || x>>1 >= maxHours || x>>1 <= -maxHours
	return (floorDiv(u.clock, Hour) + x>>1) * Hour
}
