package scoring

// scratch is memory for one solution, used again for the next. What is taken stays
// valid until the next reset.
type scratch struct {
	terms []term
	used  int
}

func (w *scratch) reset() { w.used = 0 }

// take is an empty list with room for n terms.
func (w *scratch) take(n int) []term {
	if w.used+n > len(w.terms) {
		// What was taken before keeps the old memory alive as long as it is needed.
		w.terms, w.used = make([]term, max(2*len(w.terms), n, 256)), 0
	}
	out := w.terms[w.used : w.used : w.used+n]
	w.used += n
	return out
}
