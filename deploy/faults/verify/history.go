package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"tidemark/scoring"
)

// Change is a tier change as published.
type Change struct {
	ID      string
	Subject string
	Time    time.Time
	Data    struct {
		Account   string
		Seq       uint64
		From, To  string
		Direction string
		MQA       bool
		Score     float64
		Threshold *float64
		Cause     struct{ Kind, ID string }
		Receipt   receipt
	}
	raw []byte
}

// receipt is as much of a receipt as adds up.
type receipt struct {
	Score  float64
	Fit    struct{ Points float64 }
	Groups []struct {
		Name        string
		Points, Sum float64
		Signals     []struct{ Points float64 }
	}
	Committee  struct{ Points float64 }
	Surges     []struct{ Points float64 }
	Adjustment float64
}

// histories are the published changes by account, repeats left out.
func (run *Run) histories(r *Report) map[string][]Change {
	out := map[string][]Change{}
	tiers := run.Model.Spec.Tiers
	for _, record := range run.Changes {
		var c Change
		if err := json.Unmarshal(record.Value, &c); err != nil {
			r.fault("tier-changes/%d@%d: %v", record.Partition, record.Offset, err)
			continue
		}
		c.raw = record.Value
		d := &c.Data
		before := out[d.Account]
		if string(record.Key) != d.Account || c.Subject != d.Account || c.ID != fmt.Sprintf("%s/%d", d.Account, d.Seq) {
			r.fault("key %q, subject %q and id %q on a change of %q seq %d", record.Key, c.Subject, c.ID, d.Account, d.Seq)
		}
		switch n := uint64(len(before)); {
		case d.Seq == 0 || d.Seq > n+1:
			r.fault("%s follows seq %d", c.ID, n)
			continue
		case d.Seq <= n:
			r.Repeats++
			if !bytes.Equal(before[d.Seq-1].raw, c.raw) {
				r.fault("two meanings of %s:\n%s\n%s", c.ID, brief(before[d.Seq-1].raw), brief(c.raw))
			}
			continue
		}
		from, at := tiers[len(tiers)-1].Name, time.Time{}
		if n := len(before); n > 0 {
			from, at = before[n-1].Data.To, before[n-1].Time
		}
		if d.From != from {
			r.fault("%s is from %s, the one before was to %s", c.ID, d.From, from)
		}
		if c.Time.Before(at) {
			r.fault("%s is of %s, the one before of %s", c.ID, c.Time, at)
		}
		c.consistent(r, tiers)
		r.Changes++
		out[d.Account] = append(before, c)
	}
	return out
}

// consistent holds a change against itself.
func (c *Change) consistent(r *Report, tiers []scoring.TierSpec) {
	d := &c.Data
	from, to := tierOf(tiers, d.From), tierOf(tiers, d.To)
	if from < 0 || to < 0 || from == to {
		r.fault("%s is from %q to %q", c.ID, d.From, d.To)
		return
	}
	direction := "down"
	if to < from {
		direction = "up"
	}
	if d.Direction != direction || d.MQA != (tiers[to].MQA && !tiers[from].MQA) {
		r.fault("%s from %s to %s has direction %s and mqa %v", c.ID, d.From, d.To, d.Direction, d.MQA)
	}
	if t := d.Threshold; t != nil && (direction == "up" && d.Score < *t-1e-6 || direction == "down" && d.Score > *t+1e-6) {
		r.fault("%s goes %s at score %v, threshold %v", c.ID, direction, d.Score, *t)
	}
	if got := d.Receipt.sum(r, c.ID); math.Abs(got-d.Score) > 1e-9 || d.Receipt.Score != d.Score {
		r.fault("%s: the receipt adds up to %v, the score is %v", c.ID, got, d.Score)
	}
}

func (x *receipt) sum(r *Report, id string) float64 {
	sum := x.Fit.Points
	for _, g := range x.Groups {
		signals := 0.0
		for _, s := range g.Signals {
			signals += s.Points
		}
		if math.Abs(signals-g.Sum) > 1e-9 {
			r.fault("%s: the signals of group %s add up to %v, not to %v", id, g.Name, signals, g.Sum)
		}
		sum += g.Points
	}
	sum += x.Committee.Points
	for _, s := range x.Surges {
		sum += s.Points
	}
	return sum + x.Adjustment
}

func tierOf(tiers []scoring.TierSpec, name string) int {
	return slices.IndexFunc(tiers, func(t scoring.TierSpec) bool { return t.Name == name })
}

// sameTiers wants account-tiers to end, for each account, with its last change.
func (run *Run) sameTiers(r *Report, histories map[string][]Change) {
	last := map[string][]byte{}
	for _, record := range run.Tiers {
		last[string(record.Key)] = record.Value
	}
	for account, history := range histories {
		if want := history[len(history)-1].raw; !bytes.Equal(last[account], want) {
			r.fault("account-tiers of %s: got %s, want %s", account, brief(last[account]), brief(want))
		}
		delete(last, account)
	}
	for account := range last {
		r.fault("account-tiers holds %s, tier-changes does not", account)
	}
}
