package scoring

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What the short forms can't say is written in full: every value comes back to the bit.
func TestShortFormsLoseNothing(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	figures := []float64{0, math.Copysign(0, -1), 1, 1.5, 1.3, 0.1 + 0.2, 0.3, 1e-3, 1e-4, 12.345, 0.7 * 1.5, math.Pi, 1 << 32, 1<<32 - 1, 1e300, -1.5, math.SmallestNonzeroFloat64, math.MaxFloat64}
	for range 1000 {
		figures = append(figures, math.Float64frombits(r.Uint64()), float64(r.IntN(1e6))/1000, r.Float64()*10)
	}
	for _, x := range figures {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		var p packer
		p.figure(70_000, x)
		u := unpacker{b: p.b}
		number, got := u.figure()
		if number != 70_000 || math.Float64bits(got) != math.Float64bits(x) || u.failed || len(u.b) > 0 {
			t.Errorf("figure %v: got %v, failed %t, %d bytes left", x, got, u.failed, len(u.b))
		}
	}
	const clock = 1_700_000_000_123
	p := packer{clock: clock, sums: []sum{{at: clock - 5}, {at: clock - Day}}}
	people := []person{{who: 7}, {who: 8}}
	instants := []int64{clock, clock - 5, clock - Day, clock - Day - 1, clock + 1, 0, -1, never, math.MaxInt64, math.MinInt64 + 1}
	ends := []int64{clock, clock + 1, floorDiv(clock, Day)*Day + Day, floorDiv(clock, Day)*Day - 40*Day, 0, clock + 1<<60}
	who := []uint64{0, 7, 8, 9, 1<<fingerprintBits - 1}
	for _, at := range instants {
		p.shared(at)
	}
	for _, at := range ends {
		p.end(at)
	}
	for _, x := range who {
		p.one(people, x)
	}
	u := unpacker{b: p.b, clock: clock, sums: p.sums}
	for _, at := range instants {
		if got := u.shared(); got != at {
			t.Errorf("instant %d: got %d", at, got)
		}
	}
	for _, at := range ends {
		if got := u.end(); got != at {
			t.Errorf("end %d: got %d", at, got)
		}
	}
	for _, x := range who {
		if got := u.one(people); got != x {
			t.Errorf("fingerprint %d: got %d", x, got)
		}
	}
	if u.failed || len(u.b) > 0 {
		t.Errorf("failed %t, %d bytes left", u.failed, len(u.b))
	}
}

// A figure of few digits is short, and the places of people and instants cost a byte.
func TestShortFormsAreShort(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]int{0: 2, 1: 2, 1.5: 2, 1.2: 2, 3: 2, 0.25: 2, 1.125: 3, math.Pi: 9} {
		var p packer
		if p.figure(3, x); len(p.b) != want {
			t.Errorf("%v takes %d bytes, want %d", x, len(p.b), want)
		}
	}
}
