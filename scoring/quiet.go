package scoring

import "math"

// quiet remembers what is known of an account's next crossing by time alone, so
// that it is solved once and not at every event. It is not part of the state: who
// forgets it loses nothing but time.
type quiet struct {
	until int64   // where known: nothing crosses by time alone at or before this instant
	next  int64   // where solved: the next crossing; forEver for none
	most  float64 // where bounded: the total from the clock on, at most, as long as nothing more happens

	known, solved, bounded bool
}

// forEver is an instant after all others.
const forEver = int64(math.MaxInt64)

// holds reports whether it is known that nothing crosses until t included.
func (q *quiet) holds(t int64) bool { return q.known && t <= q.until }

// rest notes that nothing crosses until t included.
func (q *quiet) rest(t int64) {
	if !q.known || t > q.until {
		q.known, q.until = true, t
	}
}

// solve notes the next crossing.
func (q *quiet) solve(at int64) {
	q.solved, q.next = true, at
	q.known, q.until = true, at
	if at != forEver {
		q.until--
	}
}

// stir forgets everything: whatever changed may bring a crossing nearer.
func (q *quiet) stir() { *q = quiet{} }

// bound notes the total at the clock of an account that only falls.
func (q *quiet) bound(total float64) { q.bounded, q.most = true, total }

// moved forgets the solution, but not that all is quiet until then: what changed
// can only put the next crossing off.
func (q *quiet) moved() { q.solved = false }

// Rest tells an account that was restored until when nothing crosses by time
// alone, as Model.NextCrossing said when it was stored: Unix milliseconds, the
// instant included. It follows Model.Open.
func (a *Account) Rest(until int64) { a.quiet.rest(until) }

// steady reports whether the tier surely stays, after something that can only have
// raised the score: nothing was due, and no better tier is within reach.
func (m *Model) steady(a *Account) bool {
	q := &a.quiet
	if !q.bounded || !q.holds(a.Clock) {
		return false
	}
	c := m.tier(a)
	return c == 0 || m.bounded(q.most, a) < m.tiers[c-1].min
}
