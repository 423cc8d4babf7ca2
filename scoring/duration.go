package scoring

import (
	"math"
	"strconv"
	"strings"
)

// The units of a duration in a model, in milliseconds, largest first.
var units = []struct {
	name string
	ms   int64
}{
	{"w", 7 * Day}, {"d", Day}, {"h", Hour}, {"m", Minute}, {"s", Second}, {"ms", 1},
}

// Durations in milliseconds.
const (
	Second = int64(1000)
	Minute = 60 * Second
	Hour   = 60 * Minute
	Day    = 24 * Hour
)

// FormatDuration writes milliseconds as a model file would: 1d12h, 500ms, never.
// Weeks are written as days, as people speak of half-lives in days.
func FormatDuration(ms int64) string {
	if ms == Never {
		return "never"
	}
	if ms == 0 {
		return "0s"
	}
	if ms < 0 {
		return "-" + FormatDuration(-max(ms, -Never))
	}
	var b strings.Builder
	for _, u := range units[1:] {
		if n := ms / u.ms; n > 0 {
			b.WriteString(strconv.FormatInt(n, 10))
			b.WriteString(u.name)
			ms -= n * u.ms
		}
	}
	return b.String()
}

// decay is 2^(-elapsed/halfLife), the share of an intensity that is left.
func decay(elapsed, halfLife int64) float64 {
	if elapsed == 0 || halfLife == Never {
		return 1
	}
	return math.Exp2(-float64(elapsed) / float64(halfLife))
}
