package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/pkg/store/redis"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

// common is what all instances agree about, as the store has it.
type common struct {
	store interface {
		LatestModel(ctx context.Context) (store.Model, bool, error)
		Generations(ctx context.Context) (redis.Generations, error)
		Generation() int
	}
	model *scoring.Model
}

// errMoved says that the namespace is being switched, or was, to another
// generation: whoever serves begins anew there.
var errMoved = errors.New("the namespace was switched to another generation")

// Agrees implements Common. Under two models instances would undo each other, and
// in two generations they would publish twice.
func (c common) Agrees(ctx context.Context) error {
	g, err := c.store.Generations(ctx)
	if err != nil {
		return err
	}
	if g.Held || g.Live != c.store.Generation() {
		return hopeless{errMoved}
	}
	m, _, err := c.store.LatestModel(ctx)
	if err != nil {
		return fmt.Errorf("model in force: %w", err)
	}
	// No model at all: the store was emptied, which Assign finds and says better.
	if m.Hash != "" && m.Hash != c.model.Hash() {
		return hopeless{fmt.Errorf("another instance put the model with hash %.12s in force, this one has %.12s: restart this instance with the same model file",
			m.Hash, c.model.Hash())}
	}
	return nil
}

// adoptLease is held by the one instance that puts a model in force.
const adoptLease = "adopt"

// adopt puts the store under this program's model. Where it was under another, that is
// noted first, with the instant at which the new one takes effect; other instances see it
// and stop, which is waited for and noted too. From then on instances serve under the new
// model, and accounts are put under it one by one as of that instant: see engine.Past.
// Stopped anywhere in between, the next start goes on with the same instant.
func (s *service) adopt(ctx context.Context) error {
	models, err := s.store.Models(ctx)
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	if !serves(models, s.model) {
		if models, err = s.replace(ctx); err != nil {
			return err
		}
	}
	models = numbered(models)
	past, err := pastOf(models, func(m store.Model) (*scoring.Model, error) { return s.stored(ctx, m) })
	if err != nil {
		return err
	}
	s.engine.Inherit(past)
	s.gate.Inherit(past)
	s.pump.rescore.begin(models[len(models)-1])
	return nil
}

// serves reports whether instances may serve under the model: nobody does any more under
// one before it.
func serves(models []store.Model, m *scoring.Model) bool {
	if len(models) == 0 {
		return false
	}
	last := models[len(models)-1]
	return last.Hash == m.Hash() && (last.Switched || last.Adopted)
}

