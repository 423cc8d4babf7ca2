package scoring

import "math"

// Spec is a model as a person wrote it. Compile checks it and makes a Model.
// A duration is in milliseconds; 0 means "not given" unless said otherwise.
type Spec struct {
	Name        string
	Version     int
	Reviewed    string // a date, YYYY-MM-DD; only `model check` reads it
	ReviewEvery int64  // milliseconds

	ICP       *ICPSpec // nil: every account is inside
	Fit       FitSpec
	Contacts  ContactsSpec
	Groups    []GroupSpec // in declared order
	Signals   []SignalSpec
	Committee *CommitteeSpec // nil: 0 points, window 30 d
	Surge     []SurgeSpec
	Score     ScoreSpec
	Tiers     []TierSpec // best first; the last has no Min
	Holds     *HoldsSpec // nil: nothing is held back

	PublishAttributes []string
	Identity          IdentitySpec
	Portfolio         *PortfolioSpec // nil: none
}

// IdentitySpec says which account an event is of, beyond what it names.
type IdentitySpec struct {
	// Late: what came under a bare domain goes to the account whose profile declares
	// that domain later.
	Late bool
}

// ICPSpec is the ideal customer profile.
type ICPSpec struct {
	Require       []string // expressions over profile attributes
	Exclude       []string // expressions over profile attributes
	UnknownInside bool     // an unknown requirement leaves the account inside
	OutsideMax    *float64 // the highest score outside the profile; required
}

// FitSpec is what the profile alone earns.
type FitSpec struct {
	Cap   *float64 // nil: no cap
	Rules []FitRuleSpec
}

// FitRuleSpec earns Points while When holds.
type FitRuleSpec struct {
	Name   string
	When   string // an expression over profile attributes
	Points float64
}

// ContactsSpec says how a contact's title is read.
type ContactsSpec struct {
	Seniority   []PatternSpec
	Multipliers map[string]float64 // by seniority label
	Roles       []PatternSpec
}

// PatternSpec gives Is to a lower-cased title that matches Match (RE2).
type PatternSpec struct {
	Match string
	Is    string
}

// GroupSpec bounds the sum of its signals' points.
type GroupSpec struct {
	Name  string
	Cap   *float64 // nil: no cap
	Floor *float64 // nil: 0 if all the group's points are >= 0, else -100
}

// SignalSpec is a kind of event the model gives points for.
type SignalSpec struct {
	Name     string
	Group    string
	Type     string // equal to the event's type, or a prefix ending in *
	Where    string // an expression over the event; "" always holds
	Points   float64
	HalfLife int64 // milliseconds; Never: no decay
	Limit    *float64
	OncePer  int64 // milliseconds; 0: every event counts
	// IgnoreSeniority is `by_seniority: false`: the contact does not multiply.
	IgnoreSeniority bool
}

// Never is the half-life of what does not decay.
const Never = int64(math.MaxInt64)

// CommitteeSpec earns points for distinct roles of active people.
type CommitteeSpec struct {
	Window        int64 // milliseconds; 0: 30 d
	PointsPerRole float64
	Cap           *float64
}

// SurgeSpec earns Points while recent strength stands out from the usual.
type SurgeSpec struct {
	Name   string
	Group  string
	Short  int64 // half-life of the recent sum, milliseconds
	Long   int64 // half-life of the usual sum, milliseconds
	Ratio  float64
	Min    float64
	Points float64
}

// ScoreSpec bounds the score. Nil: 0 and 100.
type ScoreSpec struct {
	Min *float64
	Max *float64
}

// TierSpec is a band of score.
type TierSpec struct {
	Name       string
	Min        *float64 // nil in the last tier only
	MQA        bool
	Hysteresis float64
	MinDwell   int64 // milliseconds
	Cooldown   int64 // milliseconds
	Requires   RequiresSpec
}

// RequiresSpec is what an account must have, beside the score, to be in a tier.
type RequiresSpec struct {
	People int
	Roles  int
	Groups []GroupFigure // in declared order
}

// GroupFigure is a least figure for a group's points.
type GroupFigure struct {
	Group string
	Min   float64
}

// PortfolioSpec places accounts on two axes. Scoring does not use it.
type PortfolioSpec struct {
	Attractiveness []AxisRuleSpec
	Potential      []AxisRuleSpec
	Classes        []ClassSpec // best first
}

// AxisRuleSpec earns Points on an axis while When holds.
type AxisRuleSpec struct {
	When   string // an expression over profile attributes
	Points float64
}

// ClassSpec is a class of the portfolio. Nil or 0: no condition, no bound.
type ClassSpec struct {
	Name           string
	Attractiveness *float64
	Potential      *float64
	Capacity       int
	ClusterBy      string
	ClusterSize    int
}

// Truth is what an expression comes to.
type Truth uint8

// An expression that fails, is no boolean or reads what is missing is Unknown.
const (
	Unknown Truth = iota
	False
	True
)

// Conditions compiles the expressions of a Spec. The loader of model files has
// the one implementation over an expression language.
type Conditions interface {
	// Profile compiles an expression over profile attributes.
	Profile(expr string) (func(attributes map[string]any) Truth, error)
	// Event compiles an expression over type, source, strength, properties, contact.
	Event(expr string) (func(*Event) Truth, error)
}

// Fault is one mistake in a Spec: where and what.
type Fault struct {
	Path string // as in the model file: signals[3].half_life
	Text string // the value, and what is allowed
}

func (f Fault) Error() string { return f.Path + ": " + f.Text }

// Faults are all the mistakes of a Spec, in the order of the file's keys.
type Faults []Fault

func (fs Faults) Error() string {
	s := ""
	for i, f := range fs {
		if i > 0 {
			s += "\n"
		}
		s += f.Error()
	}
	return s
}
