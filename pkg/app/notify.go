package app

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"
)

// notifier tells systemd how the service is: READY=1 once it takes part, WATCHDOG=1 while
// its rounds end or wait for a dependency, STOPPING=1 when it is told to stop. Where no
// systemd waits for that (no NOTIFY_SOCKET) nothing is sent.
//
// Redis or Kafka being away is no reason to restart, as that would help nobody. What the
// watchdog is for is a round that hangs although nobody is waited for.
type notifier struct {
	log  zerolog.Logger
	beat time.Duration // between two signs of life; 0: none are wanted
	// running is the service, empty while one is being opened: that may wait for long.
	running atomic.Pointer[vital]

	// Run's goroutine alone uses what follows.
	ready   bool
	silent  bool
	looked  time.Time
	trouble uint64 // failures of the store at the latest look
}

// vital is a service as its notifier sees it.
type vital struct {
	ready    func(context.Context) error
	failures func() uint64 // of calls to the store, so far
	writing  func() bool   // dead letters are being written
	goesOn   func(since time.Time) bool
}

// vital are the service's signs of life.
func (s *service) vital() *vital {
	failures := func() (n uint64) {
		stats := s.store.Stats()
		for _, times := range stats.Retries {
			n += times
		}
		return n + stats.Commits["failed"]
	}
	return &vital{s.ready, failures, func() bool { return s.letters.writing.Load() > 0 }, s.state.goesOn}
}

// readyLook is the time between two looks at whether the service is ready.
const readyLook = 100 * time.Millisecond

func newNotifier(log zerolog.Logger) *notifier {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn().Err(err).Msg("WATCHDOG_USEC cannot be read, the watchdog is not fed")
	}
	return &notifier{log: log, beat: limit / 2, looked: time.Now()}
}

// Run notifies until ctx ends. It is told of the stop by stopping.
func (n *notifier) Run(ctx context.Context, stopping <-chan struct{}) {
	if sent, _ := daemon.SdNotify(false, "STATUS=starting"); !sent {
		return
	}
	ticker := time.NewTicker(readyLook)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-stopping:
			n.send(daemon.SdNotifyStopping)
			stopping = nil
		case <-ticker.C:
			n.tick(ctx)
		}
		if n.ready && n.beat > 0 {
			ticker.Reset(n.beat)
		}
	}
}

func (n *notifier) tick(ctx context.Context) {
	s := n.running.Load()
	if !n.ready && s != nil {
		if n.ready = s.ready(ctx) == nil; n.ready {
			n.send(daemon.SdNotifyReady + "\nSTATUS=scoring")
		}
	}
	if n.ready && n.beat > 0 && n.alive(s) {
		n.send(daemon.SdNotifyWatchdog)
	}
}

// alive reports whether the service got on since the latest look, or waits for somebody.
func (n *notifier) alive(s *vital) bool {
	looked := n.looked
	n.looked = time.Now()
	if s == nil {
		return true
	}
	trouble := s.failures()
	waits := trouble != n.trouble || s.writing()
	n.trouble = trouble
	if waits || s.goesOn(looked) {
		n.silent = false
		return true
	}
	if !n.silent {
		n.log.Error().Msg("a round does not end although nobody is waited for, the watchdog is no longer fed")
	}
	n.silent = true
	return false
}

func (n *notifier) send(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.log.Warn().Err(err).Str("state", state).Msg("systemd cannot be notified")
	}
}

// watchedLetters are dead letters of which is known whether a write is under way.
type watchedLetters struct {
	Deadletters
	writing atomic.Int32
}

// Write implements Deadletters.
func (l *watchedLetters) Write(ctx context.Context, letters []any) error {
	l.writing.Add(1)
	defer l.writing.Add(-1)
	return l.Deadletters.Write(ctx, letters)
}
