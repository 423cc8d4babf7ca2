package route

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// StepName is a step of an MQA's life, as its event tells it.
type StepName string

// The steps.
const (
	StepOpened       StepName = "opened"
	StepAcknowledged StepName = "acknowledged"
	StepAccepted     StepName = "accepted"
	StepRejected     StepName = "rejected"
	StepReassigned   StepName = "reassigned"
	StepReminded     StepName = "reminded"
	StepBreached     StepName = "breached"
	StepClosed       StepName = "closed"
)

// StepNames are all steps, in the order of a life.
func StepNames() []StepName {
	return []StepName{
		StepOpened, StepReminded, StepReassigned, StepAcknowledged, StepAccepted, StepRejected, StepBreached, StepClosed,
	}
}

// Reasons of reassignments that nobody asked for.
const (
	reasonQueue    = "queue"
	reasonLate     = "unacknowledged"
	reasonBreached = "breached"
	reasonPlan     = "new plan"
)

// Event is one step of an MQA's life, with the MQA as it stood behind it.
type Event struct {
	Step   StepName
	At     int64
	MQA    MQA // a copy
	Place  int // in the queue; 0: it does not wait
	From   string
	By     string
	Reason string
}

// ID is what no other event has: <account>/<tier seq>/<n>.
func (e *Event) ID() string { return fmt.Sprintf("%s/%d/%d", e.MQA.Account, e.MQA.Seq, e.MQA.N) }

// emit notes a step of an MQA's life. What the caller filled in of the event stays.
func (t *turn) emit(m *MQA, step StepName, e Event) {
	m.N++
	e.Step, e.At, e.MQA, e.Place = step, t.now, *m, t.desk.Position(m)
	t.events = append(t.events, e)
	t.touch(m)
}

// EventType begins the CloudEvents type of every step: tidemark.mqa.opened.
const EventType = "tidemark.mqa."

// cloudEvent is an event as it is published.
type cloudEvent struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"`
	Source      string    `json:"source"`
	Type        string    `json:"type"`
	Subject     string    `json:"subject"`
	Time        string    `json:"time"`
	ContentType string    `json:"datacontenttype"`
	Data        eventData `json:"data"`
}

type eventData struct {
	Account       string   `json:"account"`
	Seq           uint64   `json:"seq"`
	N             int      `json:"n"`
	Step          StepName `json:"step"`
	State         State    `json:"state"`
	Owner         string   `json:"owner"`
	PreviousOwner string   `json:"previous_owner,omitempty"`
	Team          string   `json:"team,omitempty"`
	Rule          string   `json:"rule,omitempty"`
	Position      int      `json:"queue_position,omitempty"`
	Deadline      string   `json:"deadline"`
	Breached      bool     `json:"breached"`
	OpenedAt      string   `json:"opened_at"`
	CrossedAt     string   `json:"crossed_at"`
	AckedAt       string   `json:"acknowledged_at,omitempty"`
	Tier          string   `json:"tier"`
	Score         float64  `json:"score"`
	Signal        string   `json:"signal,omitempty"`
	Model         ModelRef `json:"model"`
	By            string   `json:"by,omitempty"`
	Reason        string   `json:"reason,omitempty"`
}

// Encode writes the event as a CloudEvent of the namespace. The same event always
// gives the same bytes.
func (e *Event) Encode(namespace string) ([]byte, error) {
	m := &e.MQA
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(cloudEvent{
		SpecVersion: "1.0", ID: e.ID(), Source: "tidemark/" + namespace, Type: EventType + string(e.Step), Subject: m.Account,
		Time: FormatTime(e.At), ContentType: "application/json",
		Data: eventData{
			Account: m.Account, Seq: m.Seq, N: m.N, Step: e.Step, State: m.State, Owner: m.Owner, PreviousOwner: e.From, Team: m.Team,
			Rule: m.Rule, Position: e.Place, Deadline: FormatTime(m.Deadline), Breached: m.Breached, OpenedAt: FormatTime(m.OpenedAt),
			CrossedAt: FormatTime(m.Crossed), AckedAt: FormatTime(m.Acked), Tier: m.Tier, Score: m.Score, Signal: m.Signal, Model: m.Model,
			By: e.By, Reason: e.Reason,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", e.ID(), err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// FormatTime writes Unix milliseconds as Tidemark publishes instants; 0 is nothing.
func FormatTime(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
