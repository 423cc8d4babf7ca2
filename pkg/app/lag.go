package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/lag"
	"tidemark/pkg/store/redis"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/conn"
	"tidemark/streams/source"
	"tidemark/streams/survey"
	"tidemark/streams/tail"
)

// LagOptions say how long to watch and how much to read.
type LagOptions struct {
	Window time.Duration
	Sample int64 // the most records to read for accounts at risk
}

// lagTimeout bounds a look beside its window: a person waits.
const lagTimeout = 20 * time.Second

// lagEvery is the time between two looks of a person's window.
const lagEvery = 500 * time.Millisecond

// Lag says how late the configured deployment is. It asks Kafka and Redis only, and
// writes nothing.
func Lag(ctx context.Context, c config.Config, o LagOptions, log zerolog.Logger) (*lag.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Window+lagTimeout)
	defer cancel()
	kafka, err := KafkaConfig(c, c.Kafka.InputTopics())
	if err != nil {
		return nil, err
	}
	transport, err := conn.NewTransport(kafka)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer transport.Close()
	state, done := lookAtState(ctx, c, log)
	defer done()
	w, err := newWatcher(c, transport, state, log)
	if err != nil {
		return nil, err
	}
	r, err := w.Report(ctx, lagOptions(c, o.Window, lagEvery, o.Sample))
	if err != nil {
		return nil, fmt.Errorf("kafka.brokers %v: %w", c.Kafka.Brokers, err)
	}
	return r, nil
}

func lagOptions(c config.Config, window, every time.Duration, sample int64) lag.Options {
	return lag.Options{Group: c.Kafka.Group, Checkpoint: c.Engine.CheckpointInterval, Window: window, Every: every, Sample: sample}
}

// newWatcher looks at Kafka as the configuration has it, and at a state.
func newWatcher(c config.Config, transport *conn.Transport, state lagState, log zerolog.Logger) (*lag.Watcher, error) {
	formats, err := Formats(c)
	if err != nil {
		return nil, err
	}
	now := func() int64 { return time.Now().UnixMilli() }
	return &lag.Watcher{
		Log: lagLog{
			cluster: survey.New(transport, 0), transport: transport, topics: c.Kafka.InputTopics(), group: c.Kafka.Group, log: log,
			decoder: codec.New(codec.Rules{
				Now: now, FutureTolerance: c.Events.FutureTolerance.Milliseconds(), MaxEventAge: c.Events.MaxAge.Milliseconds(),
				MaxBytes: int(c.Events.MaxBytes), ProfilesTopic: c.Kafka.Topics.Profiles, Formats: formats,
				// Which model is in force is not known yet, so all is read.
				Reads: func(string) (properties, fields bool) { return true, true },
			}),
		},
		State: state, Now: now,
	}, nil
}

// lookAtState opens the store to look at it. What hinders that is found in every
// answer of the state: the rest of the look goes on.
func lookAtState(ctx context.Context, c config.Config, log zerolog.Logger) (lagState, func()) {
	settings, err := storeConfig(c, readOnly)
	if err != nil {
		return lagState{fault: err}, func() {}
	}
	settings.Retries = 1
	s, err := redis.Look(ctx, settings, log)
	if errors.Is(err, redis.ErrNoNamespace) {
		return lagState{empty: c.Redis.Shards}, func() {}
	}
	if err != nil {
		return lagState{fault: fmt.Errorf("redis.addrs %v: %w", c.Redis.Addrs, err)}, func() {}
	}
	return lagState{Store: s, people: c.People}, func() { _ = s.Close() }
}

// lagState is a store as lag wants it.
type lagState struct {
	*redis.Store // nil where fault or empty is set
	people       config.People
	fault        error // why there is no store
	empty        int   // the shards of a namespace that was not made yet
}

// Positions implements lag.State.
func (s lagState) Positions(ctx context.Context) ([]map[engine.Partition]int64, error) {
	switch {
	case s.fault != nil:
		return nil, s.fault
	case s.empty > 0:
		return make([]map[engine.Partition]int64, s.empty), nil
	}
	return s.Store.Positions(ctx)
}

// NextDue implements lag.State.
func (s lagState) NextDue(ctx context.Context, shards []int) ([]int64, error) {
	if s.Store == nil {
		return nil, s.fault
	}
	return s.Store.NextDue(ctx, shards)
}

// Load implements lag.State.
func (s lagState) Load(ctx context.Context, wanted ...engine.Wanted) ([]engine.Record, error) {
	if s.Store == nil {
		return nil, s.fault
	}
	return s.Store.Load(ctx, wanted...)
}

// ResolveAliases implements lag.State.
func (s lagState) ResolveAliases(ctx context.Context, domains []string) (map[string]string, error) {
	if s.Store == nil {
		return nil, s.fault
	}
	return s.Store.ResolveAliases(ctx, domains)
}

// Waiting implements lag.State.
func (s lagState) Waiting(ctx context.Context) (entries, oldest int64, err error) {
	if s.Store == nil {
		return 0, 0, s.fault
	}
	return s.Store.Waiting(ctx)
}

// Stored implements lag.State.
func (s lagState) Stored(ctx context.Context) (ago int64, known bool, err error) {
	if s.Store == nil {
		return 0, false, s.fault
	}
	return s.Store.Stored(ctx)
}

// Model implements lag.State.
func (s lagState) Model(ctx context.Context) (*scoring.Model, engine.Past, error) {
	if s.Store == nil {
		return nil, engine.Past{}, s.fault
	}
	r, err := inForce(ctx, s.Store)
	if r.model == nil || err != nil {
		return nil, engine.Past{}, err
	}
	who, err := newPeople(s.people)
	if err != nil {
		return nil, engine.Past{}, err
	}
	who.apply(r.model)
	return r.model, r.past, nil
}

// lagLog is Kafka as lag wants it.
type lagLog struct {
	cluster   *survey.Cluster
	transport *conn.Transport
	topics    []string
	group     string
	decoder   *codec.Decoder
	log       zerolog.Logger
}

// Partitions implements lag.Log.
func (l lagLog) Partitions(ctx context.Context) ([]engine.Partition, []string, error) {
	return l.cluster.Partitions(ctx, l.topics)
}

// Bounds implements lag.Log.
func (l lagLog) Bounds(ctx context.Context, parts []engine.Partition) (map[engine.Partition]engine.Bounds, error) {
	return l.cluster.Bounds(ctx, parts)
}

// Committed implements lag.Log.
func (l lagLog) Committed(ctx context.Context, parts []engine.Partition) (map[engine.Partition]lag.Commit, error) {
	found, err := l.cluster.Committed(ctx, l.group, parts)
	out := make(map[engine.Partition]lag.Commit, len(found))
	for p, c := range found {
		out[p] = lag.Commit(c)
	}
	return out, err
}

// Read implements lag.Log.
func (l lagLog) Read(ctx context.Context, p engine.Partition, from int64, take func(lag.Record) error) error {
	follower, err := tail.New(tail.Config{Transport: l.transport, Topic: p.Topic}, l.log)
	if err != nil {
		return err
	}
	return follower.Whole(ctx, p.ID, from, func(r tail.Record) error {
		in := source.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: r.Time, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			in.Headers = append(in.Headers, source.Header{Key: h.Key, Value: h.Value})
		}
		return take(lag.Record{Offset: r.Offset, Time: r.Time, Events: decode(l.decoder, &in, nil).Events})
	})
}
