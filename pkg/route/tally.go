package route

import (
	"fmt"
	"slices"
	"strings"
)

// Tally counts what became of MQAs, by model version and leading signal.
type Tally map[string]map[string]*Outcome

// Outcome is what became of the MQAs that one signal led under one model.
type Outcome struct {
	Opened   int            `json:"opened"`
	Accepted int            `json:"accepted"`
	Rejected int            `json:"rejected"`
	Reasons  map[string]int `json:"reasons,omitempty"`
}

// noSignal stands for MQAs that no signal led: fit or committee alone.
const noSignal = "(none)"

func (t Tally) of(m *MQA) *Outcome {
	model, signal := fmt.Sprintf("%s v%d", m.Model.Name, m.Model.Version), m.Signal
	if signal == "" {
		signal = noSignal
	}
	if t[model] == nil {
		t[model] = map[string]*Outcome{}
	}
	if t[model][signal] == nil {
		t[model][signal] = &Outcome{}
	}
	return t[model][signal]
}

func (o *Outcome) decided(m *MQA) { o.count(m, 1) }

// count adds n decided MQAs such as this one.
func (o *Outcome) count(m *MQA, n int) {
	if m.State == Accepted {
		o.Accepted += n
		return
	}
	o.Rejected += n
	if o.Reasons == nil {
		o.Reasons = map[string]int{}
	}
	o.Reasons[m.Reason] += n
}

// Precision is an Outcome with its names.
type Precision struct {
	Model, Signal string
	Outcome
}

// RejectedShare is the part of the decided MQAs that was rejected; 0 where none was
// decided.
func (p Precision) RejectedShare() float64 {
	if p.Accepted+p.Rejected == 0 {
		return 0
	}
	return float64(p.Rejected) / float64(p.Accepted+p.Rejected)
}

// Precisions lists the tally by model, those with the most rejections first.
func (t Tally) Precisions() []Precision {
	var out []Precision
	for model, signals := range t {
		for signal, o := range signals {
			out = append(out, Precision{model, signal, *o})
		}
	}
	slices.SortFunc(out, func(a, b Precision) int {
		if c := strings.Compare(a.Model, b.Model); c != 0 {
			return c
		}
		if c := b.Rejected - a.Rejected; c != 0 {
			return c
		}
		return strings.Compare(a.Signal, b.Signal)
	})
	return out
}
