package bench

import (
	"fmt"
	"slices"
)

// Aim is what a figure should be, and whether it is.
type Aim struct {
	// What is the aim in words.
	What string `json:"what"`
	// Section and Figure name the figure that is judged.
	Section string `json:"section"`
	Figure  string `json:"figure"`
	// Relation is how Value must stand to Aim: ≥, ≤, < or =.
	Relation string  `json:"relation"`
	Aim      float64 `json:"aim"`
	Unit     string  `json:"unit"`
	// Value is the figure's median; nil where it was not measured.
	Value   *float64 `json:"value"`
	Verdict Verdict  `json:"verdict"`
	// Smaller is true where the run was smaller than the one that the aim is stated for.
	Smaller bool `json:"smaller,omitempty"`
}

// Verdict is what became of an aim.
type Verdict string

// The verdicts.
const (
	Met         Verdict = "met"
	Missed      Verdict = "missed"
	NotMeasured Verdict = "not measured"
)

// The sizes that the aims are stated for.
const (
	aimEvents, aimAccounts     = 2_000_000, 200_000
	aimRate, aimDue, aimQuiet  = 10_000, 100_000, 1_000_000
	aimCrossing                = 1_000
	aimGrowthLeast, aimGrowth  = 10_000, 5_000_000
	aimResident                = 300e6 / (1 << 20) // MiB
	aimIdle, aimSame, aimGrown = 0.01, 1.25, 0.75
)

// aims are those of a run with these options, in the order of the sections.
func aims(o *Options) []Aim {
	w := o.Workload
	few := w.Events < aimEvents || w.Accounts < aimAccounts
	rate := o.Rates[0]
	if slices.Contains(o.Rates, aimRate) {
		rate = aimRate
	}
	slow, rested := rate < aimRate, o.Quiet < aimQuiet
	least, most := o.Growth[0], o.Growth[len(o.Growth)-1]
	at := fmt.Sprintf("at %s/s: tier change to read back", number(float64(rate)))
	produced := fmt.Sprintf("produced → tier change read at %s/s", number(float64(rate)))
	const stays = "tier change p99, meanwhile to before"
	resting := number(float64(o.Quiet)) + " accounts at rest: cpu serve and redis"
	return []Aim{
		{What: "catch-up beside the floors", Section: SectionCatchUp, Figure: "ratio to the floor", Relation: "≥", Aim: 0.5, Smaller: few},
		{What: "catch-up beside Flink, heap state", Section: SectionPeers, Figure: "serve to flink", Relation: "≥", Aim: 3, Unit: "×", Smaller: few},
		{What: "catch-up beside Kafka Streams, exactly once", Section: SectionPeers, Figure: "serve to streams-eos", Relation: "≥", Aim: 5.5, Unit: "×", Smaller: few},
		{What: "history as the offline score's", Section: SectionCatchUp, Figure: "differences from the offline history", Relation: "=", Smaller: few},
		{What: "history run after run", Section: SectionCatchUp, Figure: "differences from the first round's history", Relation: "=", Smaller: few || o.Rounds < 2},
		{What: "resident memory of serve", Section: SectionCatchUp, Figure: "rss peak", Relation: "≤", Aim: aimResident, Unit: "MiB", Smaller: few},
		{What: "allocations, fetch to commit", Section: SectionCatchUp, Figure: "allocations", Relation: "<", Aim: 1, Unit: "per event", Smaller: few},
		{What: "offline score", Section: SectionOffline, Figure: "score", Relation: "≥", Aim: 1e6, Unit: "events/s", Smaller: few},
		{What: produced, Section: SectionLatency, Figure: at + ", p50", Relation: "≤", Aim: 1.7, Unit: "×", Smaller: slow},
		{What: produced, Section: SectionLatency, Figure: at + ", p99", Relation: "≤", Aim: 2.5, Unit: "×", Smaller: slow},
		{What: "Redis per account", Section: SectionState, Figure: "redis memory", Relation: "≤", Aim: 250, Unit: "bytes/account", Smaller: w.Accounts < aimAccounts},
		{What: "idle cost of quiet accounts", Section: SectionTime, Figure: resting, Relation: "<", Aim: aimIdle, Unit: "cores", Smaller: rested},
		{What: "cost of time follows the crossings", Section: SectionTime, Figure: tenTimes, Relation: "≤", Aim: aimSame, Unit: "×", Smaller: rested || o.Crossing < aimCrossing},
		{What: "latency during a rescore", Section: SectionRescore, Figure: stays, Relation: "≤", Aim: 3, Unit: "×", Smaller: rested || o.Rate < aimRate},
		{What: "latency during a sweep", Section: SectionSweep, Figure: stays, Relation: "≤", Aim: 3, Unit: "×", Smaller: o.Due < aimDue || o.Rate < aimRate},
		{
			What: "growth of the accounts present", Section: SectionGrowth, Figure: growthName(most, sameEvents) + "to the least",
			Relation: "≥", Aim: aimGrown, Smaller: w.Events < aimEvents || least > aimGrowthLeast || most < aimGrowth,
		},
	}
}

// judge holds the figures against the aims of the sections that ran.
func (r *Report) judge(o *Options) {
	r.Aims = nil
	for _, a := range aims(o) {
		ran := SectionCatchUp // peers run within it
		if a.Section != SectionPeers {
			ran = a.Section
		}
		if len(o.Only) > 0 && !slices.Contains(o.Only, ran) {
			continue
		}
		a.Verdict = NotMeasured
		i := slices.IndexFunc(r.Figures, Figure{Section: a.Section, Name: a.Figure}.same)
		if i >= 0 {
			value := r.Figures[i].Value
			a.Value, a.Verdict = &value, verdict(value, a.Relation, a.Aim)
		}
		r.Aims = append(r.Aims, a)
	}
}

func verdict(value float64, relation string, aim float64) Verdict {
	if map[string]bool{"≥": value >= aim, "≤": value <= aim, "<": value < aim, "=": value == aim}[relation] {
		return Met
	}
	return Missed
}