// replace announces this program's model, and waits until others have stopped.
func (s *service) replace(ctx context.Context) ([]store.Model, error) {
	release, err := hold(ctx, ctx, s.log, func(ctx context.Context) (bool, error) {
		return s.store.Acquire(ctx, adoptLease, s.owner(), leaseTTL)
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		release()
		// Best effort: it runs out by itself.
		_ = s.store.Release(context.WithoutCancel(ctx), adoptLease, s.owner())
	}()
	for {
		models, err := s.store.Models(ctx)
		if err != nil {
			return nil, fmt.Errorf("models: %w", err)
		}
		switch n := len(models); {
		case serves(models, s.model):
			return models, nil
		case n > 0 && models[n-1].Hash == s.model.Hash():
			err = s.switchTo(ctx, numbered(models)[n-1])
		default:
			err = s.announce(ctx, numbered(models))
		}
		if err != nil {
			return nil, err
		}
	}
}

// announce notes this program's model as the next one; where there was none, there is
// nothing to wait for.
func (s *service) announce(ctx context.Context, earlier []store.Model) error {
	at, err := s.effective(ctx)
	if err != nil {
		return err
	}
	next := store.Model{
		Hash: s.model.Hash(), Name: s.model.Name(), Version: fmt.Sprint(s.model.Version()),
		Source: string(s.file.Source), Adopted: len(earlier) == 0,
	}
	for i, m := range earlier {
		if m.Hash == s.model.Hash() {
			return hopeless{replaced(&m, &earlier[len(earlier)-1])}
		}
		// Instants ascend, so that each is the instant of one change only.
		at = max(at, m.EffectiveAt+1)
		next.Epoch = earlier[i].Epoch + 1
	}
	next.EffectiveAt = at
	return s.store.AddModel(ctx, next)
}

func replaced(old, now *store.Model) error {
	return fmt.Errorf("model: %s %s was replaced by %s %s on %s: start with that model; to go back to the old one, raise its version",
		old.Name, old.Version, now.Name, now.Version, codec.FormatTime(now.EffectiveAt))
}

// switchTo waits until every other instance has stopped that serves under a model before,
// and notes that.
func (s *service) switchTo(ctx context.Context, m store.Model) error {
	s.log.Info().Str("to", m.Name+" "+m.Version).Msg("the model changed, waiting for other instances to stop")
	shards := everyShard(s.store.Shards())
	release, err := holdShards(ctx, s.log, s.store, shards, s.owner())
	if err != nil {
		return err
	}
	defer func() {
		release()
		// Best effort: they run out by themselves.
		_ = s.store.ReleaseShards(context.WithoutCancel(ctx), shards, s.owner())
	}()
	m.Switched = true
	return s.store.AddModel(ctx, m)
}

// stored compiles a model of the store, as it was in force here.
func (s *service) stored(ctx context.Context, m store.Model) (*scoring.Model, error) {
	if m.Hash == s.model.Hash() {
		return s.model, nil
	}
	out, err := compiled(ctx, s.store, m)
	if err == nil {
		s.people.apply(out)
		out.ForgetAfter(s.cfg.Events.Forget())
	}
	return out, err
}

// apart is an engine that works apart from what is served, on every shard.
func apart(c config.Config, m *scoring.Model, s engine.Store, a engine.Aliases, metrics *engine.Metrics, log zerolog.Logger) (*engine.Engine, error) {
	return engine.New(engine.Config{Lanes: c.Engine.Lanes, Accounts: c.Engine.CacheAccounts}, m, s, a,
		codec.ChangeEncoder{Namespace: c.Namespace}, engine.Hooks{}, metrics, log)
}

// holdShards is hold of every shard at once: whoever has them all knows that nobody
// else publishes.
func holdShards(ctx context.Context, log zerolog.Logger, s *redis.Store, shards []int, owner string) (release func(), err error) {
	return hold(ctx, ctx, log, func(ctx context.Context) (bool, error) {
		got, err := s.AcquireShards(ctx, shards, owner, leaseTTL)
		return err == nil && !slices.Contains(got, false), err
	})
}

// hold takes something that runs out, waiting for it as long as patience allows,
// and renews it until release or the end of ctx.
func hold(ctx, patience context.Context, log zerolog.Logger, take func(context.Context) (bool, error)) (release func(), err error) {
	for attempt := 0; ; attempt++ {
		ok, err := take(patience)
		if ok {
			break
		}
		if err != nil {
			log.Debug().Err(err).Msg("lease not taken")
		}
		if !wait(patience, min(attempt, 3)) {
			return nil, patience.Err()
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(leaseTTL / 5)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if _, err := take(ctx); err != nil && ctx.Err() == nil {
					log.Debug().Err(err).Msg("lease not renewed")
				}
			}
		}
	}()
	return func() { cancel(); <-done }, nil
}

// effective is the instant of a change made now: the low watermark that was last
// noted, up to which the model before was applied, or now where there is none.
func (s *service) effective(ctx context.Context) (int64, error) {
	marks, err := s.store.Watermarks(ctx)
	if err != nil {
		return 0, fmt.Errorf("watermarks: %w", err)
	}
	all, err := s.source.AllPartitions(ctx)
	if err != nil {
		return 0, fmt.Errorf("partitions: %w", err)
	}
	at := s.now()
	for _, p := range all {
		switch m, ok := marks[p]; {
		case !ok:
		case m.Consumed != math.MinInt64:
			at = min(at, m.Consumed)
		default: // nothing was consumed yet: all of it waits
			at = min(at, m.Frontier-1)
		}
	}
	return at, nil
}
