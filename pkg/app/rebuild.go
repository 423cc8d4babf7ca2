package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/store"
	"tidemark/pkg/store/redis"
	"tidemark/scoring"
	"tidemark/streams/conn"
	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

// RebuildOptions are what a caller of Rebuild decides beside the configuration.
type RebuildOptions struct {
	// Switch makes the state that was built the live one. Else it is built and
	// compared only, and the next Rebuild goes on from there.
	Switch bool
	// Progress, if not nil, is called about once a second while the log is read,
	// from another goroutine than the caller's.
	Progress func(Progress)
	// Stage, if not nil, is called with what begins now.
	Stage func(string)
}

// Rebuilt is what a Rebuild did.
type Rebuilt struct {
	Generation int // that was built
	Records    int64
	Dead       int64 // of the records read now, those that can't be used
	// Missing are the partitions whose log does not go back to its first record.
	Missing  []Missing
	Compared Comparison
	Switched bool
	// Corrected counts what was published because of the switch. Nil: not switched.
	Corrected map[engine.Correction]int
	// Former are the generations that hold an earlier state still.
	Former []int
}

// Missing is a partition that has lost records to retention.
type Missing struct {
	Partition engine.Partition
	First     int64 // the first offset that is left
}

// rebuildLease is held by the one process that builds a generation.
const rebuildLease = "rebuild"

// Rebuild scores the whole log anew into a second generation of the namespace,
// beside the live one, and compares the two. With Switch it then asks every
// instance to pause, reads on to where they stood, takes over the numbers of what
// was published, and makes the new generation the live one: instances go on there
// by themselves. Only true differences of tier are published. It may be stopped at
// any time; done again, it goes on.
func Rebuild(ctx context.Context, cfg config.Config, log zerolog.Logger, opts RebuildOptions) (*Rebuilt, error) {
	b := &rebuild{cfg: cfg, log: log, opts: opts, result: &Rebuilt{}}
	err := b.open(ctx)
	if err == nil {
		err = b.alone(ctx)
	}
	return b.result, errors.Join(err, b.close(ctx))
}

// rebuild is one under way.
type rebuild struct {
	cfg    config.Config
	log    zerolog.Logger
	opts   RebuildOptions
	result *Rebuilt

	live, next *redis.Store
	transport  *conn.Transport
	publisher  *sink.Publisher
	model      *scoring.Model
	people     people
	engine     *engine.Engine
	metrics    *engine.Metrics
	tiers      *tail.Follower
	replay     *replay
}

func (b *rebuild) stage(what string) {
	b.log.Info().Msg(what)
	if b.opts.Stage != nil {
		b.opts.Stage(what)
	}
}

// open connects, and begins the new generation or finds the one begun earlier.
func (b *rebuild) open(ctx context.Context) error {
	file, err := ReadModel(b.cfg.Model)
	if err != nil {
		return err
	}
	settings, err := storeConfig(b.cfg, false)
	if err != nil {
		return err
	}
	settings.AnyShards = true
	if b.live, err = openStore(ctx, b.cfg, settings, b.log); err != nil {
		return err
	}
	g, err := b.live.BeginGeneration(ctx)
	if err != nil {
		return err
	}
	b.result.Generation = g.Next
	settings.Generation, settings.AnyShards = g.Next, false
	if b.next, err = openStore(ctx, b.cfg, settings, b.log); err != nil {
		return err
	}
	if b.people, err = newPeople(b.cfg.People); err != nil {
		return err
	}
	if err := b.openKafka(ctx); err != nil {
		return err
	}
	if b.model, err = b.adopt(ctx, file); err != nil {
		return err
	}
	b.people.apply(b.model)
	b.model.ForgetAfter(b.cfg.Events.Forget())
	b.metrics = engine.NewMetrics(prometheus.NewRegistry())
	if b.engine, err = b.newEngine(silent{b.next}); err != nil {
		return err
	}
	b.replay, err = b.newReplay(ctx)
	return err
}

func (b *rebuild) openKafka(ctx context.Context) error {
	t := b.cfg.Kafka.Topics
	kafka, err := KafkaConfig(b.cfg, append(b.cfg.Kafka.InputTopics(), t.AccountTiers, t.DeadLetters))
	if err != nil {
		return err
	}
	if b.transport, err = conn.NewTransport(kafka); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	if b.publisher, err = sink.New(sink.Config{Transport: b.transport}, b.log); err != nil {
		return err
	}
	if b.tiers, err = tail.New(tail.Config{Transport: b.transport, Topic: t.AccountTiers}, b.log); err != nil {
		return err
	}
	group, err := groupName(ctx, b.cfg, b.transport, b.log)
	if err != nil {
		return err
	}
	return errors.Join(b.live.Claim(ctx, group), claim(ctx, b.next, b.people, group))
}

