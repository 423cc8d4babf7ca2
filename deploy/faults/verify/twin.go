package verify

import (
	"math"
	"slices"

	"tidemark/scoring"
	"tidemark/scoring/naive"
)

// scoreTolerance is SPEC 4's.
const scoreTolerance = 1e-6

// exact replays the account's inputs in order and wants the same crossings and the
// same score.
func (c *check) exact(state State) {
	twin := c.model.Account()
	var want []naive.Crossing
	for _, e := range c.events {
		want = append(want, twin.Apply(e, math.MinInt64)...)
	}
	want = append(want, twin.Advance(c.run.At)...)
	c.sameScore(state, twin.Read(c.run.At).Score)
	for i := range max(len(want), len(c.history)) {
		switch {
		case i >= len(c.history):
			if want[i].At < c.run.At-settling {
				c.report.fault("%s/%d is missing: %s to %s at %d", c.account, want[i].Seq, want[i].From, want[i].To, want[i].At)
			}
			return
		case i >= len(want):
			if x := &c.history[i]; x.Time.UnixMilli() < c.run.At-settling {
				c.report.fault("%s is too much: %s", x.ID, brief(x.raw))
			}
			return
		}
		if !same(&want[i], &c.history[i]) {
			c.report.fault("%s: got %s, want %+v", c.history[i].ID, brief(c.history[i].raw), want[i])
			return
		}
	}
}

// same compares by SPEC 4's tolerances.
func same(want *naive.Crossing, got *Change) bool {
	d := &got.Data
	if (want.Threshold == nil) != (d.Threshold == nil) || want.Threshold != nil && math.Abs(*want.Threshold-*d.Threshold) > 1e-9 {
		return false
	}
	late := got.Time.UnixMilli() - want.At
	return d.Seq == want.Seq && d.From == want.From && d.To == want.To && d.Cause.Kind == string(want.Cause) && d.Cause.ID == want.EventID &&
		math.Abs(d.Score-want.Score) <= scoreTolerance && late >= -1000 && late <= 1000
}

// score adds the account up whatever the order in which its inputs came.
func (c *check) score(state State) { c.sameScore(state, c.twin(c.run.At).Read(c.run.At).Score) }

func (c *check) sameScore(state State, want float64) {
	if math.Abs(state.Score-want) > scoreTolerance {
		c.report.fault("%s: score %v, want %v of %d inputs", c.account, state.Score, want, len(c.events))
	}
}

// twin is the account with what happened until an instant. Its clock stands there
// from the beginning, so that no input makes it look for crossings on the way: the
// score is a function of the set of inputs.
func (c *check) twin(until int64) *naive.Account {
	twin := c.model.Account()
	twin.Apply(&scoring.Event{Kind: scoring.KindErasure, ID: "clock", Source: "verify", Time: until, Arrived: c.events[0].Arrived}, math.MinInt64)
	for _, e := range c.events {
		if e.Time <= until {
			twin.Apply(e, math.MinInt64)
		}
	}
	return twin
}

// stays wants the account to be where the rules leave it, given when it came there.
func (c *check) stays() {
	at := c.run.At - settling
	for _, e := range c.events {
		if e.Time > at || e.Arrived > at {
			return // something is still on its way
		}
	}
	tiers := c.tiers()
	s := standing{tier: len(tiers) - 1, entered: math.MinInt64 / 4, left: slices.Repeat([]int64{math.MinInt64 / 4}, len(tiers))}
	for i := range c.history {
		if x := &c.history[i]; x.Time.UnixMilli() <= at {
			s.move(tierOf(tiers, x.Data.To), x.Time.UnixMilli())
		}
	}
	reading := c.twin(at).Read(at)
	if to := s.verdict(c.run.Model.Spec, at, reading); to != s.tier {
		c.report.fault("%s: is in %s since %d, the rules put it into %s at %d: score %v, groups %v, %d people, %d roles",
			c.account, tiers[s.tier].Name, s.entered, tiers[to].Name, at, reading.Score, reading.Groups, reading.People, reading.Roles)
	}
}

// demotions wants every demotion by time alone to be true even to one who knows
// all events.
func (c *check) demotions() {
	for i := range c.history {
		x := &c.history[i]
		if x.Data.Direction != "down" || x.Data.Cause.Kind != string(scoring.CauseDecay) || x.Data.Threshold == nil {
			continue
		}
		at := x.Time.UnixMilli()
		if score := c.twin(at).Read(at).Score; score > *x.Data.Threshold+scoreTolerance {
			c.report.fault("%s is a false demotion: the score was %v, not %v", x.ID, score, x.Data.Score)
		}
	}
}
