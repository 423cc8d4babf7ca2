package relay

import (
	"context"
	"time"
)

const (
	// linger is how long more entries are waited for while those that come are of a
	// backlog. Each request costs the broker about as much as a hundred records.
	linger = 50 * time.Millisecond
	// backlog is how long ago an input was appended that is read as a backlog: beside that,
	// its tier change can wait for others.
	backlog = 5 * time.Second
)

// backlogged reports whether all entries of some batches came of inputs of a backlog.
func backlogged(batches []*batch, now time.Time) (late bool) {
	oldest := now.Add(-backlog).UnixMilli()
	for _, b := range batches {
		for i := range b.fresh {
			if at := b.fresh[i].Appended; at == 0 || at > oldest {
				return false
			}
			late = true
		}
	}
	return late
}

// gather waits for more entries if those of the latest round were of a backlog.
func (p *part) gather(ctx context.Context) {
	if !p.late {
		return
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
