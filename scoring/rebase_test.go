package scoring_test

import (
	"testing"

	"tidemark/scoring"
)

// What subscribers were told is numbered on; only a true difference is a crossing.
func TestRebase(t *testing.T) {
	t.Parallel()
	m := compile(t, rebaseSpec())[0]
	const at = int64(1_000_000)
	for _, test := range []struct {
		name     string
		visits   int // 40 points each
		seq      uint64
		told     string
		wantSeq  uint64
		from, to string // "" where nothing is to be said
		up       bool
		figure   float64
	}{
		{name: "never told, nothing to tell", wantSeq: 0},
		{name: "never told of it", visits: 2, wantSeq: 1, from: "C", to: "B", up: true, figure: 60},
		{name: "as told", visits: 2, seq: 7, told: "B", wantSeq: 7},
		{name: "told of one tier too few", visits: 3, seq: 7, told: "B", wantSeq: 8, from: "B", to: "A", up: true, figure: 85},
		{name: "told too much", visits: 2, seq: 4, told: "A", wantSeq: 5, from: "A", to: "B", figure: 80},
		{name: "the log knows nothing of it", seq: 3, told: "B", wantSeq: 4, from: "B", to: "C", figure: 60},
		{name: "known and nothing left", seq: 3, told: "C", wantSeq: 3},
		{name: "a tier that is no more", visits: 2, seq: 3, told: "gold", wantSeq: 4, from: "gold", to: "B", up: true, figure: 60},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := &scoring.Account{}
			m.Open(a)
			for n := range test.visits {
				m.Apply(a, &scoring.Event{ID: string(rune('a' + n)), Source: "/s", Type: "visit", Time: at, Strength: 1}, at)
			}
			tier := m.Tier(a)
			out := m.Rebase(a, test.seq, test.told, at+5)
			if a.Seq != test.wantSeq || m.Tier(a) != tier {
				t.Errorf("got seq %d in %s, want %d in %s", a.Seq, m.Tier(a), test.wantSeq, tier)
			}
			if test.to == "" {
				if len(out.Crossings) > 0 {
					t.Errorf("got %+v, want no crossing", out.Crossings)
				}
				return
			}
			if len(out.Crossings) != 1 {
				t.Fatalf("got %d crossings, want 1", len(out.Crossings))
			}
			x := out.Crossings[0]
			want := scoring.Crossing{Seq: test.wantSeq, At: at + 5, From: test.from, To: test.to, Up: test.up, MQA: test.to == "A"}
			if x.Seq != want.Seq || x.At != want.At || x.From != want.From || x.To != want.To || x.Up != want.Up || x.MQA != want.MQA ||
				x.Cause.Kind != scoring.CauseRebuild || x.Threshold == nil || *x.Threshold != test.figure || x.Score != x.Receipt.Score {
				t.Errorf("got %+v, want %+v by %v", x, want, test.figure)
			}
			again := m.Rebase(a, test.seq, test.told, at+5)
			if a.Seq != test.wantSeq || len(again.Crossings) != 1 || again.Crossings[0].Seq != x.Seq {
				t.Errorf("done again: seq %d, %+v", a.Seq, again.Crossings)
			}
		})
	}
}

func rebaseSpec() scoring.Spec {
	a, b := 85.0, 60.0
	return scoring.Spec{
		Name: "rebase", Version: 1, Groups: []scoring.GroupSpec{{Name: "g"}},
		Signals: []scoring.SignalSpec{{Name: "visit", Group: "g", Type: "visit", Points: 40, HalfLife: scoring.Day}},
		Tiers:   []scoring.TierSpec{{Name: "A", Min: &a, MQA: true, Hysteresis: 5}, {Name: "B", Min: &b}, {Name: "C"}},
	}
}
