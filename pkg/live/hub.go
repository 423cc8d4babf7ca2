package live

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Record is a record of the log. Its value is not to be changed.
type Record struct {
	Partition int
	Offset    int64
	Value     []byte
}

// Span is what a partition of the log holds: from First on, up to before Next.
type Span struct{ First, Next int64 }

// Log reads the log. What can heal is tried again until ctx ends.
type Log interface {
	// Spans are what the partitions hold now, by their numbers.
	Spans(ctx context.Context) ([]Span, error)
	// Follow calls take with every record from the position on, one at a time, until ctx
	// ends (nil) or take returns an error. Partitions that are added are followed too.
	Follow(ctx context.Context, from Position, take func(Record) error) error
	// Read calls take with what a partition holds now from an offset on.
	Read(ctx context.Context, partition int, from int64, take func(Record) error) error
}

// The faults of listening.
var (
	// ErrSlow ends a listener that fell behind: it goes on where it stood.
	ErrSlow = errors.New("too slow for what is published")
	// ErrClosed is returned once Run has ended.
	ErrClosed = errors.New("not listening any more")
	// ErrFull is returned where no listener more is taken.
	ErrFull = errors.New("too many listeners")
	// ErrElsewhere is returned for a position that is not of this log.
	ErrElsewhere = errors.New("the position is ahead of the log")
)

// Config bounds a Hub. Zeros take the defaults.
type Config struct {
	Log Log
	// Listeners is how many there may be at a time, Catching how many of them may read
	// for themselves at a time.
	Listeners, Catching int
	// Window and WindowBytes bound the latest records that are kept.
	Window, WindowBytes int
	// Beat is how often a listener hears something when nothing happens.
	Beat time.Duration
}

// The defaults.
const (
	DefaultListeners   = 100
	DefaultCatching    = 4
	DefaultWindow      = 4096
	DefaultWindowBytes = 16 << 20
	DefaultBeat        = 15 * time.Second
)

// Hub reads a log for its listeners.
type Hub struct {
	cfg      Config
	log      zerolog.Logger
	catching chan struct{} // a place for each that reads for itself

	mu        sync.Mutex // guards what follows; nothing blocks while it is held
	listeners int
	closed    bool
	reading   bool // Run follows the log
	times     int  // how often it began to
	// The window holds every record from first on, up to before next, in the order in
	// which they came. base counts those that left it.
	first, next Position
	window      []Record
	bytes       int
	base        int
	changed     chan struct{} // closed when something above changed
}

// New makes a Hub. It starts nothing.
func New(c Config, log zerolog.Logger) *Hub {
	for of, otherwise := range map[*int]int{
		&c.Listeners: DefaultListeners, &c.Catching: DefaultCatching, &c.Window: DefaultWindow, &c.WindowBytes: DefaultWindowBytes,
	} {
		if *of == 0 {
			*of = otherwise
		}
	}
	if c.Beat == 0 {
		c.Beat = DefaultBeat
	}
	return &Hub{cfg: c, log: log.With().Str("component", "live").Logger(), catching: make(chan struct{}, c.Catching), changed: make(chan struct{})}
}

// tell wakes who waits for a change. The lock is held.
func (h *Hub) tell() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// pause is the time between two attempts to read the log after one failed.
const pause = time.Second

// Run reads the log while anybody listens, until ctx ends; then all listeners end. What
// fails is logged and tried again.
func (h *Hub) Run(ctx context.Context) error {
	defer h.close()
	for ctx.Err() == nil {
		if !h.wanted(ctx) {
			return nil
		}
		err := h.read(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		h.log.Warn().Err(err).Msg("the log cannot be read for listeners, trying again")
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return nil
}

func (h *Hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed, h.reading, h.window = true, false, nil
	h.tell()
}

// wanted waits until somebody listens. It returns false when ctx has ended.
func (h *Hub) wanted(ctx context.Context) bool {
	return h.until(ctx, func() bool { return h.listeners > 0 })
}

// until waits until a condition holds, which is asked under the lock.
func (h *Hub) until(ctx context.Context, holds func() bool) bool {
	for {
		h.mu.Lock()
		done, changed := holds(), h.changed
		h.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// read follows the log from its end until nobody listens.
func (h *Hub) read(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	spans, err := h.cfg.Log.Spans(ctx)
	if err != nil {
		return err
	}
	ends := make(Position, len(spans))
	for i, s := range spans {
		ends[i] = s.Next
	}
	h.begin(ends)
	defer h.end()
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		if h.until(ctx, func() bool { return h.listeners == 0 }) {
			cancel()
		}
	}()
	err = h.cfg.Log.Follow(ctx, ends, func(r Record) error { h.add(r); return nil })
	cancel()
	<-idle
	return err
}

func (h *Hub) begin(ends Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.first, h.next = slices.Clone(ends), slices.Clone(ends)
	h.window, h.bytes, h.base, h.reading = nil, 0, 0, true
	h.times++
	h.tell()
}

func (h *Hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reading, h.window = false, nil
	h.tell()
}

// add puts a record into the window; what is too much leaves it, the oldest first.
func (h *Hub) add(r Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.window, h.bytes = append(h.window, r), h.bytes+len(r.Value)
	h.next.move(r.Partition, r.Offset+1)
	for len(h.window) > h.cfg.Window || h.bytes > h.cfg.WindowBytes && len(h.window) > 1 {
		oldest := h.window[0]
		h.first.move(oldest.Partition, oldest.Offset+1)
		h.window[0] = Record{}
		h.window, h.bytes, h.base = h.window[1:], h.bytes-len(oldest.Value), h.base+1
	}
	h.tell()
}
