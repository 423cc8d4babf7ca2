// Package backtest says what a model would have made of a history: how many accounts it
// would have in which tier, how many MQAs a week, and, where the history knows what became
// of accounts (outcome events), how much a tier foretold.
//
// It scores nothing: pkg/offline does, and a Tape listens. What precision, recall and lift
// mean is said on their fields; an outcome counts for a tier only if the account entered the
// tier before it. The API is internal to Tidemark and may change.
package backtest

import (
	"strings"
	"sync"

	"tidemark/scoring"
)

// Tape takes down what a run of pkg/offline brings about. It is the run's encoder; its
// lines are empty.
type Tape struct {
	mu       sync.Mutex // guards what follows: accounts are scored at once
	moves    map[string][]move
	outcomes map[string][]outcome
}

type move struct {
	at  int64 // Unix milliseconds
	to  string
	mqa bool
}

type outcome struct {
	at   int64
	good bool
}

// NewTape makes a Tape.
func NewTape() *Tape {
	return &Tape{moves: map[string][]move{}, outcomes: map[string][]outcome{}}
}

// Change implements offline.Encoder.
func (t *Tape) Change(account string, c *scoring.Crossing) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.moves[account] = append(t.moves[account], move{c.At, c.To, c.MQA})
	return nil, nil
}

// The outcomes that a model should foretell; outcome.lost is none.
const opportunity, won = "outcome.opportunity", "outcome.won"

// Outcome takes an outcome down, and nothing of the event's memory.
func (t *Tape) Outcome(e *scoring.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	account := strings.Clone(e.Account)
	t.outcomes[account] = append(t.outcomes[account], outcome{e.Time, e.Type == opportunity || e.Type == won})
}
