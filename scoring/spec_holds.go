package scoring

// HoldsSpec says which events look like a machine's. They are held back until their
// person shows to be human.
type HoldsSpec struct {
	ReleasedBy ReleaseSpec
	Rules      []HoldRuleSpec // in declared order
}

// HoldRuleSpec holds back what an event would count for some signals: either of the
// events of which When holds, or of those of a Burst.
type HoldRuleSpec struct {
	Name    string
	Signals []string
	When    string // an expression over the event; "": a burst
	Burst   *BurstSpec
}

// BurstSpec is at least Of events of one person, none more than Within after the first.
type BurstSpec struct {
	Of     int
	Within int64 // milliseconds
}

// ReleaseSpec is what a human does: an event that matches one of the signals, or of
// which When holds. The zero value: nothing, so what is held stays so.
type ReleaseSpec struct {
	Signals []string
	When    string // an expression over the event
}
