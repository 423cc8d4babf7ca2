package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/app"
	"tidemark/pkg/engine"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

// seeded is what account number n is given: its events, in order of time.
type seeded func(n int) []*scoring.Event

// seedRound is how many accounts are stored in one round: a script for each shard
// stores a few hundred of them.
const seedRound = 16_384

// seed puts accounts into a deployment's Redis without Kafka: the program's own engine
// scores their events in this process and stores what comes of them. All of an
// account's events are in one round, so that it is written once. Nothing of it is
// published, as if it had been long ago.
func (b *bench) seed(ctx context.Context, d *deployment, accounts int, what seeded) (err error) {
	store, err := app.OpenStore(ctx, d.cfg, false, zerolog.Nop())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	file, err := app.ReadModel(d.cfg.Model)
	if err != nil {
		return err
	}
	names, err := store.Names(ctx, file.Spec.Names())
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	model, err := app.Compile(file, names)
	if err != nil {
		return err
	}
	e, err := engine.New(engine.Config{Lanes: d.cfg.Engine.Lanes, Accounts: seedRound}, model, unpublished{store}, noAliases{},
		codec.ChangeEncoder{Namespace: d.cfg.Namespace}, engine.Hooks{}, engine.NewMetrics(prometheus.NewRegistry()), zerolog.Nop())
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := seedAll(ctx, e, accounts, what); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	b.say("%s accounts seeded in %s", number(float64(accounts)), seconds(time.Since(begun)))
	return nil
}

func seedAll(ctx context.Context, e *engine.Engine, accounts int, what seeded) error {
	round := engine.Round{Watermark: engine.UnknownWatermark, Until: engine.UnknownWatermark, Behind: true}
	offset := int64(0)
	for n := range accounts {
		for _, event := range what(n) {
			round.Inputs = append(round.Inputs, engine.Input{Event: event, Partition: partition{Topic: "seed"}, Offset: offset})
			offset++
		}
		if (n+1)%seedRound != 0 && n+1 < accounts {
			continue
		}
		if err := e.Process(ctx, round); err != nil {
			return err
		}
		clear(round.Inputs)
		round.Inputs = round.Inputs[:0]
	}
	return nil
}

// unpublished is a store that takes no messages: seeded accounts are old.
type unpublished struct{ engine.Store }

// Commit implements engine.Store.
func (u unpublished) Commit(ctx context.Context, steps []engine.Step) []engine.Outcome {
	for i := range steps {
		steps[i].Outbox = nil
	}
	return u.Store.Commit(ctx, steps)
}

// noAliases is what an engine needs whose events all name their account.
type noAliases struct{}

func (noAliases) Resolve(context.Context, []string) (map[string]string, error) { return nil, nil }
func (noAliases) Claim(context.Context, []engine.Alias) error                  { return nil }
func (noAliases) Release(context.Context, string, []string) error              { return nil }

// quietAccount is an account of the population, as seeded: its last event was minutes
// before the given instant, and it stands in the best tier for days.
func quietAccount(name func(n int) string, before time.Time) seeded {
	properties := map[string]any{"path": paths[0], "campaign": campaigns[0]}
	people := make([]*scoring.Contact, len(contacts))
	for i, c := range contacts {
		people[i] = &scoring.Contact{ID: fmt.Sprintf("c-%d", i), Title: c.title, Seniority: c.seniority}
	}
	return func(n int) []*scoring.Event {
		account := name(n)
		events := make([]*scoring.Event, len(population))
		for i, s := range population {
			at := before.Add(-time.Duration(s.minutesEarly)*time.Minute - time.Duration(n%60_000)*time.Millisecond).UnixMilli()
			events[i] = &scoring.Event{
				ID: fmt.Sprintf("p-%d", n*perAccount+i), Source: s.source, Type: s.typ, Time: at, Arrived: at,
				Account: account, Strength: 1, Contact: people[s.contact], Properties: properties,
			}
		}
		return events
	}
}

// popName is the name of an account of the population, counted from 0.
func popName(n int) string { return fmt.Sprintf("pop-%07d", n) }
