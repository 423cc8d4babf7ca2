package scoring

// CauseKind says what brought a crossing about.
type CauseKind string

// The causes of a crossing, as published.
const (
	CauseEvent   CauseKind = "event"
	CauseDecay   CauseKind = "decay"
	CauseProfile CauseKind = "profile"
	CauseModel   CauseKind = "model"
	CauseErasure CauseKind = "erasure"
	// CauseRebuild corrects what subscribers believe, after the state was built
	// anew from the log.
	CauseRebuild CauseKind = "rebuild"
	// CauseMerge: an account went into another; for the crossings of both.
	CauseMerge CauseKind = "merge"
)

// Cause is what brought a crossing about. ID, Source and Type are set for an event
// and for a merge, Signals for an event only.
type Cause struct {
	Kind    CauseKind `json:"kind"`
	ID      string    `json:"id,omitempty"`
	Source  string    `json:"source,omitempty"`
	Type    string    `json:"type,omitempty"`
	Signals []string  `json:"signals,omitzero"`
}

// Crossing is a change of tier at an instant, with the arithmetic behind it.
type Crossing struct {
	Seq  uint64
	At   int64 // Unix milliseconds
	From string
	To   string
	Up   bool
	// MQA is true when To is an mqa tier and From is not.
	MQA   bool
	Score float64
	// Threshold is the figure that decided: min of To on the way up, min −
	// hysteresis of From on the way down, nil where a `requires` decided.
	Threshold *float64
	Cause     Cause
	// DemotesAt is when the account would leave To downward if nothing more
	// happened: Unix milliseconds, nil for never.
	DemotesAt *int64
	Receipt   Receipt
	// Profile is the profile at the crossing, or nil.
	Profile *Profile
	// Model is the model that decided.
	Model *Model
}

// move carries out a verdict at the reading's instant: the crossing is stamped,
// numbered and reported, but for DemotesAt, which Model.Apply and Model.Advance
// fill in last.
func (m *Model) move(a *Account, r *reading, v verdict, cause Cause, f *folio) Crossing {
	c := m.tier(a)
	from, to := &m.tiers[c], &m.tiers[v.to]
	name := m.tierName(a)
	x := Crossing{
		Seq: a.Seq + 1, At: r.at, From: name, To: to.name, Up: v.to < c, MQA: to.mqa && !from.mqa,
		Score: r.score, Cause: cause, Receipt: m.receipt(a, r, f), Profile: a.profile, Model: m,
	}
	if v.byScore {
		f.threshold = to.min
		if !x.Up {
			f.threshold = from.min - from.hysteresis
		}
		x.Threshold = &f.threshold
	}
	m.shift(a, v.to, r.at)
	return x
}

// shift puts the account into a tier at an instant and numbers the change.
func (m *Model) shift(a *Account, to int, at int64) {
	for i := m.tier(a); i < to; i++ {
		m.setLeft(a, i, at)
	}
	a.Seq, a.Clock, a.Begun = a.Seq+1, at, true
	a.tier, a.tiered, a.entered = m.tiers[to].number, true, at
	a.quiet.stir()
}

// Resume puts an account whose state was set back where its published history
// stands: its latest tier change had this seq and took it to this tier at instant
// at. What was published stands, so that no seq ever has two meanings. It reports
// whether the account was behind.
func (m *Model) Resume(a *Account, seq uint64, to string, at int64) bool {
	if seq <= a.Seq {
		return false
	}
	a.Seq = seq
	a.quiet.stir()
	if a.into != "" {
		return true
	}
	number, ok := m.names.numbers[tierName(to)]
	if !ok {
		return true
	}
	if i, known := m.tierOf[number]; known {
		for k := m.tier(a); k < i; k++ {
			m.setLeft(a, k, at)
		}
	}
	a.Clock = max(a.Clock, at)
	if !a.Begun {
		a.Clock = at
	}
	a.Begun, a.tier, a.tiered, a.entered = true, number, true, at
	return true
}

// tierName is the name of the account's tier, even where this model has it no more.
func (m *Model) tierName(a *Account) string {
	if a.tiered {
		if name, ok := m.names.lookup(a.tier); ok {
			return name[len(tierName("")):]
		}
	}
	return m.tiers[m.last()].name
}
