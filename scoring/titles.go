package scoring

import (
	"strings"
	"sync"
)

// titles remembers what the patterns make of job titles: the same come again and
// again, and trying the patterns costs more than everything else about an event.
type titles struct {
	mu    sync.RWMutex // guards known
	known map[string]titled
}

// titled are the labels of one title.
type titled struct{ seniority, role string }

// mostTitles bounds the memory of titles; beyond it, it begins anew.
const mostTitles = 1 << 14

// labels are what the patterns make of a title.
func (m *Model) labels(title string) titled {
	if title == "" { // whatever a pattern would match
		return titled{unknownLabel, unknownLabel}
	}
	m.titles.mu.RLock()
	found, ok := m.titles.known[title]
	m.titles.mu.RUnlock()
	if ok {
		return found
	}
	lower := strings.ToLower(title)
	found = titled{firstMatch(m.seniority, lower), firstMatch(m.roles, lower)}
	m.titles.mu.Lock()
	defer m.titles.mu.Unlock()
	if m.titles.known == nil || len(m.titles.known) >= mostTitles {
		m.titles.known = map[string]titled{}
	}
	// The event's text is not the model's to keep.
	m.titles.known[strings.Clone(title)] = found
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
