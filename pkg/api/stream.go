package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/live"
)

// StreamPath is where tier changes are streamed.
const StreamPath = "/api/v1/tier-changes"

// writeTimeout is how long who listens may take for one write; then it is cut off.
const writeTimeout = 10 * time.Second

// Changes hands on tier changes as they are published.
type Changes interface {
	Listen(ctx context.Context, from live.From, to live.Listener) error
}

type stream struct {
	changes Changes
	log     zerolog.Logger
}

// StreamRoom serves tier changes as server-sent events:
//
//	GET /api/v1/tier-changes?from=now|beginning
//
// The id of an event is where the listener stands in the log, across all partitions: with
// it as Last-Event-ID, which browsers send by themselves, the stream goes on behind it.
func StreamRoom(from Changes, access Access, log zerolog.Logger) *Room {
	s := &stream{from, log.With().Str("component", "api").Logger()}
	return newRoom(StreamPath, access, Route{http.MethodGet, StreamPath, s.serve})
}

func (s *stream) serve(w http.ResponseWriter, r *http.Request) {
	from, err := fromOf(r)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	if r.Method == http.MethodHead {
		streamHeader(w)
		return
	}
	to := &sseWriter{w: w, control: http.NewResponseController(w)}
	switch err := s.changes.Listen(r.Context(), from, to); {
	case err == nil:
	case to.begun: // it comes back with the id of what it had last
		s.log.Debug().Err(err).Msg("a stream of tier changes ended")
	case errors.Is(err, live.ErrElsewhere):
		writeProblem(w, http.StatusBadRequest, "Last-Event-ID: is ahead of the log, so it is of another one: leave it out, or begin with from=beginning")
	case errors.Is(err, live.ErrFull):
		w.Header().Set("Retry-After", "10")
		writeProblem(w, http.StatusServiceUnavailable, "there are as many streams as this instance gives; try another one, or later")
	default:
		unanswered(w, s.log, err, "the log cannot be read; try again")
	}
}

// fromOf is where the request wants to begin.
func fromOf(r *http.Request) (from live.From, err error) {
	err = eachParameter(r, "from", func(name, value string) (bool, error) {
		if name != "from" {
			return false, nil
		}
		if value != "now" && value != "beginning" {
			return true, &QueryError{name, fmt.Sprintf("%q is neither now nor beginning", value)}
		}
		from.Beginning = value == "beginning"
		return true, nil
	})
	if last := r.Header.Get("Last-Event-ID"); err == nil && last != "" {
		if from.Position, err = live.ParsePosition(last); err != nil {
			err = &QueryError{"Last-Event-ID", fmt.Sprintf("%q is not the id of an event of this stream", last)}
		}
	}
	return from, err
}

func streamHeader(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // or nginx holds events back
	w.Header().Set("Connection", "close")     // its write deadline is no other request's
}

// sseWriter is a live.Listener that writes server-sent events.
type sseWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
	buffer  bytes.Buffer
}

// At implements live.Listener. An id without data is no event, and is remembered.
func (s *sseWriter) At(p live.Position) error {
	s.begun = true
	streamHeader(s.w)
	fmt.Fprintf(&s.buffer, "retry: 2000\nid: %s\n\n", p)
	return s.flush()
}

// Take implements live.Listener.
func (s *sseWriter) Take(r live.Record, p live.Position) error {
	fmt.Fprintf(&s.buffer, "id: %s\n", p)
	for line := range bytes.Lines(r.Value) {
		fmt.Fprintf(&s.buffer, "data: %s\n", bytes.TrimRight(line, "\r\n"))
	}
	s.buffer.WriteByte('\n')
	return s.flush()
}

// Lost implements live.Listener.
func (s *sseWriter) Lost(partition int, from, to int64) error {
	fmt.Fprintf(&s.buffer, "event: lost\ndata: {\"partition\":%d,\"from\":%d,\"before\":%d}\n\n", partition, from, to)
	return s.flush()
}

// Beat implements live.Listener.
func (s *sseWriter) Beat() error {
	s.buffer.WriteString(":\n\n")
	return s.flush()
}

// flush sends what was written. Who does not take it in time is cut off.
func (s *sseWriter) flush() error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := s.w.Write(s.buffer.Bytes())
	s.buffer.Reset()
	return errors.Join(err, s.control.Flush())
}
