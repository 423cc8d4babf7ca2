package scoring_test

import (
	"fmt"
	"reflect"
	"testing"

	"tidemark/scoring"
)

// seasons are events that take an account up again and again, after it fell by time.
func seasons(n int) []*scoring.Event {
	types := []string{"intent.topic_research", "intent.competitor_search", "engagement.webinar_attended", "engagement.case_study_download"}
	events := make([]*scoring.Event, n*len(types))
	for i := range events {
		at := start + int64(i/len(types))*200*scoring.Day + int64(i)*minute
		events[i] = incoming(i, types[i%len(types)])
		events[i].ID, events[i].Time, events[i].Arrived = fmt.Sprint("season", i), at, at
	}
	return events
}

// An outcome that is used again says what a fresh one says.
func TestOutcomesUsedAgainSayTheSame(t *testing.T) {
	t.Parallel()
	m := reference(t)
	a, b := busy(t, m), busy(t, m)
	var again scoring.Outcome
	var crossed int
	compare := func(want scoring.Outcome, at int64) {
		t.Helper()
		crossed += len(want.Crossings)
		same := len(again.Crossings) == len(want.Crossings) && again.Effect == want.Effect && again.Changed == want.Changed &&
			again.ProfileChanged == want.ProfileChanged && again.Forgotten == want.Forgotten
		if !same || len(want.Crossings) > 0 && !reflect.DeepEqual(again.Crossings, want.Crossings) {
			t.Fatalf("at %s: got %+v, want %+v", instant(at), again, want)
		}
	}
	for _, e := range seasons(30) {
		m.ApplyTo(&again, a, e, e.Time)
		compare(m.Apply(b, e, e.Time), e.Time)
		at := e.Time + 60*scoring.Day
		m.AdvanceTo(&again, a, at)
		compare(m.Advance(b, at), at)
		m.ApplyTo(&again, a, e, at)
		compare(m.Apply(b, e, at), at)
	}
	if crossed < 60 {
		t.Errorf("only %d crossings", crossed)
	}
}

func TestCrossingsInAnOutcomeUsedAgainAllocateNothing(t *testing.T) {
	m := reference(t)
	a, events := busy(t, m), seasons(400)
	var out scoring.Outcome
	i, crossed := 0, 0
	step := func() {
		m.ApplyTo(&out, a, events[i], start)
		crossed += len(out.Crossings)
		i++
	}
	for i < len(events)/2 {
		step()
	}
	crossed = 0
	got := testing.AllocsPerRun(500, step)
	if crossed < 200 {
		t.Errorf("only %d crossings", crossed)
	}
	if got > 0 && underRace == 1 {
		t.Errorf("got %v allocations for each event, want 0", got)
	}
}
