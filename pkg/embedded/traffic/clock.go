package traffic

import (
	"sync/atomic"
	"time"
)

// Clock is a time-lapse: it stands at its beginning until it is started, then runs
// so many times faster than the system's.
type Clock struct {
	begins  time.Time
	speed   float64
	started atomic.Pointer[time.Time]
}

// NewClock makes a Clock that stands. Speed is virtual seconds per real one.
func NewClock(begins time.Time, speed float64) *Clock { return &Clock{begins: begins, speed: speed} }

// Start lets the clock run. Only the first call counts.
func (c *Clock) Start() {
	now := time.Now()
	c.started.CompareAndSwap(nil, &now)
}

// Elapsed is the virtual time since the beginning.
func (c *Clock) Elapsed() time.Duration {
	started := c.started.Load()
	if started == nil {
		return 0
	}
	return time.Duration(float64(time.Since(*started)) * c.speed)
}

// Begins is the virtual instant at which the clock begins.
func (c *Clock) Begins() time.Time { return c.begins }

// Now is the virtual instant.
func (c *Clock) Now() time.Time { return c.begins.Add(c.Elapsed()) }

// Milli is Now in Unix milliseconds.
func (c *Clock) Milli() int64 { return c.Now().UnixMilli() }

// Until is the real time until the virtual instant at after the beginning; 0 or
// less if it has passed.
func (c *Clock) Until(at time.Duration) time.Duration {
	return time.Duration(float64(at-c.Elapsed()) / c.speed)
}
