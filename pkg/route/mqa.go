package route

import "slices"

// State is where an MQA is in its life.
type State string

// The states. All but Held are known to subscribers.
const (
	// Held is not opened: the account is snoozed, and is opened when that ends if it
	// has not left its tier.
	Held State = "held"
	// Opened has an owner who has not said anything yet.
	Opened State = "opened"
	// Acknowledged is seen by somebody.
	Acknowledged State = "acknowledged"
	// Accepted is taken on.
	Accepted State = "accepted"
	// Rejected is refused for a reason.
	Rejected State = "rejected"
)

// MQA is an account that is on the desk, from its entry into an MQA tier until it
// leaves. Instants are Unix milliseconds; 0 is not yet.
type MQA struct {
	Account string `json:"account"`
	Seq     uint64 `json:"seq"`  // of the tier change that opened it
	Last    uint64 `json:"last"` // of the account's latest tier change
	N       int    `json:"n"`    // events told of it
	State   State  `json:"state"`

	Owner  string `json:"owner,omitempty"` // exactly one unless Held
	Team   string `json:"team,omitempty"`
	Rule   string `json:"rule,omitempty"`
	Queued bool   `json:"queued,omitempty"` // it waits in Team's queue; the lead or fallback has it

	Tier       string         `json:"tier"`
	Score      float64        `json:"score"` // at the latest tier change
	Crossed    int64          `json:"crossed"`
	OpenedAt   int64          `json:"opened_at,omitempty"`
	Acked      int64          `json:"acked,omitempty"`   // by acknowledging or deciding
	Decided    int64          `json:"decided,omitempty"` // accepted or rejected
	Reason     string         `json:"reason,omitempty"`
	Deadline   int64          `json:"deadline,omitempty"`
	Breached   bool           `json:"breached,omitempty"`
	Timers     []Timer        `json:"timers,omitempty"` // what is still to come, the earliest first
	Moves      int            `json:"moves,omitempty"`  // reassignments by time
	Had        []string       `json:"had,omitempty"`    // reps who had it and let it lie
	Until      int64          `json:"until,omitempty"`  // the end of the snooze
	Above      float64        `json:"above,omitempty"`  // the score that ends the snooze earlier
	Signal     string         `json:"signal,omitempty"` // that led
	Model      ModelRef       `json:"model"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

// ModelRef names the model of a tier change.
type ModelRef struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// Kind says what a timer does.
type Kind string

// The kinds of timer, in the order in which they fire at one instant.
const (
	Remind   Kind = "remind"
	Breach   Kind = "breach"
	Reassign Kind = "reassign"
	Wake     Kind = "wake" // a held MQA is opened
)

// Timer is something that happens to an MQA at an instant unless it is cancelled.
type Timer struct {
	At   int64 `json:"at"`
	Kind Kind  `json:"kind"`
}

func (m *MQA) arm(at int64, kind Kind) {
	i := slices.IndexFunc(m.Timers, func(t Timer) bool { return t.At > at })
	if i < 0 {
		i = len(m.Timers)
	}
	m.Timers = slices.Insert(m.Timers, i, Timer{at, kind})
}

func (m *MQA) cancel(kinds ...Kind) {
	m.Timers = slices.DeleteFunc(m.Timers, func(t Timer) bool { return slices.Contains(kinds, t.Kind) })
}

// undecided reports whether somebody still has to say something.
func (m *MQA) undecided() bool { return m.State == Opened || m.State == Acknowledged }

// Past is what is remembered of an account that is not on the desk: up to which tier
// change it was read, and its snooze.
type Past struct {
	Last  uint64  `json:"last"`
	At    int64   `json:"at"` // when it left the desk
	Until int64   `json:"until,omitempty"`
	Above float64 `json:"above,omitempty"`
}
