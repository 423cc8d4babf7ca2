package console_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/console"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// scene is what every kind of view is shown.
func scene(v *console.View) error {
	at := time.Date(2026, 1, 5, 10, 48, 0, 0, time.UTC)
	v.Line("This is the demo.")
	v.Status("Mon 05 Jan 2026 10:47 · " + console.Tiers([]string{"A", "B", "C"}, map[string]int{"B": 1, "C": 59}) + " · 12 events")
	v.Change(console.Change{Time: at, Account: "summit-care.example", From: "C", To: "B", Up: true, Score: 68.94, Cause: "case study downloaded by a Director of IT"})
	v.Change(console.Change{Time: at.Add(23 * time.Hour), Account: "summit-care.example", From: "B", To: "A", Up: true, MQA: true, Score: 100, Cause: "pricing page by the CFO"})
	if _, err := v.Write([]byte("WRN redis does not")); err != nil {
		return err
	}
	if _, err := v.Write([]byte(" answer\nWRN half a line")); err != nil {
		return err
	}
	v.Change(console.Change{Time: at.Add(240 * time.Hour), Account: "summit-care.example", From: "A", To: "B", Score: 79.999, Cause: "decay, after " + console.Span(9*24*time.Hour)})
	v.Status("Thu 15 Jan 2026 10:50 · a status that is too long for the terminal")
	return v.Close()
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]console.Options{
		"plain": {},
		"live":  {Live: true, Color: true, Width: func() int { return 60 }},
		"mono":  {Live: true, Width: func() int { return 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if err := scene(console.New(&out, opts)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		20 * time.Minute:             "0 quiet hours",
		time.Hour:                    "1 quiet hour",
		47 * time.Hour:               "47 quiet hours",
		9*24*time.Hour + 3*time.Hour: "9 quiet days",
	} {
		if got := console.Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
}

type broken struct{}

var errPipe = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errPipe }

func TestBrokenPipeIsReported(t *testing.T) {
	t.Parallel()
	v := console.New(broken{}, console.Options{})
	v.Line("hello")
	if err := v.Close(); !errors.Is(err, errPipe) {
		t.Errorf("got %v, want %v", err, errPipe)
	}
}
