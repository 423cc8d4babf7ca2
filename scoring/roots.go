package scoring

import (
	"cmp"
	"math"
	"slices"
)

// term is c · 2^(−rate·t), t in milliseconds. Rate 0 is a constant.
type term struct {
	c, rate float64
}

// enough is the width of a bracket at which a root is found well enough, in
// milliseconds: the instants around it are looked at anyway.
const enough = 1.0 / 64

// roots appends to dst the zeros in (lo, hi) of a sum of exponentials, in order.
//
// A sum of n exponentials has at most n−1 zeros. Dividing by the slowest leaves
// a constant and n−1 terms, whose derivative has n−1 terms: its zeros, found the
// same way, cut (lo, hi) into stretches on which the quotient is monotone, so a
// change of sign at the ends of a stretch is exactly one zero (Rolle).
func (w *scratch) roots(dst []float64, terms []term, lo, hi float64) []float64 {
	quotient := w.divide(terms, lo)
	if len(quotient) < 2 {
		return dst
	}
	span := hi - lo
	cuts := append(w.points(len(quotient)+1), 0)
	if !sameSign(quotient[1:]) {
		cuts = w.roots(cuts, w.derivative(quotient), 0, span)
	}
	cuts = append(cuts, span)
	for i := 1; i < len(cuts); i++ {
		if root, ok := bisect(quotient, cuts[i-1], cuts[i]); ok {
			dst = append(dst, lo+root)
		}
	}
	return dst
}

// divide merges equal rates, drops what is nothing from lo on, and divides by the
// slowest term's decay; t then counts from lo.
func (w *scratch) divide(terms []term, lo float64) []term {
	out := w.take(len(terms))
	for _, t := range terms {
		i := slices.IndexFunc(out, func(o term) bool { return o.rate == t.rate })
		if i < 0 {
			out = append(out, t)
		} else {
			out[i].c += t.c
		}
	}
	out = slices.DeleteFunc(out, func(t term) bool { return t.c == 0 })
	slices.SortFunc(out, func(a, b term) int { return cmp.Compare(a.rate, b.rate) })
	if len(out) == 0 {
		return out
	}
	slowest := out[0].rate
	for i := range out {
		out[i].rate -= slowest
		out[i].c *= math.Exp2(-out[i].rate * lo)
	}
	return slices.DeleteFunc(out, func(t term) bool { return t.c == 0 })
}

// derivative is that of a divided sum, but for a factor that has no zeros.
func (w *scratch) derivative(quotient []term) []term {
	out := w.take(len(quotient) - 1)
	for _, t := range quotient[1:] {
		out = append(out, term{c: t.c * t.rate, rate: t.rate})
	}
	return out
}

func sameSign(terms []term) bool {
	for _, t := range terms[1:] {
		if (t.c > 0) != (terms[0].c > 0) {
			return false
		}
	}
	return true
}

func value(terms []term, t float64) float64 {
	sum := 0.0
	for i := range terms {
		sum += terms[i].c * math.Exp2(-terms[i].rate*t)
	}
	return sum
}

// slope is value and derivative in one pass, the derivative but for a factor ln 2.
func slope(terms []term, t float64) (v, d float64) {
	for i := range terms {
		x := terms[i].c * math.Exp2(-terms[i].rate*t)
		v += x
		d -= terms[i].rate * x
	}
	return v, d
}

// newtons is after how many of Newton's steps a bracket that is still open is
// halved with every second look.
const newtons = 12

// bisect is the zero of a sum that is monotone in (lo, hi), if it changes its
// sign there: by Newton's steps where they stay inside the bracket.
func bisect(terms []term, lo, hi float64) (float64, bool) {
	left, right := value(terms, lo), value(terms, hi)
	if left == 0 {
		return lo, true
	}
	if right == 0 {
		return hi, true
	}
	if (left > 0) == (right > 0) {
		return 0, false
	}
	// From the left, where decaying terms are steep, one does not overshoot.
	at := lo
	for n := 0; hi-lo > enough; n++ {
		v, d := slope(terms, at)
		if (v > 0) == (left > 0) {
			lo = at
		} else {
			hi = at
		}
		// A little past the zero, so that the bracket closes from the other side too.
		step := -v / (d * math.Ln2)
		at += step + math.Copysign(enough/4, step)
		if !(at > lo && at < hi) || n >= newtons && n%2 == 0 {
			if at = lo + (hi-lo)/2; at <= lo || at >= hi {
				break
			}
		}
	}
	return hi, true
}
