package lag

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
)

// Keeper looks again and again, for as long as a service runs: its window is longer than
// a person's, and its figures are metrics (Collect). Each instance watches all input
// partitions, whoever reads them, so that one that nobody reads is seen.
type Keeper struct {
	watcher *Watcher
	options Options
	log     zerolog.Logger

	mu     sync.Mutex // guards what follows; nothing is asked while it is held
	window []*look
	state  *standing
	asking sync.Mutex // one report at a time: it reads records
	blind  bool       // Run's alone: the latest look failed
}

// standing is what the latest look showed beside the partitions' samples.
type standing struct {
	at      int64
	next    map[engine.Partition]int64 // the timestamp of the record at the position, where one waits
	status  map[engine.Partition]Status
	samples map[engine.Partition]Sample
	outbox  *Outbox
	due     *int64 // the earliest due instant
}

// looks is how many looks a keeper's window holds, as Burrow's does.
const looks = 10

// NewKeeper makes a Keeper. Options.Every is the time between two looks, and the window
// is ten of them.
func NewKeeper(w *Watcher, o Options, log zerolog.Logger) *Keeper {
	return &Keeper{watcher: w, options: o, log: log.With().Str("component", "lag").Logger()}
}

// Run looks until ctx ends. A look that fails is told once and tried again.
func (k *Keeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(k.options.Every)
	defer ticker.Stop()
	for {
		k.watch(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (k *Keeper) watch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*k.options.Every)
	defer cancel()
	l, err := k.watcher.look(ctx)
	if err == nil {
		err = l.fault
	}
	if err != nil {
		if !k.blind && ctx.Err() == nil {
			k.log.Warn().Err(err).Msg("lag cannot be seen, trying again")
		}
		k.blind = true
		return
	}
	k.blind = false
	k.mu.Lock()
	k.window = append(k.window, l)
	if len(k.window) > looks {
		k.window = slices.Delete(k.window, 0, 1)
	}
	window := slices.Clone(k.window)
	k.mu.Unlock()
	s := k.stand(ctx, window)
	k.mu.Lock()
	k.state = s
	k.mu.Unlock()
}

// stand finds out what the metrics show.
func (k *Keeper) stand(ctx context.Context, window []*look) *standing {
	l := window[len(window)-1]
	s := &standing{at: l.at, next: map[engine.Partition]int64{}, status: map[engine.Partition]Status{}, samples: map[engine.Partition]Sample{}}
	for _, p := range l.parts {
		s.samples[p] = l.sample(p)
		s.status[p] = Evaluate(samplesOf(window, p), k.options.Checkpoint)
		if s.samples[p].behind() == 0 {
			continue
		}
		if at, found, err := k.watcher.first(ctx, p, s.samples[p].Position); err == nil && found {
			s.next[p] = at
		}
	}
	if entries, oldest, err := k.watcher.State.Waiting(ctx); err == nil {
		s.outbox = &Outbox{entries, seconds(oldest)}
	}
	if due, err := k.watcher.State.NextDue(ctx, numbers(len(l.shards))); err == nil {
		first := slices.Min(append(due, engine.NoDue))
		s.due = &first
	}
	return s
}

// Report is a report of now, with the statuses of the keeper's window.
func (k *Keeper) Report(ctx context.Context) (*Report, error) {
	k.asking.Lock()
	defer k.asking.Unlock()
	l, err := k.watcher.look(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	window := append(slices.Clone(k.window), l)
	k.mu.Unlock()
	return k.watcher.report(ctx, k.options, window)
}
