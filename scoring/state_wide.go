package scoring

// lastWide is the last of the layouts that say everything in full. They are only read.
const lastWide = 2

// wide reads what stands behind the seq in layouts 1 and 2.
func (u *unpacker) wide(a *Account, names *Names, layout byte) {
	switch begun := u.byte(); {
	case begun == 1:
		a.Begun = true
		u.wideBody(a, names)
		if layout > plainLayout {
			u.holds(a, names)
			a.taken = u.hashes(a.taken)
		}
	case begun == 2 && layout > plainLayout:
		u.merged(a, names)
	case begun == 3 && layout > plainLayout:
		a.taken = u.hashes(a.taken)
	case begun != 0:
		u.failed = true
	}
}

func (u *unpacker) wideBody(a *Account, names *Names) {
	a.Clock = u.varint()
	u.clock = a.Clock
	if a.tiered = u.flag(); a.tiered {
		a.tier, a.entered = u.number(), u.instant()
		a.left = list(u, a.left, 2, func(x *leave) { x.tier, x.at = u.number(), u.instant() })
	}
	a.sums = list(u, a.sums, 10, func(x *sum) { x.number, x.x, x.at = u.number(), u.float(), u.instant() })
	a.surges = list(u, a.surges, 18, func(x *pair) { x.number, x.short, x.long, x.at = u.number(), u.float(), u.float(), u.instant() })
	a.people = list(u, a.people, 10, func(x *person) { x.who, x.at, x.role = fingerprint(u.hash()), u.instant(), u.role(names) })
	a.once = list(u, a.once, 10, func(x *mark) { x.signal, x.who, x.end = u.number(), u.wideWho(), u.instant() })
	a.days = list(u, a.days, 2, func(x *day) {
		x.number = u.varint()
		x.ids = list(u, x.ids, 8, func(id *uint64) { *id = fingerprint(u.hash()) })
	})
}

// wideWho is who a window is of; 0 is the account.
func (u *unpacker) wideWho() uint64 {
	if who := u.hash(); who != 0 {
		return fingerprint(who)
	}
	return 0
}

// person reads who somebody is that something is held of.
func (u *unpacker) person() uint64 {
	if u.old {
		return u.wideWho()
	}
	return u.short5()
}
