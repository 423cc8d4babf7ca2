package source

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
)

// outage says once that something began to fail, and once that it works again,
// however many partitions it concerns and however often each is tried.
type outage struct {
	log zerolog.Logger
	// fails and works are the two messages.
	fails, works string

	mu      sync.Mutex // guards what follows; nothing blocks while it is held
	failing map[engine.Partition]bool
	since   time.Time
}

// quiet is how many failures in a row are not worth a line: a connection that was
// closed while idle fails once.
const quiet = 1

// failed notes the n-th failure in a row, counted from 1.
func (o *outage) failed(p engine.Partition, n int, err error) {
	if n <= quiet {
		o.log.Debug().EmbedObject(where(p)).Err(err).Msg("failed once, trying again")
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.failing) == 0 {
		o.since = time.Now()
		o.failing = make(map[engine.Partition]bool)
		o.log.Warn().EmbedObject(where(p)).Err(err).Msg(o.fails)
	}
	o.failing[p] = true
}

// worked notes a success after n failures in a row.
func (o *outage) worked(p engine.Partition, n int) {
	if n <= quiet {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.failing, p)
	if len(o.failing) == 0 {
		o.log.Info().Dur("after", time.Since(o.since)).Msg(o.works)
	}
}

// where names the partition in a log line, if there is one.
type where engine.Partition

func (w where) MarshalZerologObject(e *zerolog.Event) {
	if w.Topic != "" {
		e.Str("topic", w.Topic).Int("partition", w.ID)
	}
}

// pause waits before the attempt after n failures, longer each time and by chance, so
// that instances do not knock together. It returns false when ctx is done.
func pause(ctx context.Context, n int) bool {
	const least, most = 20 * time.Millisecond, 2 * time.Second
	d := min(least<<min(n, 10), most)
	return sleep(ctx, d/2+rand.N(d/2))
}

// sleep waits; false when ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