// adopt puts the new generation under the configured model from its beginning. The
// models that were in force before stand in front, so that who still has one of them
// is told, and does not put it in force again.
func (b *rebuild) adopt(ctx context.Context, file *modelfile.File) (*scoring.Model, error) {
	m, err := storedModel(ctx, b.next, file)
	if err != nil {
		return nil, err
	}
	begun, found, err := b.next.LatestModel(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("model of generation %d: %w", b.result.Generation, err)
	case found && begun.Hash == m.Hash():
		return m, nil
	}
	earlier, err := b.live.Models(ctx)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	if found && !slices.ContainsFunc(earlier, func(e store.Model) bool { return e.Hash == begun.Hash }) {
		return nil, fmt.Errorf("model: generation %d was begun with %s %s and is not finished: go on with that model, or drop it with `tidemark rebuild --drop`",
			b.result.Generation, begun.Name, begun.Version)
	}
	at := time.Now().UnixMilli()
	for _, e := range earlier {
		last := earlier[len(earlier)-1]
		if e.Hash == m.Hash() && last.Hash != m.Hash() {
			return nil, replaced(&e, &last)
		}
		at = max(at, e.EffectiveAt+1)
		// All of the new generation is written under one model.
		e.Adopted, e.Switched, e.Epoch = true, false, 0
		if err := b.next.AddModel(ctx, e); err != nil {
			return nil, err
		}
		if e.Hash == m.Hash() {
			return m, nil
		}
	}
	return m, b.next.AddModel(ctx, store.Model{
		Hash: m.Hash(), Name: m.Name(), Version: fmt.Sprint(m.Version()), EffectiveAt: at, Source: string(file.Source), Adopted: true,
	})
}

func (b *rebuild) newEngine(s engine.Store) (*engine.Engine, error) {
	return apart(b.cfg, b.model, s, aliases{b.next}, b.metrics, b.log)
}

// silent is a store whose tier changes nobody is told: they were told when they
// happened.
type silent struct{ *redis.Store }

// Commit implements engine.Store.
func (s silent) Commit(ctx context.Context, steps []engine.Step) []engine.Outcome {
	for i := range steps {
		steps[i].Outbox = nil
	}
	return s.Store.Commit(ctx, steps)
}

// alone works as the one process that builds.
func (b *rebuild) alone(ctx context.Context) error {
	take := func(ctx context.Context) (bool, error) {
		return b.live.Acquire(ctx, rebuildLease, b.live.Process(), leaseTTL)
	}
	// One that was killed has its lease for a while.
	limited, cancel := context.WithTimeout(ctx, leaseTTL+leaseTTL/2)
	defer cancel()
	release, err := hold(ctx, limited, b.log, take)
	if err != nil {
		if ctx.Err() == nil {
			return errors.New("another `tidemark rebuild` works on this namespace: wait for it, or stop it")
		}
		return ctx.Err()
	}
	defer func() {
		release()
		_ = b.live.Release(context.WithoutCancel(ctx), rebuildLease, b.live.Process()) // it runs out by itself
	}()
	return b.build(ctx)
}

func (b *rebuild) build(ctx context.Context) error {
	b.stage("reading the log")
	stop := b.replay.start(ctx)
	defer stop() //nolint:errcheck // called again below, where it matters
	if err := b.replay.await(ctx, nil); err != nil {
		return err
	}
	b.stage("comparing with the live state")
	var err error
	if b.result.Compared, err = b.compare(ctx, time.Now().UnixMilli()); err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	if b.opts.Switch {
		err = b.pause(ctx, stop)
	}
	if err == nil {
		err = stop()
	}
	b.replay.report(b.result)
	if err == nil {
		b.result.Former, err = b.former(ctx)
	}
	return err
}

func (b *rebuild) former(ctx context.Context) ([]int, error) {
	g, err := b.live.Generations(ctx)
	if err != nil {
		return nil, err
	}
	var out []int
	for n := 1; n < g.Live; n++ {
		stored, err := b.live.Exists(ctx, n)
		if err != nil {
			return nil, err
		}
		if stored {
			out = append(out, n)
		}
	}
	return out, nil
}

func (b *rebuild) close(ctx context.Context) error {
	var faults []error
	if b.replay != nil {
		faults = append(faults, b.replay.close(ctx))
	}
	if b.transport != nil {
		b.transport.Close()
	}
	for _, s := range []*redis.Store{b.next, b.live} {
		if s != nil {
			faults = append(faults, s.Close())
		}
	}
	return errors.Join(faults...)
}

// DropGenerations removes what is kept beside the live state: earlier ones, and
// one that was begun and not switched to. It returns their numbers.
func DropGenerations(ctx context.Context, cfg config.Config, log zerolog.Logger) ([]int, error) {
	settings, err := storeConfig(cfg, false)
	if err != nil {
		return nil, err
	}
	settings.AnyShards = true
	s, err := openStore(ctx, cfg, settings, log)
	if err != nil {
		return nil, err
	}
	b := &rebuild{live: s}
	old, err := b.former(ctx)
	if err == nil {
		var g redis.Generations
		if g, err = s.Generations(ctx); g.Next > 0 {
			old = append(old, g.Next)
		}
	}
	for _, n := range old {
		if err == nil {
			err = s.DropGeneration(ctx, n)
		}
	}
	return old, errors.Join(err, s.Close())
}
