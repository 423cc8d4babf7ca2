package app

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// A round that hangs is a sign of death only where nobody is waited for.
func TestWhatFeedsTheWatchdog(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(v *vital)
		want   bool
	}{
		{"a round hangs", func(*vital) {}, false},
		{"rounds end", func(v *vital) { v.goesOn = func(time.Time) bool { return true } }, true},
		{"redis fails and is tried", func(v *vital) { v.failures = func() uint64 { return 1 } }, true},
		{"dead letters are being written", func(v *vital) { v.writing = func() bool { return true } }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			n := &notifier{log: zerolog.New(&log)}
			v := &vital{
				failures: func() uint64 { return 0 }, writing: func() bool { return false }, goesOn: func(time.Time) bool { return false },
			}
			row.change(v)
			if got := n.alive(v); got != row.want {
				t.Errorf("got %v, want %v", got, row.want)
			}
			n.alive(v)
			if lines := strings.Count(log.String(), "watchdog is no longer fed"); !row.want && lines != 1 {
				t.Errorf("told %d times, want once", lines)
			}
		})
	}
	if n := (&notifier{}); !n.alive(nil) {
		t.Error("a service that is being opened counts as dead")
	}
	n := &notifier{trouble: 7}
	v := &vital{failures: func() uint64 { return 7 }, writing: func() bool { return false }, goesOn: func(time.Time) bool { return false }}
	if n.alive(v) {
		t.Error("failures of long ago feed the watchdog")
	}
}
