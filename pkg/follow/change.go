package follow

import (
	"encoding/json"
	"fmt"
	"time"
)

// ChangeType is the CloudEvents type of a tier change.
const ChangeType = "tidemark.tier.changed"

// Change is a tier change as tier-changes and account-tiers hold it.
type Change struct {
	ID      string    `json:"id"`
	Source  string    `json:"source"`
	Type    string    `json:"type"`
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"` // the crossing's instant
	Data    Data      `json:"data"`
}

// Data says what changed and why.
type Data struct {
	Account   string   `json:"account"`
	Seq       uint64   `json:"seq"`
	From      string   `json:"from"`
	To        string   `json:"to"`
	Direction string   `json:"direction"` // up or down
	MQA       bool     `json:"mqa"`
	Score     float64  `json:"score"`
	Threshold *float64 `json:"threshold"` // nil where a requirement decided
	Cause     Cause    `json:"cause"`
	// DemotesAt is when the account would leave To downward if nothing more happened;
	// nil for never.
	DemotesAt *time.Time      `json:"demotes_at"`
	Receipt   json.RawMessage `json:"receipt"` // the arithmetic behind the score
	Model     Model           `json:"model"`
	// Profile holds the attributes that the model publishes.
	Profile map[string]any `json:"profile"`
}

// Cause is what brought a crossing about. Only an event has more than a kind.
type Cause struct {
	Kind    string   `json:"kind"` // event, decay, profile, model, erasure or rebuild
	ID      string   `json:"id,omitempty"`
	Source  string   `json:"source,omitempty"`
	Type    string   `json:"type,omitempty"`
	Signals []string `json:"signals,omitempty"`
}

// Model is the model under which an account crossed.
type Model struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
}

// ParseChange reads a tier change. Another type of event is an error.
func ParseChange(value []byte) (*Change, error) {
	var c Change
	if err := json.Unmarshal(value, &c); err != nil {
		return nil, fmt.Errorf("tier change: %w", err)
	}
	if c.Type != ChangeType {
		return nil, fmt.Errorf("tier change: the type is %q, not %s", c.Type, ChangeType)
	}
	return &c, nil
}
