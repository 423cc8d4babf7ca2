package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"tidemark/pkg/app"
	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

// seeded is what a template is given: its events, in order of time.
type seeded func(template int) []*scoring.Event

const (
	// templates are the accounts that are scored for a seeding; all others are as one of
	// them, but for their name.
	templates = 64
	// stepAccounts are stored by one script, stepsAtOnce go in one round trip, and so many
	// trips are under way.
	stepAccounts = 250
	stepsAtOnce  = 32
	tripsAtOnce  = 3
)

// seed puts accounts into a deployment's Redis without Kafka, in seconds: a few are
// scored and packed by the program's own engine, and what it would store of them is
// stored under each name, through the store's own commits. Nothing of it is published,
// as if it had been long ago.
func (b *bench) seed(ctx context.Context, d *deployment, accounts int, name func(n int) string, what seeded) (err error) {
	store, err := app.OpenStore(ctx, d.cfg, false, zerolog.Nop())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	packed, err := pack(ctx, d, store, what)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	begun := time.Now()
	if err := sow(ctx, store, accounts, name, packed); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	took := time.Since(begun)
	if err := b.eachMaster(ctx, synced); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	b.say("%s accounts seeded in %s, on the disk after %s", number(float64(accounts)), seconds(took), seconds(time.Since(begun)))
	return nil
}

// pack scores the templates and gives what the engine would store of them.
func pack(ctx context.Context, d *deployment, store *redis.Store, what seeded) ([]engine.Write, error) {
	file, err := app.ReadModel(d.cfg.Model)
	if err != nil {
		return nil, err
	}
	names, err := store.Names(ctx, file.Spec.Names())
	if err != nil {
		return nil, err
	}
	model, err := app.Compile(file, names)
	if err != nil {
		return nil, err
	}
	kept := &keeping{Store: store}
	e, err := engine.New(engine.Config{Lanes: 1, Accounts: templates}, model, kept, noAliases{}, codec.ChangeEncoder{Namespace: d.cfg.Namespace},
		engine.Hooks{}, engine.NewMetrics(prometheus.NewRegistry()), zerolog.Nop())
	if err != nil {
		return nil, err
	}
	round := engine.Round{Watermark: engine.UnknownWatermark, Until: engine.UnknownWatermark}
	for n := range templates {
		for _, event := range what(n) {
			in := engine.Input{Event: event, Partition: partition{Topic: "seed"}, Offset: int64(len(round.Inputs))}
			round.Inputs = append(round.Inputs, in)
		}
	}
	if err := e.Process(ctx, round); err != nil {
		return nil, err
	}
	if len(kept.writes) != templates {
		return nil, fmt.Errorf("%d of %d templates have a state", len(kept.writes), templates)
	}
	return kept.writes, nil
}

// keeping is a store that keeps what it should store, and stores nothing.
type keeping struct {
	engine.Store
	writes []engine.Write
}

// Commit implements engine.Store.
func (k *keeping) Commit(_ context.Context, steps []engine.Step) []engine.Outcome {
	for _, s := range steps {
		for _, w := range s.Writes {
			w.State = slices.Clone(w.State) // the engine's memory
			k.writes = append(k.writes, w)
		}
	}
	return make([]engine.Outcome, len(steps))
}

// sow stores accounts, each as one of the templates.
func sow(ctx context.Context, store engine.Store, accounts int, name func(n int) string, packed []engine.Write) error {
	trips, ctx := errgroup.WithContext(ctx)
	trips.SetLimit(tripsAtOnce)
	open := make([][]engine.Write, store.Shards())
	var steps []engine.Step
	closed := func(shard int) {
		steps = append(steps, engine.Step{Shard: shard, Writes: open[shard]})
		open[shard] = nil
	}
	send := func() {
		batch := steps
		steps = nil
		trips.Go(func() error { return commitAll(ctx, store, batch) })
	}
	for n := 0; n < accounts && ctx.Err() == nil; n++ {
		w := packed[n%len(packed)]
		w.Account, w.Was, w.Now = name(n), 0, uint64(n)+1
		shard := engine.ShardOf(w.Account, len(open))
		if open[shard] = append(open[shard], w); len(open[shard]) == stepAccounts {
			closed(shard)
		}
		if len(steps) == stepsAtOnce {
			send()
		}
	}
	for shard, writes := range open {
		if len(writes) > 0 {
			closed(shard)
		}
	}
	send()
	return trips.Wait()
}

func commitAll(ctx context.Context, store engine.Store, steps []engine.Step) error {
	for _, o := range store.Commit(ctx, steps) {
		if o.Err != nil {
			return o.Err
		}
		if o.Result != engine.OK {
			return errors.New("somebody else writes to the bench's namespace")
		}
	}
	return nil
}

// noAliases is what an engine needs whose events all name their account.
type noAliases struct{}

func (noAliases) Resolve(context.Context, []string) (map[string]string, error) { return nil, nil }
func (noAliases) Claim(context.Context, []engine.Alias) error                  { return nil }
func (noAliases) Release(context.Context, string, []string) error              { return nil }

// quietAccount is an account of the population, as seeded: its last event was minutes
// before the given instant, and it stands in the best tier for days.
func quietAccount(before time.Time) seeded {
	properties := scoring.Map{"path": paths[0], "campaign": campaigns[0]}
	return func(template int) []*scoring.Event {
		events := make([]*scoring.Event, len(population))
		for i, s := range population {
			at := before.Add(-time.Duration(s.minutesEarly)*time.Minute - time.Duration(template)*time.Second).UnixMilli()
			who := contacts[s.contact]
			events[i] = &scoring.Event{
				ID: fmt.Sprintf("p-%d", i), Source: s.source, Type: s.typ, Time: at, Arrived: at, Account: fmt.Sprintf("template-%d", template),
				Strength: 1, Properties: properties,
				Contact: &scoring.Contact{ID: fmt.Sprintf("c-%d", s.contact), Title: who.title, Seniority: who.seniority},
			}
		}
		return events
	}
}

// popName is the name of an account of the population, counted from 0.
func popName(n int) string { return fmt.Sprintf("pop-%07d", n) }
