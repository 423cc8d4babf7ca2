package scoring

// Asleep is what an account at rest keeps beside its packed state, so that it need not
// be opened anew. The zero value belongs to no account.
type Asleep struct {
	profile     *Profile
	profileTime int64
	standing    *standing
	quiet       quiet
}

// Sleep is what Wake needs beside the state that Pack wrote of a, which is open under
// this model. Afterwards a may be used for another account.
func (m *Model) Sleep(a *Account) Asleep {
	return Asleep{a.profile, a.profileTime, a.standing, a.quiet}
}

// Wake makes of a, whose memory is used again, the account that s and state are of:
// open, as it was when it fell asleep under this model. Without a state it is one that
// nobody has heard of.
func (m *Model) Wake(a *Account, state []byte, s Asleep) error {
	a.clear()
	if len(state) > 0 {
		if err := m.unpack(a, state); err != nil {
			return err
		}
	}
	a.profile, a.profileTime, a.standing, a.quiet = s.profile, s.profileTime, s.standing, s.quiet
	return nil
}

// clear makes an account that nobody has heard of, and keeps its memory.
func (a *Account) clear() {
	*a = Account{
		left: a.left[:0], sums: a.sums[:0], surges: a.surges[:0],
		people: a.people[:0], once: a.once[:0], days: a.days[:0], taken: a.taken[:0],
		held: a.held[:0], suspects: a.suspects[:0], heldBy: a.heldBy,
	}
}
