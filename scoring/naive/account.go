package naive

import (
	"math"
	"slices"

	"tidemark/scoring"
)

const longAgo = math.MinInt64 / 4

// Account is one account with its whole history.
type Account struct {
	Seq   uint64
	Clock int64
	Begun bool

	m       *Model
	tier    int
	entered int64
	left    []int64 // by tier
	history []*counted
	people  map[string]member
	seen    map[string]int64 // (source, id) → UTC day of the Kafka timestamp
	today   int64            // latest of those days
	once    map[window]bool

	profile     *scoring.Profile
	profileTime int64
}

// counted is an event that some signal matches.
type counted struct {
	at       int64
	strength float64
	who      string
	counts   []bool    // by signal
	m        []float64 // multiplier, by signal

	role     string
	matched  []bool // by signal
	machine  []bool // by signal: a rule of holds applies, so it makes nobody active
	held     []bool // by signal: waits for a release
	released []bool // by signal: was held, and counts
	apart    bool   // in no later burst
}

type member struct {
	at   int64
	role string
}

type window struct {
	signal int
	who    string
	number int64
}

// Crossing is a change of tier as SPEC 5 describes it, but for the receipt.
type Crossing struct {
	Seq       uint64
	At        int64
	From, To  string
	Score     float64
	Threshold *float64
	Cause     scoring.CauseKind
	EventID   string
	DemotesAt *int64
}

// Account is a new account in the last tier.
func (m *Model) Account() *Account {
	a := &Account{m: m}
	a.forget()
	return a
}

func (a *Account) forget() {
	m, seq := a.m, a.Seq
	*a = Account{m: m, Seq: seq, tier: len(m.spec.Tiers) - 1, entered: longAgo}
	a.left = slices.Repeat([]int64{longAgo}, len(m.spec.Tiers))
	a.people, a.seen, a.once = map[string]member{}, map[string]int64{}, map[window]bool{}
}

// Tier is the name of the account's tier.
func (a *Account) Tier() string { return a.m.spec.Tiers[a.tier].Name }

// Known reports whether the account has a profile or a counted event.
func (a *Account) Known() bool { return a.profile != nil || len(a.history) > 0 }

// Apply does one input in the order of arrival.
func (a *Account) Apply(e *scoring.Event, watermark int64) []Crossing {
	out := a.Advance(watermark)
	switch e.Kind {
	case scoring.KindEvent:
		signals := a.matching(e)
		if len(signals) == 0 || a.duplicate(e) {
			return out
		}
		out = append(out, a.reach(e.Time)...)
		a.count(e, signals)
		return append(out, a.evaluate(scoring.CauseEvent, e.ID)...)
	case scoring.KindProfile:
		if a.profile != nil && e.Time < a.profileTime || a.duplicate(e) {
			return out
		}
		out = append(out, a.reach(e.Time)...)
		a.profile, a.profileTime = e.Profile, e.Time
		return append(out, a.evaluate(scoring.CauseProfile, "")...)
	case scoring.KindErasure:
		if a.duplicate(e) {
			return out
		}
		out = append(out, a.reach(e.Time)...)
		for _, who := range e.Erased() {
			a.forgetPerson(who)
		}
		return append(out, a.evaluate(scoring.CauseErasure, "")...)
	case scoring.KindTombstone:
		out = append(out, a.reach(e.Time)...)
		if last := len(a.m.spec.Tiers) - 1; a.tier != last {
			out = append(out, a.move(last, a.Clock, nil, scoring.CauseErasure, ""))
		}
		a.forget()
	}
	return out
}

// Advance does every crossing that time alone brings about until t.
func (a *Account) Advance(t int64) (out []Crossing) {
	for a.Begun {
		at, ok := a.next(t)
		if !ok {
			break
		}
		base := a.Read(a.Clock)
		to, threshold := a.verdict(at, a.Read(at), &base)
		out = append(out, a.move(to, at, threshold, scoring.CauseDecay, ""))
	}
	return out
}

// Adopt puts the account under another model at instant t. The two must agree in
// what signals match and in every half-life.
func (a *Account) Adopt(m *Model, t int64) []Crossing {
	if !a.Begun {
		a.m = m
		a.forget()
		return nil
	}
	out := a.reach(t)
	from, old := a.Tier(), a.m.spec.Tiers
	named := func(name string) int {
		return slices.IndexFunc(m.spec.Tiers, func(t scoring.TierSpec) bool { return t.Name == name })
	}
	left := slices.Repeat([]int64{longAgo}, len(m.spec.Tiers))
	for i, at := range a.left {
		if to := named(old[i].Name); to >= 0 {
			left[to] = at
		}
	}
	a.m, a.left, a.tier = m, left, len(m.spec.Tiers)-1
	for _, c := range a.history {
		c.apart = true
	}
	kept := named(from)
	switch {
	case kept >= 0 && a.entered != longAgo:
		a.tier = kept
	case a.entered != longAgo: // its tier is no more: it must be seen to leave
		to, threshold := a.verdict(a.Clock, a.Read(a.Clock), nil)
		x := a.move(to, a.Clock, threshold, scoring.CauseModel, "")
		x.From = from
		return append(out, x)
	}
	return append(out, a.evaluate(scoring.CauseModel, "")...)
}

