package traffic

import (
	"sync"
	"time"
)

// remembered is how many events a Journal knows: a tier changes within seconds of
// the event that did it.
const remembered = 1 << 13

// Journal remembers what was published lately, so that a view can say in words
// what an event was. It is safe for concurrent use.
type Journal struct {
	mu     sync.Mutex // guards what follows; nothing else is called while it is held
	words  map[string]string
	ring   [remembered]string
	next   int
	last   map[string]moments
	events int
}

// moments are the latest few of an account, the latest first. More than one is
// kept because a view is a little behind.
type moments [4]time.Duration

// never is before everything.
const never = time.Duration(-1)

// Note takes down an event that was published.
func (j *Journal) Note(e *Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.words == nil {
		j.words, j.last = map[string]string{}, map[string]moments{}
	}
	j.events++
	if e.Profile != nil || e.Broken {
		return
	}
	key := e.Source + " " + e.ID
	if _, known := j.words[key]; !known {
		delete(j.words, j.ring[j.next])
		j.ring[j.next] = key
		j.next = (j.next + 1) % remembered
	}
	j.words[key] = e.Words()
	if e.Person != nil && e.Person.intern {
		return // what interns do leaves a firm as quiet as it was
	}
	m, known := j.last[e.Account]
	if !known {
		m = moments{never, never, never, never}
	}
	copy(m[1:], m[:])
	m[0] = e.At
	j.last[e.Account] = m
}

// Words say what the event was; empty where it is not known or not any more.
func (j *Journal) Words(source, id string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.words[source+" "+id]
}

// Quiet is for how long nobody but interns had done anything at the account, at an
// instant after the world's beginning; false where nobody had before, or where more
// happened since than is remembered.
func (j *Journal) Quiet(account string, at time.Duration) (time.Duration, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	latest, known := j.last[account]
	for _, m := range latest {
		if known && m != never && m <= at {
			return at - m, true
		}
	}
	return 0, false
}

// Events is how many events were noted.
func (j *Journal) Events() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.events
}
