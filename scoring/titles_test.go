package scoring

import (
	"regexp"
	"strconv"
	"testing"
)

// A title has its labels whenever it is asked for: first, settled, and after there were
// too many to remember.
func TestTitlesKeepTheirLabels(t *testing.T) {
	t.Parallel()
	m := &Model{
		titles:    &titles{},
		seniority: []pattern{{regexp.MustCompile(`\bvp\b`), "vp"}},
		roles:     []pattern{{regexp.MustCompile(`sales`), "champion"}},
	}
	for n := range 3 * mostTitles {
		for title, want := range map[string]titled{
			"VP Sales": {"vp", "champion"}, "VP " + strconv.Itoa(n): {"vp", unknownLabel}, "sales " + strconv.Itoa(n/2): {unknownLabel, "champion"},
		} {
			if got := m.labels(title); got != want {
				t.Fatalf("%d, %s: got %v, want %v", n, title, got, want)
			}
		}
	}
	if n := len(m.titles.known); n > mostTitles {
		t.Errorf("got %d titles remembered", n)
	}
}