// reach: if t > T, first every crossing due before or at t, then T = t.
func (a *Account) reach(t int64) []Crossing {
	if !a.Begun {
		a.Begun, a.Clock = true, t
		return nil
	}
	out := a.Advance(t)
	a.Clock = max(a.Clock, t)
	return out
}

func (a *Account) evaluate(cause scoring.CauseKind, id string) []Crossing {
	to, threshold := a.verdict(a.Clock, a.Read(a.Clock), nil)
	if to == a.tier {
		return nil
	}
	return []Crossing{a.move(to, a.Clock, threshold, cause, id)}
}

func (a *Account) move(to int, at int64, threshold *float64, cause scoring.CauseKind, id string) Crossing {
	tiers := a.m.spec.Tiers
	a.Seq++
	x := Crossing{
		Seq: a.Seq, At: at, From: tiers[a.tier].Name, To: tiers[to].Name,
		Score: a.Read(at).Score, Threshold: threshold, Cause: cause, EventID: id,
	}
	for i := range tiers {
		if a.tier <= i && i < to {
			a.left[i] = at
		}
	}
	a.tier, a.entered, a.Clock = to, at, at
	x.DemotesAt = a.demotion()
	return x
}

// demotion is when the account would be below its tier if nothing more happened.
func (a *Account) demotion() *int64 {
	b := *a
	b.left = slices.Clone(a.left)
	horizon := b.Clock + b.horizon()
	for {
		at, ok := b.next(horizon)
		if !ok {
			return nil
		}
		base := b.Read(b.Clock)
		to, _ := b.verdict(at, b.Read(at), &base)
		if to > a.tier {
			return &at
		}
		for i := b.tier; i < to; i++ {
			b.left[i] = at
		}
		b.tier, b.entered, b.Clock = to, at, at
	}
}

func (a *Account) matching(e *scoring.Event) (signals []int) {
	for s := range a.m.spec.Signals {
		if a.m.matches(s, e) {
			signals = append(signals, s)
		}
	}
	return signals
}

// duplicate: remembered for the UTC day of the Kafka timestamp and the day after.
func (a *Account) duplicate(e *scoring.Event) bool {
	key, today := e.Source+"\x00"+e.ID, e.Arrived/day
	a.today = max(a.today, today)
	if arrived, ok := a.seen[key]; ok && a.today <= arrived+1 {
		return true
	}
	a.seen[key] = today
	return false
}

func (a *Account) count(e *scoring.Event, signals []int) {
	n := len(a.m.spec.Signals)
	c := &counted{at: e.Time, strength: e.Strength, who: identity(e.Contact)}
	c.counts, c.m, c.matched, c.machine = make([]bool, n), make([]float64, n), make([]bool, n), make([]bool, n)
	c.held, c.released = make([]bool, n), make([]bool, n)
	if e.Contact != nil {
		c.role = label(e.Contact.Role, e.Contact.Title, a.m.roles)
	}
	for _, s := range signals {
		c.matched[s], c.m[s] = true, a.m.multiplier(s, e)
	}
	a.history = append(a.history, c)
	if a.m.spec.Holds != nil {
		a.judge(e, c)
	}
	positive := false
	for _, s := range signals {
		if c.machine[s] {
			continue
		}
		spec := a.m.spec.Signals[s]
		positive = positive || spec.Points > 0
		if spec.OncePer > 0 {
			if !a.opens(s, c) {
				continue
			}
			a.once[a.window(s, c)] = true
			a.dropHeld(s, c)
		}
		c.counts[s] = true
	}
	if positive && c.who != "" {
		a.meet(c.who, e.Time, c.role)
	}
}

func (a *Account) window(s int, c *counted) window {
	return window{s, c.who, c.at / a.m.spec.Signals[s].OncePer}
}

// remembers reports whether a once_per window is not 48 h past its end.
func (a *Account) remembers(w window) bool {
	return a.Clock < (w.number+1)*a.m.spec.Signals[w.signal].OncePer+48*hour
}

// opens reports whether nothing has counted in the once_per window of the event.
func (a *Account) opens(s int, c *counted) bool {
	w := a.window(s, c)
	return !a.once[w] || !a.remembers(w)
}

// meet keeps a person's latest event, and the 64 latest people.
func (a *Account) meet(who string, at int64, role string) {
	p, known := a.people[who]
	if !known || at > p.at || at == p.at && role > p.role {
		a.people[who] = member{at, role}
	}
	if len(a.people) <= 64 {
		return
	}
	oldest := who
	for x, p := range a.people {
		if p.at < a.people[oldest].at {
			oldest = x
		}
	}
	delete(a.people, oldest)
}

func (a *Account) forgetPerson(who string) {
	delete(a.people, who)
	for _, c := range a.history {
		if c.who == who && who != "" {
			c.who, c.held = "\x00erased", make([]bool, len(c.held))
		}
	}
	for w := range a.once {
		if w.who == who {
			delete(a.once, w)
		}
	}
}
