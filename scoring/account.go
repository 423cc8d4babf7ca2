package scoring

import "slices"

// Account is everything that is known of one account. The zero value is an
// account nobody has heard of, in the last tier with seq 0; Model.Open makes one
// usable. The model's methods change it in place, so it has one owner at a time.
type Account struct {
	// Seq is the number of the latest tier change. It outlives even the erasure
	// of the account, so that no number ever has two meanings.
	Seq uint64
	// Clock is the account's T. Meaningless until Begun.
	Clock int64
	Begun bool

	tier    uint32  // dictionary number of the tier
	tiered  bool    // false: never moved, so in the last tier of whatever model
	entered int64   // instant of the crossing into the tier; never: no crossing yet
	left    []leave // latest departures, by tier
	sums    []sum
	surges  []pair
	people  []person
	once    []mark
	days    []day
	taken   []uint64 // the estates that it took, the oldest first

	into   string  // the account that it was merged into, "" for none
	estate *Estate // what it left, until that account has it

	// What is held back, and whose latest events may be the beginning of a burst;
	// empty under a model that holds nothing.
	held     []held
	suspects []suspect

	profile     *Profile
	profileTime int64

	standing *standing // of the profile under the model that opened the account; shared, never changed
	quiet    quiet     // under that model
	heldBy   []int     // memory for Outcome.Held
}

// never is an instant before all others.
const never = int64(-1 << 63)

// leave is the latest instant at which the account fell from a tier, or past it.
type leave struct {
	tier uint32
	at   int64
}

// sum is a signal's intensity at an instant. Later instants decay it.
type sum struct {
	number uint32
	x      float64
	at     int64
}

// pair holds a surge's recent and usual strength at an instant.
type pair struct {
	number      uint32
	short, long float64
	at          int64
}

// person is one member of the buying committee.
type person struct {
	who  uint64
	at   int64 // latest event of positive points
	role string
}

// mark remembers that a once_per window has been counted.
type mark struct {
	signal uint32
	who    uint64 // 0: the account
	end    int64  // of the window
}

// day is the identities of events by the UTC day of their Kafka timestamp.
type day struct {
	number int64
	ids    []uint64 // the oldest first
}

// The bounds of SPEC 3, so that an account stays small.
const (
	maxPeople     = 64
	maxMarks      = 256
	maxIdentities = 256 // a day
	markMemory    = 48 * Hour
	identityDays  = 1 // beside the day itself
)

// Forgotten counts what fell out of an account's bounded memory.
type Forgotten struct {
	Identities, Marks, People int
	// Accounts that were idle for too long: all of one but its profile.
	Accounts int
	// Held are sums that were held back and can never be released now.
	Held int
}

// Profile is the account's profile and its time, or nil.
func (a *Account) Profile() (*Profile, int64) { return a.profile, a.profileTime }

// Known reports whether the account has a profile or a counted event.
func (a *Account) Known() bool { return a.profile != nil || len(a.sums) > 0 }

// Empty reports whether nothing is worth keeping of the account.
func (a *Account) Empty() bool {
	return !a.Begun && a.Seq == 0 && a.into == "" && len(a.taken) == 0
}

// SetProfile restores a stored profile. Model.Open must follow.
func (a *Account) SetProfile(p *Profile, at int64) { a.profile, a.profileTime = p, at }

// Open prepares a restored or new account for use under this model.
func (m *Model) Open(a *Account) {
	a.quiet.stir()
	if a.profile == nil {
		a.standing = m.stranger
		return
	}
	a.standing = m.stand(a.profile)
}

// Tier is the name of the account's tier.
func (m *Model) Tier(a *Account) string { return m.tiers[m.tier(a)].name }

// tier is the index of the account's tier; a tier that the model does not have
// counts as the last.
func (m *Model) tier(a *Account) int {
	if a.tiered {
		if i, ok := m.tierOf[a.tier]; ok {
			return i
		}
	}
	return m.last()
}

// leftAt is the latest instant at which the account left tier i downward.
func (m *Model) leftAt(a *Account, i int) int64 {
	for _, l := range a.left {
		if l.tier == m.tiers[i].number {
			return l.at
		}
	}
	return never
}

func (m *Model) setLeft(a *Account, i int, at int64) {
	for k := range a.left {
		if a.left[k].tier == m.tiers[i].number {
			a.left[k].at = at
			return
		}
	}
	a.left = append(a.left, leave{m.tiers[i].number, at})
}

// add counts multiplier m of an event at time at, which may be late.
func (a *Account) add(number uint32, m float64, at, halfLife int64) {
	for i := range a.sums {
		if s := &a.sums[i]; s.number == number {
			if at >= s.at {
				s.x = float64(s.x*decay(at-s.at, halfLife)) + m
				s.at = at
			} else {
				s.x += float64(m * decay(s.at-at, halfLife))
			}
			return
		}
	}
	a.sums = append(a.sums, sum{number, m, at})
}

