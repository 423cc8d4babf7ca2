package scoring

// scratch is memory for one solution, used again for the next. What is taken stays
// valid until the next reset.
type scratch struct {
	terms  block[term]
	floats block[float64]
}

func (w *scratch) reset() { w.terms.used, w.floats.used = 0, 0 }

// take is an empty list with room for n terms.
func (w *scratch) take(n int) []term { return w.terms.take(n) }

// points is an empty list with room for n instants.
func (w *scratch) points(n int) []float64 { return w.floats.take(n) }

type block[T any] struct {
	all  []T
	used int
}

func (b *block[T]) take(n int) []T {
	if b.used+n > len(b.all) {
		// What was taken before keeps the old memory alive as long as it is needed.
		b.all, b.used = make([]T, max(2*len(b.all), n, 256)), 0
	}
	out := b.all[b.used : b.used : b.used+n]
	b.used += n
	return out
}
