package route

// Spec is a routing file as a person wrote it. Durations are milliseconds.
type Spec struct {
	Fallback  string // owns what no rule places, and what waits in a queue without a lead
	Clock     ClockSpec
	Teams     []TeamSpec
	Reps      []RepSpec
	Rules     []RuleSpec
	Rejection RejectionSpec
}

// ClockSpec is the promise and what happens on the way to it.
type ClockSpec struct {
	Deadline int64
	Working  bool    // the deadline counts the team's working hours only
	Decided  bool    // the promise is a decision; else that somebody acknowledges
	Remind   []int64 // before the deadline, by the same clock
	Reassign ReassignSpec
	AtBreach string // keep, reassign or fallback
}

// ReassignSpec says when an MQA that nobody acknowledges goes to another rep.
type ReassignSpec struct {
	After int64 // since it was given, by the deadline's clock; 0: never
	Times int   // at most so often
}

// TeamSpec is a team: where and when it works.
type TeamSpec struct {
	ID       string
	TimeZone string
	Hours    []HoursSpec // none: always
	Holidays []string
	Lead     string // owns what waits in the team's queue; empty: the fallback
}

// HoursSpec are the working hours of some days of the week.
type HoursSpec struct {
	Days  string // mon, or mon-fri
	Hours string // 09:00-12:00, 13:00-17:30
}

// RepSpec is a person who takes MQAs.
type RepSpec struct {
	ID       string
	Teams    []string // the first is home: its zone and hours are the rep's
	KnownAs  []string // how owner attributes name the rep, beside the id
	Weight   int
	Cap      int // a local day; 0: none
	Absences []AbsenceSpec
}

// AbsenceSpec are days, both included, in the rep's own zone.
type AbsenceSpec struct{ From, To string }

// RuleSpec places MQAs. Exactly one of Owner, Team and Rep is set.
type RuleSpec struct {
	Name  string
	When  string // an expression; empty: always
	Owner string // the attribute that names a rep
	Team  string
	Rep   string
}

// RejectionSpec says what rejections teach.
type RejectionSpec struct {
	Reasons []ReasonSpec
}

// ReasonSpec is a reason for which an MQA may be rejected.
type ReasonSpec struct {
	Name   string
	Snooze int64   // no new MQA of the account for so long; 0: none
	Points float64 // unless its score has risen by so much; 0: however much
}

// defaults are what holds where a file says nothing.
func defaults() Spec {
	const day = 24 * 60 * 60 * 1000
	return Spec{
		Clock: ClockSpec{Deadline: day, AtBreach: breachKeep},
		Rejection: RejectionSpec{Reasons: []ReasonSpec{
			{Name: "not-now", Snooze: 30 * day},
			{Name: "wrong-fit", Snooze: 90 * day},
			{Name: "bad-data", Snooze: 7 * day},
			{Name: "duplicate", Snooze: 7 * day},
			{Name: "other", Snooze: 14 * day},
		}},
	}
}

// What may happen to an MQA whose deadline has passed.
const (
	breachKeep     = "keep"
	breachReassign = "reassign"
	breachFallback = "fallback"
)