// surge counts the bare strength of an event at time at, which may be late.
func (a *Account) surge(s *surge, strength float64, at int64) {
	for i := range a.surges {
		p := &a.surges[i]
		if p.number != s.number {
			continue
		}
		if at >= p.at {
			p.short = float64(p.short*decay(at-p.at, s.short)) + strength
			p.long = float64(p.long*decay(at-p.at, s.long)) + strength
			p.at = at
		} else {
			p.short += float64(strength * decay(p.at-at, s.short))
			p.long += float64(strength * decay(p.at-at, s.long))
		}
		return
	}
	a.surges = append(a.surges, pair{number: s.number, short: strength, long: strength, at: at})
}

// meet remembers that a person acted, and in which role. Of the people latest
// seen at one instant, who is forgotten first does not depend on who came first.
// lost reports whether a role may have gone by it: then the score may fall sooner.
func (a *Account) meet(who uint64, role string, at int64) (forgotten int, lost bool) {
	for i := range a.people {
		p := &a.people[i]
		if p.who != who {
			continue
		}
		if at > p.at || at == p.at && role > p.role {
			p.at = at
			if p.role != role {
				p.role, lost = role, true
			}
		}
		return 0, lost
	}
	a.people = append(a.people, person{who, at, role})
	if len(a.people) <= maxPeople {
		return 0, false
	}
	oldest := 0
	for i, p := range a.people {
		if o := a.people[oldest]; p.at < o.at || p.at == o.at && p.who < o.who {
			oldest = i
		}
	}
	a.people = slices.Delete(a.people, oldest, oldest+1)
	return 1, true
}

// first reports whether nothing was counted yet in the once_per window of time
// for this signal and person, and remembers that something is now.
func (a *Account) first(signal uint32, who uint64, time, per int64) (ok bool, forgotten int) {
	end := (floorDiv(time, per) + 1) * per
	for _, m := range a.once {
		if m.signal == signal && m.who == who && m.end == end {
			return false, 0
		}
	}
	if end+markMemory <= a.Clock {
		return true, 0
	}
	if len(a.once) >= maxMarks {
		a.once = slices.Delete(a.once, 0, 1)
		forgotten = 1
	}
	a.once = append(a.once, mark{signal, who, end})
	return true, forgotten
}

// expireMarks drops the once_per windows that ended too long ago.
func (a *Account) expireMarks() {
	a.once = slices.DeleteFunc(a.once, func(m mark) bool { return m.end+markMemory <= a.Clock })
}

// seen reports whether the identity arrived before, within memory, and
// remembers it under the UTC day of its arrival.
func (a *Account) seen(identity uint64, arrived int64) (dup bool, forgotten int) {
	today := floorDiv(arrived, Day)
	newest := today
	for i := range a.days {
		newest = max(newest, a.days[i].number)
	}
	today = max(today, newest-identityDays)
	for i := range a.days {
		if d := &a.days[i]; d.number >= newest-identityDays && contains(d.ids, identity) {
			return true, 0
		}
	}
	a.expireDays(newest - identityDays)
	i := slices.IndexFunc(a.days, func(d day) bool { return d.number == today })
	if i < 0 {
		i = a.openDay(today)
	}
	if d := &a.days[i]; len(d.ids) >= maxIdentities {
		d.ids = slices.Delete(d.ids, 0, 1)
		forgotten = 1
	}
	a.days[i].ids = append(a.days[i].ids, identity)
	return false, forgotten
}

// contains is slices.Contains, eight at a time: of busy accounts it is most of the work.
func contains(ids []uint64, id uint64) bool {
	for ; len(ids) >= 8; ids = ids[8:] {
		x := (*[8]uint64)(ids)
		if x[0] == id || x[1] == id || x[2] == id || x[3] == id || x[4] == id || x[5] == id || x[6] == id || x[7] == id {
			return true
		}
	}
	return slices.Contains(ids, id)
}

// expireDays drops the days before one, and keeps their memory behind the others.
func (a *Account) expireDays(first int64) {
	kept := 0
	for i := range a.days {
		if a.days[i].number >= first {
			a.days[kept], a.days[i] = a.days[i], a.days[kept]
			kept++
		}
	}
	a.days = a.days[:kept]
}

// openDay adds a day without identities, in memory of one that was dropped if there is some.
func (a *Account) openDay(number int64) int {
	i := len(a.days)
	if i == cap(a.days) {
		a.days = append(a.days, day{number: number})
		return i
	}
	a.days = a.days[:i+1]
	a.days[i].number, a.days[i].ids = number, a.days[i].ids[:0]
	return i
}

// forget drops a person from the committee and from the once_per memory.
func (a *Account) forget(who uint64) {
	a.people = slices.DeleteFunc(a.people, func(p person) bool { return p.who == who })
	a.once = slices.DeleteFunc(a.once, func(m mark) bool { return m.who == who })
	a.held = slices.DeleteFunc(a.held, func(h held) bool { return h.who == who })
	a.acquit(who)
}

// wipe erases everything but the seq of the latest tier change, and which estates the
// account took: one that comes again must not bring back what was erased.
func (a *Account) wipe() { *a = Account{Seq: a.Seq, taken: a.taken} }

func floorDiv(x, y int64) int64 {
	q := x / y
	if x%y != 0 && (x < 0) != (y < 0) {
		q--
	}
	return q
}
