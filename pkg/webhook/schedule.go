package webhook

import (
	"math/rand/v2"
	"time"
)

// schedule is how long after a failed attempt the next one is made: ten within the first
// four hours, as an MQA should reach a person within a day, and the last one after a day.
var schedule = []time.Duration{
	5 * time.Second, 25 * time.Second, 90 * time.Second, 3 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour, 6 * time.Hour, 7 * time.Hour,
}

// wait is the pause after so many failed attempts; false: there is no further one.
func wait(attempts int) (time.Duration, bool) {
	if attempts < 1 || attempts > len(schedule) {
		return 0, false
	}
	return schedule[attempts-1], true
}

// jitter spreads attempts by up to a tenth, so that what failed together does not come
// back together.
func jitter(d time.Duration) time.Duration { return d + rand.N(d/10+1) }
