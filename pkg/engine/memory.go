package engine

// Memory of accounts at rest is used again: a state outgrows its own now and then, and what
// one account leaves serves another.

// states is memory for packed states. The zero value has none.
type states struct {
	spare  [largeState / stateStep][][]byte // by size
	packed []byte                           // a state that is being packed
}

const (
	// stateStep is by how many bytes the sizes differ.
	stateStep = 32
	// spareStates is how many of one size are kept at most.
	spareStates = 64
)

// keep is a copy of a state in memory of its size: in that of the one before where it
// still fits.
func (m *states) keep(before, state []byte) []byte {
	if n := len(state); cap(before) < n || cap(before) > 2*n+2*stateStep {
		m.leave(before)
		before = m.take(n + n/8)
	}
	return append(before[:0], state...)
}

// take is memory for n bytes.
func (m *states) take(n int) []byte {
	class := (n + stateStep - 1) / stateStep
	if class >= len(m.spare) {
		return make([]byte, 0, n)
	}
	spare := m.spare[class]
	if len(spare) == 0 {
		return make([]byte, 0, class*stateStep)
	}
	m.spare[class] = spare[:len(spare)-1]
	return spare[len(spare)-1]
}

// leave takes memory back that nobody uses any more.
func (m *states) leave(state []byte) {
	class := cap(state) / stateStep
	if class == 0 || class >= len(m.spare) || len(m.spare[class]) == spareStates {
		return
	}
	m.spare[class] = append(m.spare[class], state[:0])
}

// slab is for how many accounts memory is made at once.
const slab = 16

// blank is an entry for an account that is not in memory, of which nothing is known yet.
// It stands among the shard's accounts until fetch fills it.
func (s *shard) blank(name string) *entry {
	if len(s.blanks) == 0 {
		made := make([]entry, slab)
		for i := range made {
			s.blanks = append(s.blanks, &made[i])
		}
	}
	e := s.blanks[len(s.blanks)-1]
	s.blanks = s.blanks[:len(s.blanks)-1]
	e.name, e.checked = name, s.others
	s.accounts[name] = e
	return e
}

// drop takes an account out of memory that nobody has in hand.
func (s *shard) drop(e *entry, m *states) {
	delete(s.accounts, e.name)
	m.leave(e.state)
	*e = entry{}
	s.blanks = append(s.blanks, e)
}
