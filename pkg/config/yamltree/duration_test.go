package yamltree

import (
	"errors"
	"strings"
	"testing"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "0s": 0, "5ms": 5, "1.5s": 1500, "1d12h": 129_600_000, "1.5d": 129_600_000, "2w": 1_209_600_000,
		"1m": 60_000, "1m5ms": 60_005, "0.001s": 1, "1h1h": 7_200_000, "0.0005s0.0005s": 1, "1000000d": LongestDuration,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for ms, want := range map[int64]string{
		0: "0s", 5: "5ms", 1500: "1s500ms", 90_000: "1m30s", 129_600_000: "1d12h", 14 * day: "14d",
	} {
		if got := FormatDuration(ms); got != want {
			t.Errorf("%d: got %q, want %q", ms, got, want)
		}
	}
	for text, want := range map[string]error{
		"": ErrDuration, "5": ErrDuration, "d": ErrDuration, "7 days": ErrDuration, "1d 2h": ErrDuration, "-1d": ErrDuration,
		"1.d": ErrDuration, ".5d": ErrDuration, "1..5d": ErrDuration, "1e3s": ErrDuration, "1dd": ErrDuration, "1y": ErrDuration,
		"0.0001s": ErrFraction, "1000001d": ErrLong, strings.Repeat("9", 40) + "w": ErrLong, strings.Repeat("9", 41) + "w": ErrDuration,
	} {
		if _, err := ParseDuration(text); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", text, err, want)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"half_life", "limit", "once_per", "name"}
	for written, want := range map[string]string{
		"halflife": "half_life", "half-life": "half_life", "limits": "limit", "limti": "limit", "naem": "name",
		"colour": "", "": "", "x": "", strings.Repeat("limit", 100): "",
	} {
		if got := Nearest(written, known); got != want {
			t.Errorf("%q: got %q, want %q", written, got, want)
		}
	}
}
