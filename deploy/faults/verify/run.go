package verify

import (
	"fmt"
	"strings"
	"time"

	"tidemark/pkg/modelfile"
	"tidemark/scoring"
	"tidemark/scoring/naive"
)

// Record is one Kafka record.
type Record struct {
	Topic     string
	Partition int
	Offset    int64
	Time      time.Time
	Key       []byte
	Value     []byte // nil: a tombstone
	Headers   map[string]string
}

// State is an account as the store holds it, its score read at Run.At.
type State struct {
	Score float64
	Tier  string
	Seq   uint64
}

// Run is what stood in Kafka and Redis when everything was drained. The records of
// each list are in order of partition and offset.
type Run struct {
	Model *modelfile.File
	// Topics are the input topics by rank: of inputs at one instant, those of an
	// earlier topic come first.
	Topics  []string
	Inputs  []Record
	Changes []Record // tier-changes
	Tiers   []Record // account-tiers
	Letters []Record // dead letters
	States  map[string]State
	At      int64 // when States were read, Unix milliseconds

	// InOrder: every partition was in order of event time and one instance at a
	// time read them, so the history must be that of the specification, crossing
	// by crossing. Otherwise it must only be consistent.
	InOrder bool
	// NotLate: every event was in Kafka before its partition's end was reached, so
	// no demotion may be published that evidence in Kafka contradicts.
	NotLate bool
}

// Report is what Check found.
type Report struct {
	Accounts int
	Events   int // usable inputs
	Unusable int // inputs that belong into the dead letters
	Letters  int // dead letters, repeats included
	Changes  int // tier changes, repeats left out
	Repeats  int // tier changes that came again
	Merges   int // accounts that went into others
	Faults   []string

	merged map[string]string // accounts by those that went into them directly
}

// most is how many faults are listed: what is wrong is mostly wrong many times.
const most = 20

func (r *Report) fault(format string, args ...any) {
	if len(r.Faults) < most {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// String is one line.
func (r *Report) String() string {
	return fmt.Sprintf("%d accounts, %d events, %d unusable in %d dead letters, %d tier changes and %d repeats, %d faults",
		r.Accounts, r.Events, r.Unusable, r.Letters, r.Changes, r.Repeats, len(r.Faults))
}

// settling is how long before At a crossing may still be on its way.
const settling = 2000

// Check lists every difference between the run and the specification.
func Check(run Run) (*Report, error) {
	model, err := naive.New(run.Model.Spec, modelfile.Conditions())
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	r := &Report{}
	inputs := run.decode(r)
	histories := run.histories(r)
	run.sameTiers(r, histories)
	r.Accounts = len(inputs)
	for account, events := range inputs {
		c := check{run: &run, report: r, model: model, account: account, events: events, history: histories[account]}
		c.all()
	}
	run.losers(r, histories)
	for account := range histories {
		if _, ok := inputs[account]; !ok && r.merged[account] == "" {
			r.fault("%s: tier changes of an account without input", account)
		}
	}
	return r, nil
}

// check is the work on one account.
type check struct {
	run     *Run
	report  *Report
	model   *naive.Model
	account string
	events  []*scoring.Event
	history []Change
}

func (c *check) all() {
	state, ok := c.run.States[c.account]
	if !ok {
		// What no signal matches changes nothing and need not be stored.
		if len(c.history) > 0 || c.twin(c.run.At).Known() {
			c.report.fault("%s: not stored", c.account)
		}
		return
	}
	tier, seq := c.lastTier(), uint64(0)
	if n := len(c.history); n > 0 {
		tier, seq = c.history[n-1].Data.To, c.history[n-1].Data.Seq
	}
	if state.Tier != tier || state.Seq != seq {
		c.report.fault("%s: stored as %s seq %d, published as %s seq %d", c.account, state.Tier, state.Seq, tier, seq)
	}
	if c.run.InOrder {
		c.exact(state)
	} else {
		c.score(state)
		c.stays()
	}
	if c.run.NotLate {
		c.demotions()
	}
}

func (c *check) lastTier() string { return c.tiers()[len(c.tiers())-1].Name }

func (c *check) tiers() []scoring.TierSpec { return c.run.Model.Spec.Tiers }

// brief is a tier change without its receipt.
func brief(raw []byte) string {
	head, _, _ := strings.Cut(string(raw), `,"receipt"`)
	return head
}
