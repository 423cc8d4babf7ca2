package app

import (
	"errors"
	"sync"

	"tidemark/streams/source"
)

// state is what the service knows of itself, for health checks and the log.
type state struct {
	mu     sync.Mutex // guards what follows; nothing is called while it is held
	member bool
	mine   int // partitions assigned
	all    int // partitions of all instances
	behind int64
	last   int64 // instant of the latest round, Unix milliseconds

	changed func() // called after the assignment changed
}

func (s *state) joined(mine, all int) {
	s.mu.Lock()
	s.member, s.mine, s.all = true, mine, all
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

func (s *state) progressed(b *source.Batch, now int64) {
	var behind int64
	for _, m := range b.Marks {
		if !m.CaughtUp {
			behind++
		}
	}
	s.mu.Lock()
	s.behind, s.last = behind, now
	s.mu.Unlock()
}

// ready says why the instance takes no part, or nil.
func (s *state) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.member {
		return errors.New("starting, or not in the consumer group: waiting for Kafka or Redis")
	}
	return nil
}
