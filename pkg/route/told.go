package route

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// ParseEvent reads a step back as it was published, and the source that it names. Of
// the MQA it has what the event tells: no timers, attributes or turns.
func ParseEvent(value []byte) (e *Event, source string, err error) {
	var c cloudEvent
	if err := json.Unmarshal(value, &c); err != nil {
		return nil, "", fmt.Errorf("step of an MQA: %w", err)
	}
	d := &c.Data
	if d.Account == "" || d.Seq == 0 || d.N == 0 || !strings.HasPrefix(c.Type, EventType) {
		return nil, "", fmt.Errorf("step of an MQA: type %q, account %q, seq %d, n %d: each is required", c.Type, d.Account, d.Seq, d.N)
	}
	var faults []error
	instant := func(text string) int64 {
		if text == "" {
			return 0
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			faults = append(faults, err)
		}
		return t.UnixMilli()
	}
	e = &Event{
		Step: d.Step, At: instant(c.Time), Place: d.Position, From: d.PreviousOwner, By: d.By, Reason: d.Reason,
		MQA: MQA{
			Account: d.Account, Seq: d.Seq, Last: d.Seq, N: d.N, State: d.State, Owner: d.Owner, Team: d.Team, Rule: d.Rule, Queued: d.Position > 0,
			Tier: d.Tier, Score: d.Score, Crossed: instant(d.CrossedAt), OpenedAt: instant(d.OpenedAt), Acked: instant(d.AckedAt),
			Deadline: instant(d.Deadline), Breached: d.Breached, Signal: d.Signal, Model: d.Model,
		},
	}
	if len(faults) > 0 {
		return nil, "", fmt.Errorf("step %s of an MQA: %w", e.ID(), faults[0])
	}
	return e, c.Source, nil
}

// Behind reports whether an event comes later in its account's history than another.
func (e *Event) Behind(other *Event) bool {
	if e.MQA.Seq != other.MQA.Seq {
		return e.MQA.Seq > other.MQA.Seq
	}
	return e.MQA.N > other.MQA.N
}
