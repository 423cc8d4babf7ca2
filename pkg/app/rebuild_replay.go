package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
	"tidemark/streams/codec"
	"tidemark/streams/source"
)

// Progress tells how far a rebuild has read.
type Progress struct {
	Read, All int64         // records
	Rate      float64       // records per second, lately
	Left      time.Duration // estimated; 0 while nothing can be said
}

// replay reads the log from its beginning into the new generation, and then goes
// on with what is appended, until it is stopped.
type replay struct {
	pump     *pump
	source   *source.Source
	engine   *engine.Engine
	letters  *knownLetters
	progress func(Progress)

	mu       sync.Mutex // guards what follows
	first    map[engine.Partition]int64
	end      map[engine.Partition]int64 // of the log, as last heard
	ends     map[engine.Partition]int64 // next offset to apply
	level    int64
	caughtUp bool
	moved    chan struct{} // closed and made anew with each round
	failed   error
}

// newReplay reads in a group of its own, so that the live one goes on meanwhile.
func (b *rebuild) newReplay(ctx context.Context) (*replay, error) {
	letters, err := b.newKnownLetters(ctx)
	if err != nil {
		return nil, err
	}
	group := fmt.Sprintf("%s-rebuild-%d", b.cfg.Kafka.Group, b.result.Generation)
	now := func() int64 { return time.Now().UnixMilli() }
	rules := codec.Rules{Now: now, AgeAsArrived: true, Reads: b.model.Reads, Users: knowsUsers(b.cfg)}
	src, err := newSource(b.cfg, group, b.transport, rules, letters.around, b.log)
	if err != nil {
		return nil, err
	}
	r := &replay{
		source: src, engine: b.engine, letters: letters, progress: b.opts.Progress,
		first: map[engine.Partition]int64{}, end: map[engine.Partition]int64{}, moved: make(chan struct{}),
	}
	r.pump = &pump{
		servers: unwatched{}, source: src, engine: b.engine, letters: letters, rewinds: untold{},
		tide: newTide(b.next, b.cfg.Engine.MaxLead.Milliseconds()), common: building{b.next}, blind: map[string]bool{},
		users: newResolver(b.cfg, b.next, b.people, b.engine),
		state: &state{changed: func() {}}, log: b.log, now: now,
		fences: &fences{engine: b.engine, log: b.log},
		batch:  b.cfg.Engine.MaxBatch, checkpoint: b.cfg.Engine.CheckpointInterval, look: lookPeriod,
		began: r.began, went: r.went,
	}
	return r, nil
}

// building agrees as long as the generation is still the one being built.
type building struct{ store *redis.Store }

// Agrees implements Common.
func (b building) Agrees(ctx context.Context) error {
	g, err := b.store.Generations(ctx)
	if err == nil && g.Next != b.store.Generation() {
		return hopeless{fmt.Errorf("generation %d is no longer the one being built: it was dropped or switched to meanwhile", b.store.Generation())}
	}
	return err
}

// untold is for states that nothing was published from.
type untold struct{}

// Published implements Reconciler.
func (untold) Published(context.Context) (map[engine.Partition]int64, error) { return nil, nil }

// Reconcile implements Reconciler.
func (untold) Reconcile(context.Context, bool, int64) error { return nil }

// start reads in the background. stop ends that: what is in hand is stored, and
// the positions with it; it may be called twice.
func (r *replay) start(ctx context.Context) (stop func() error) {
	work, cancelWork := context.WithCancel(context.WithoutCancel(ctx))
	reading, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := r.pump.Run(reading, work)
		if err == nil {
			err = errReplayed
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failed = err
		close(r.moved)
		r.moved = make(chan struct{})
	}()
	told := make(chan struct{})
	go func() { defer close(told); r.tell(reading) }()
	return func() error {
		cancel()
		// What is in hand has the usual time.
		limit := time.AfterFunc(stopLimit, cancelWork)
		<-done
		<-told
		limit.Stop()
		cancelWork()
		r.mu.Lock()
		defer r.mu.Unlock()
		if errors.Is(r.failed, errReplayed) {
			return nil
		}
		return r.failed
	}
}

// errReplayed says that reading ended because it was told to.
var errReplayed = errors.New("stopped")

// stopLimit is how long a stop waits for what is in hand.
const stopLimit = 20 * time.Second

func (r *replay) began(from map[engine.Partition]int64, bounds map[engine.Partition]engine.Bounds) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, b := range bounds {
		r.first[p] = b.First
		r.end[p] = max(r.end[p], b.End)
	}
	r.ends, r.caughtUp = maps.Clone(from), false
}

func (r *replay) went(batch *source.Batch, watermark int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.ends, batch.Ends)
	r.level, r.caughtUp = watermark, true
	for _, m := range batch.Marks {
		r.caughtUp = r.caughtUp && m.CaughtUp
	}
	close(r.moved)
	r.moved = make(chan struct{})
}

// await returns once everything that the log holds is applied, and at least up to
// the given offsets.
func (r *replay) await(ctx context.Context, least map[engine.Partition]int64) error {
	for {
		r.mu.Lock()
		there, moved, err := r.caughtUp, r.moved, r.failed
		for p, at := range least {
			there = there && r.ends[p] >= at
		}
		r.mu.Unlock()
		switch {
		case err != nil:
			return fmt.Errorf("read the log: %w", err)
		case there:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

// tell reports the progress until ctx ends.
func (r *replay) tell(ctx context.Context) {
	if r.progress == nil {
		return
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	rate := rate{}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			r.mu.Lock()
			read, all, caughtUp := r.span()
			r.mu.Unlock()
			if all > 0 && !caughtUp {
				r.progress(rate.progress(now, read, all))
			}
		}
	}
}

// span is how many records were read and how many there are. r.mu is held.
func (r *replay) span() (read, all int64, caughtUp bool) {
	for p, first := range r.first {
		read += max(r.ends[p]-first, 0)
		all += max(r.end[p], r.ends[p]) - first
	}
	return read, all, r.caughtUp
}

// rate is the speed of reading, smoothed over some ten seconds.
type rate struct {
	at    time.Time
	read  int64
	speed float64 // records per second
}

func (r *rate) progress(now time.Time, read, all int64) Progress {
	if seconds := now.Sub(r.at).Seconds(); !r.at.IsZero() && seconds > 0 {
		speed := float64(read-r.read) / seconds
		if r.speed == 0 {
			r.speed = speed
		}
		r.speed += (speed - r.speed) * min(seconds/10, 1)
	}
	r.at, r.read = now, read
	p := Progress{Read: read, All: all, Rate: r.speed}
	if r.speed > 0 {
		p.Left = time.Duration(float64(all-read) / r.speed * float64(time.Second))
	}
	return p
}

func (r *replay) report(out *Rebuilt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out.Records, _, _ = r.span()
	out.Missing = nil
	for p, first := range r.first {
		if first > 0 {
			out.Missing = append(out.Missing, Missing{p, first})
		}
	}
	out.Dead = r.letters.passed.Load()
}

func (r *replay) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return r.source.Close(ctx)
}

// unwatched takes any server: a rebuild writes beside the live state, compares before
// it switches, and is repeated where Redis lost some of it.
type unwatched struct{}

func (unwatched) Accept()        {}
func (unwatched) Replaced() bool { return false }
