package app

import (
	"testing"
	"time"

	"tidemark/pkg/engine"
	"tidemark/streams/source"
)

// A round a second is enough while nothing can be found by looking.
func TestRoundsAreFewWhileNothingWaits(t *testing.T) {
	t.Parallel()
	mine := engine.Partition{Topic: "intent"}
	theirs := engine.Partition{Topic: "intent", ID: 1}
	for _, tt := range []struct {
		name string
		all  []engine.Partition
		mark source.Mark
		due  time.Duration // when an account is due, from now
		want bool
	}{
		{"caught up", []engine.Partition{mine}, source.Mark{CaughtUp: true}, time.Hour, true},
		{"behind", []engine.Partition{mine}, source.Mark{}, time.Hour, false},
		{"paused with records that wait", []engine.Partition{mine}, source.Mark{Stopped: true}, time.Hour, false},
		{"with other instances", []engine.Partition{mine, theirs}, source.Mark{CaughtUp: true}, time.Hour, false},
		{"due and not swept", []engine.Partition{mine}, source.Mark{CaughtUp: true}, -time.Hour, false},
	} {
		p := pumpDue(t, tt.due)
		p.tide = newTide(nil, time.Hour.Milliseconds())
		p.tide.assign([]engine.Partition{mine}, tt.all)
		p.quiet = quietPeriod
		if p.rests = p.atRest([]source.Mark{tt.mark}); p.rests != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, p.rests, tt.want)
		}
		want := p.look
		if tt.want {
			want = quietPeriod
		}
		if got := p.pace(); got != want {
			t.Errorf("%s: a look every %s, want %s", tt.name, got, want)
		}
	}
}
