package scoring

import "slices"

// folio is the memory of what one crossing refers to. An outcome that is used again
// uses its folios again.
type folio struct {
	threshold float64
	demotes   int64
	groups    []GroupReceipt
	signals   []SignalReceipt // of all groups
	rules     []RuleReceipt
	surges    []SurgeReceipt
	texts     []string
}

// someTexts is how many texts most crossings refer to.
const someTexts = 8

// names is an empty list with room for n texts. It is never nil.
func (f *folio) names(n int) []string {
	used := len(f.texts)
	if f.texts == nil || cap(f.texts)-used < n {
		f.texts, used = make([]string, 0, max(n, someTexts, 2*cap(f.texts))), 0
	}
	f.texts = f.texts[:used+n]
	return f.texts[used : used : used+n]
}

// copied is a copy of some texts, never nil.
func (f *folio) copied(texts []string) []string { return append(f.names(len(texts)), texts...) }

// sorted is copied in order.
func (f *folio) sorted(texts []string) []string {
	out := f.copied(texts)
	slices.Sort(out)
	return out
}

// room is an empty list for n values, in the memory given if that is enough. It is never
// nil, as a receipt's lists are not: in JSON they are lists even where they are empty.
func room[T any](s []T, n int) []T {
	if s == nil || cap(s) < n {
		return make([]T, 0, n)
	}
	return s[:0]
}

// folio is memory for the outcome's next crossing.
func (o *Outcome) folio() *folio {
	if o.used == len(o.folios) {
		o.folios = append(o.folios, new(folio))
	}
	f := o.folios[o.used]
	o.used++
	f.texts = f.texts[:0]
	return f
}

// reset forgets what the outcome says and keeps its memory.
func (o *Outcome) reset() {
	clear(o.Crossings) // they hold profiles
	*o = Outcome{Crossings: o.Crossings[:0], folios: o.folios}
}
