package app

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// Joining is tried every five seconds in the end: 720 times an hour.
func TestAnHourOfInterruptionsIsAHandfulOfLines(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := &pump{log: zerolog.New(&log).Level(zerolog.InfoLevel)}
	for attempt := range 720 {
		p.interrupted(attempt, errors.New("connection refused"))
	}
	if n := strings.Count(log.String(), "\n"); n != 11 {
		t.Errorf("%d lines, want the first, the second, the third, the fifth and so on:\n%s", n, &log)
	}
}
