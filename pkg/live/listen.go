package live

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Listener takes what a Hub has for it, one call at a time. An error ends it. It may be
// slow for as long as it likes, at its own cost.
type Listener interface {
	// At says where the listener stands before the first record.
	At(p Position) error
	// Take takes a record and where the listener stands behind it.
	Take(r Record, p Position) error
	// Lost says that the log no longer holds what was to come next of a partition, from an
	// offset up to before another.
	Lost(partition int, from, to int64) error
	// Beat is called now and then while nothing else is.
	Beat() error
}

// From is where a listener begins.
type From struct {
	Position  Position // nil: see Beginning
	Beginning bool     // at the beginning of the log, rather than with what comes next
}

// Listen hands records to a listener until ctx ends or Run does (nil), or the listener
// returns an error. It returns ErrFull, ErrClosed and ErrElsewhere before anything else was
// called.
func (h *Hub) Listen(ctx context.Context, from From, to Listener) error {
	if err := h.join(); err != nil {
		return err
	}
	defer h.leave()
	s := &session{Hub: h, to: to, beat: time.NewTicker(h.cfg.Beat)}
	defer s.beat.Stop()
	if err := s.start(ctx, from); err != nil {
		return err
	}
	for ctx.Err() == nil {
		index, times, inside, closed := h.enter(s.at)
		var err error
		switch {
		case closed:
			return nil
		case inside:
			err = s.follow(ctx, index, times)
		default:
			err = s.catchUp(ctx)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	return nil
}

// Listeners is how many there are now.
func (h *Hub) Listeners() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.listeners
}

func (h *Hub) join() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return ErrClosed
	case h.listeners >= h.cfg.Listeners:
		return ErrFull
	}
	h.listeners++
	h.tell()
	return nil
}

func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners--
	h.tell()
}

// enter finds where in the window a position stands; inside is false where the window has
// not all that is behind it.
func (h *Hub) enter(at Position) (index, times int, inside, closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || !h.reading {
		return 0, 0, false, h.closed
	}
	for p := range h.first {
		if at.at(p) < h.first[p] {
			return 0, 0, false, false
		}
	}
	return h.base, h.times, true, false
}

// session is a listener and where it stands.
type session struct {
	*Hub
	to   Listener
	at   Position
	beat *time.Ticker
}

// startTimeout bounds the first look at the log: somebody waits for an answer.
const startTimeout = 10 * time.Second

// start finds out where to begin.
func (s *session) start(ctx context.Context, from From) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	spans, err := s.cfg.Log.Spans(ctx)
	if err != nil {
		return fmt.Errorf("ends of the log: %w", err)
	}
	s.at = slices.Clone(from.Position)
	for p, span := range spans {
		switch {
		case from.Position != nil && s.at.at(p) > span.Next:
			return ErrElsewhere
		case from.Position == nil && from.Beginning:
			s.at.move(p, span.First)
		case from.Position == nil:
			s.at.move(p, span.Next)
		}
	}
	if len(s.at) > len(spans) {
		return ErrElsewhere
	}
	return s.to.At(s.at)
}

// take hands a record on unless it was.
func (s *session) take(r Record) error {
	if r.Offset < s.at.at(r.Partition) {
		return nil
	}
	s.at.move(r.Partition, r.Offset+1)
	if r.Value == nil {
		return nil
	}
	return s.to.Take(r, s.at)
}

// some is how many records are taken from the window at a time.
const some = 64

// follow hands on what comes into the window, until the hub begins anew.
func (s *session) follow(ctx context.Context, index, times int) error {
	for ctx.Err() == nil {
		s.mu.Lock()
		reading, base, changed := s.reading && s.times == times, s.base, s.changed
		var records []Record
		if reading && index >= base {
			records = slices.Clone(s.window[index-base : min(index-base+some, len(s.window))])
		}
		s.mu.Unlock()
		switch {
		case !reading:
			return nil
		case index < base:
			return ErrSlow
		case len(records) == 0:
			if err := s.rest(ctx, changed); err != nil {
				return err
			}
		}
		for _, r := range records {
			if err := s.take(r); err != nil {
				return err
			}
		}
		index += len(records)
	}
	return nil
}

// rest waits for a change, or beats.
func (s *session) rest(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
	case <-ctx.Done():
	case <-s.beat.C:
		return s.to.Beat()
	}
	return nil
}

// catchUp reads for the listener what the log holds by now, when there is a place, then
// waits until the hub reads.
func (s *session) catchUp(ctx context.Context) error {
	for placed := false; !placed; {
		select {
		case s.catching <- struct{}{}:
			placed = true
		case <-s.beat.C:
			if err := s.to.Beat(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
	reading, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { // the end of the hub ends the reading
		defer close(ended)
		if s.until(reading, func() bool { return s.closed }) {
			cancel()
		}
	}()
	err := s.readOn(reading)
	over := reading.Err() != nil
	cancel()
	<-ended
	<-s.catching
	if over {
		return nil //nolint:nilerr // Listen finds out why
	}
	if err != nil {
		return err
	}
	return s.reads(ctx)
}

// readOn reads what the partitions hold now from where the listener stands.
func (s *session) readOn(ctx context.Context) error {
	spans, err := s.cfg.Log.Spans(ctx)
	if err != nil {
		return fmt.Errorf("ends of the log: %w", err)
	}
	for p, span := range spans {
		if from := s.at.at(p); from < span.First {
			s.at.move(p, span.First)
			if err := s.to.Lost(p, from, span.First); err != nil {
				return err
			}
		}
		if s.at.at(p) >= span.Next {
			continue
		}
		if err := s.cfg.Log.Read(ctx, p, s.at.at(p), s.take); err != nil {
			return err
		}
		// What the log holds no record of, such as a marker, is passed, too.
		s.at.move(p, max(s.at.at(p), span.Next))
	}
	return nil
}

// reads waits until the hub reads, or has ended.
func (s *session) reads(ctx context.Context) error {
	for ctx.Err() == nil {
		s.mu.Lock()
		done, changed := s.reading || s.closed, s.changed
		s.mu.Unlock()
		if done {
			return nil
		}
		if err := s.rest(ctx, changed); err != nil {
			return err
		}
	}
	return nil
}
