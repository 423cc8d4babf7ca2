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
		spec:      Spec{Contacts: ContactsSpec{Multipliers: map[string]float64{"vp": 1.5}}}, unknownMultiplier: 0.5,
	}
	for n := range 3 * mostTitles {
		for title, want := range map[string]titled{
			"VP Sales": {"champion", 1.5}, "VP " + strconv.Itoa(n): {unknownLabel, 1.5}, "sales " + strconv.Itoa(n/2): {"champion", 0.5},
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
