package desk

import (
	"context"

	"tidemark/pkg/route"
)

// View is an MQA as people see it. Instants are RFC 3339, empty for what has not
// happened.
type View struct {
	Account  string         `json:"account"`
	Seq      uint64         `json:"seq"`
	State    route.State    `json:"state"`
	Owner    string         `json:"owner,omitempty"`
	Team     string         `json:"team,omitempty"`
	Rule     string         `json:"rule,omitempty"`
	Position int            `json:"queue_position,omitempty"`
	Tier     string         `json:"tier"`
	Score    float64        `json:"score"`
	Signal   string         `json:"signal,omitempty"`
	Model    route.ModelRef `json:"model"`
	Crossed  string         `json:"crossed_at"`
	Opened   string         `json:"opened_at,omitempty"`
	Deadline string         `json:"deadline,omitempty"`
	Breached bool           `json:"breached"`
	Acked    string         `json:"acknowledged_at,omitempty"`
	Decided  string         `json:"decided_at,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Snoozed  string         `json:"snoozed_until,omitempty"`
}

func (d *Desk) view(m *route.MQA) *View {
	return &View{
		Account: m.Account, Seq: m.Seq, State: m.State, Owner: m.Owner, Team: m.Team, Rule: m.Rule, Position: d.desk.Position(m),
		Tier: m.Tier, Score: m.Score, Signal: m.Signal, Model: m.Model, Crossed: route.FormatTime(m.Crossed), Opened: route.FormatTime(m.OpenedAt),
		Deadline: route.FormatTime(m.Deadline), Breached: m.Breached, Acked: route.FormatTime(m.Acked), Decided: route.FormatTime(m.Decided),
		Reason: m.Reason, Snoozed: route.FormatTime(m.Until),
	}
}

// Filter says which MQAs a list has. Empty fields take all.
type Filter struct {
	State   route.State
	Owner   string
	Team    string
	Account string
	Queued  bool
	// Breached leaves only those whose promise was not kept.
	Breached bool
}

func (f Filter) takes(m *route.MQA) bool {
	return (f.State == "" || m.State == f.State) && (f.Owner == "" || m.Owner == f.Owner) && (f.Team == "" || m.Team == f.Team) &&
		(f.Account == "" || m.Account == f.Account) && (!f.Queued || m.Queued) && (!f.Breached || m.Breached)
}

// List is the MQAs on the desk that a filter takes, best first.
func (d *Desk) List(ctx context.Context, f Filter) ([]*View, error) {
	out := []*View{}
	err := d.Look(ctx, func(desk *route.Desk) {
		for _, m := range desk.Sorted() {
			if f.takes(m) {
				out = append(out, d.view(m))
			}
		}
	})
	return out, err
}

// Precisions are what became of MQAs, by model version and leading signal.
func (d *Desk) Precisions(ctx context.Context) (out []route.Precision, err error) {
	err = d.Look(ctx, func(desk *route.Desk) { out = desk.Tally.Precisions() })
	return out, err
}
