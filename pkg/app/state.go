package app

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// state is what the service knows of itself, for health checks and the log.
type state struct {
	mu     sync.Mutex // guards what follows; nothing is called while it is held
	member bool
	mine   int       // partitions assigned
	all    int       // partitions of all instances
	last   time.Time // when the latest round ended

	changed func() // called after the assignment changed
}

func (s *state) joined(mine, all int) {
	s.mu.Lock()
	s.member, s.mine, s.all, s.last = true, mine, all, time.Now()
	s.mu.Unlock()
	s.changed()
}

func (s *state) left() {
	s.mu.Lock()
	s.member = false
	s.mu.Unlock()
}

// share is the instance's part of the partitions. Between two assignments it is
// what it was.
func (s *state) share() (mine, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mine, s.all
}

// progressed notes that a round has ended. One does every second at least,
// events or not.
func (s *state) progressed() {
	s.mu.Lock()
	s.last = time.Now()
	s.mu.Unlock()
}

// register shows when the latest round ended, or the service began, as a metric.
func (s *state) register(r prometheus.Registerer) {
	s.last = time.Now()
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_last_round_timestamp_seconds",
		Help: "When this instance last stored all that it had in hand: every second at least, events or not, unless Redis or the dead-letter topic stands.",
	}, func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(s.last.UnixMilli()) / 1000
	}))
}

// stuck is how long a round may take before the instance no longer counts as ready:
// it waits for Redis, or for the dead-letter topic.
const stuck = 10 * time.Second

// ready says why the instance takes no part, or nil.
func (s *state) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.member {
		return errors.New("starting, or not in the consumer group: waiting for Kafka or Redis")
	}
	if d := time.Since(s.last); d > stuck {
		return fmt.Errorf("nothing was stored for %s: waiting for Redis, or for Kafka to take dead letters", d.Round(time.Second))
	}
	return nil
}

// goesOn reports whether a round has ended since, or the instance is between two
// assignments: then it waits for others.
func (s *state) goesOn(since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.member || s.last.After(since)
}
