package scoring

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// titles remembers what the patterns make of job titles: the same come again and
// again, and trying the patterns costs more than everything else about an event.
type titles struct {
	settled atomic.Pointer[map[string]titled] // a copy of known, never changed: read without a lock
	mu      sync.Mutex                        // guards the rest
	known   map[string]titled
	missed  int // how often the copy lacked a title since it was made
}

// titled are the labels of one title.
type titled struct {
	role       string
	multiplier float64 // of the seniority
}

// mostTitles bounds the memory of titles; beyond it, it begins anew.
const mostTitles = 1 << 14

// labels are what the patterns make of a title.
func (m *Model) labels(title string) titled {
	if title == "" { // whatever a pattern would match
		return titled{unknownLabel, m.multiplierOf(unknownLabel)}
	}
	if settled := m.titles.settled.Load(); settled != nil {
		if found, ok := (*settled)[title]; ok {
			return found
		}
	}
	return m.titles.learn(title, m)
}

// learn is labels for a title that is not settled.
func (t *titles) learn(title string, m *Model) titled {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.known[title]
	if !ok {
		lower := strings.ToLower(title)
		found = titled{firstMatch(m.roles, lower), m.multiplierOf(firstMatch(m.seniority, lower))}
		if t.known == nil || len(t.known) >= mostTitles {
			t.known = map[string]titled{}
		}
		// The event's text is not the model's to keep.
		t.known[strings.Clone(title)] = found
	}
	// A copy for as many misses as it has titles costs little for each.
	if t.missed++; t.missed > len(t.known) {
		settled := maps.Clone(t.known)
		t.settled.Store(&settled)
		t.missed = 0
	}
	return found
}

// firstMatch is the label of the first pattern that matches the lower-cased title.
func firstMatch(patterns []pattern, title string) string {
	for _, p := range patterns {
		if p.re.MatchString(title) {
			return p.is
		}
	}
	return unknownLabel
}
