package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"tidemark/pkg/api"
	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/failpoint"
	"tidemark/pkg/lag"
	"tidemark/pkg/live"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/store/redis"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/conn"
	"tidemark/streams/relay"
	"tidemark/streams/sink"
	"tidemark/streams/source"
	"tidemark/streams/tail"
)

// Options are what a caller of Serve decides beside the configuration.
type Options struct {
	// Embedded allows the in-process servers of the demo.
	Embedded bool
	// Ready, if not nil, is called with the address of the HTTP server once
	// everything is wired.
	Ready func(httpAddr string)
	// Now replaces the clock, Unix milliseconds. Nil: the system's. The demo's
	// time-lapse is such a clock.
	Now func() int64
}

// leaseTTL is how long a shard may go without a relay and sweeps after its
// instance died.
const leaseTTL = 10 * time.Second

// service is everything that runs, in the order in which it was opened.
type service struct {
	cfg   config.Config
	opts  Options
	log   zerolog.Logger
	now   func() int64
	state *state

	file      *modelfile.File
	model     *scoring.Model
	people    people
	registry  *prometheus.Registry
	metrics   *engine.Metrics
	fresh     *freshness
	tracer    *tracer // nil: nothing is traced
	canary    *canary
	store     *redis.Store
	beside    *redis.Store // of the gate before the relay
	transport *conn.Transport
	publisher *sink.Publisher
	engine    *engine.Engine
	gate      *engine.Engine // of the gate before the relay
	tiers     *tail.Follower // of account-tiers
	relay     *relay.Relay
	leases    *leases
	waker     *waker
	source    *source.Source
	pump      *pump
	letters   *watchedLetters
	keeper    *lag.Keeper
	room      *redisRoom // nil with the in-process Redis
	web       *web
	streams   *live.Hub
	routing   *routing // nil: MQAs are not routed

	subscribers *subscribers // nil where none are configured
}

// Serve runs until ctx ends, then stops in order: no more fetching, what is in
// hand finished and stored, the outbox published, the group left. It returns nil
// after a clean stop, and an error for what can't heal.
//
// When `tidemark rebuild` switches the namespace to another generation, it waits
// for that and goes on there.
func Serve(ctx context.Context, cfg config.Config, log zerolog.Logger, opts Options) error {
	n := newNotifier(log)
	var telling sync.WaitGroup
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	telling.Go(func() { n.Run(life, ctx.Done()) })
	defer telling.Wait()
	defer end()
	err := serve(ctx, cfg, log, opts, n)
	for errors.Is(err, errMoved) && ctx.Err() == nil {
		log.Info().Msg("the namespace is switched to another generation, beginning anew there")
		err = serve(ctx, cfg, log, opts, n)
	}
	if errors.Is(err, errMoved) {
		return nil
	}
	return err
}

func serve(ctx context.Context, cfg config.Config, log zerolog.Logger, opts Options, n *notifier) error {
	s := &service{cfg: cfg, opts: opts, log: log, now: opts.Now}
	if s.now == nil {
		s.now = failpoint.Clock(func() int64 { return time.Now().UnixMilli() })
	}
	err := s.open(ctx)
	if err == nil {
		n.running.Store(s.vital())
		err = s.run(ctx)
		n.running.Store(nil)
	} else if ctx.Err() != nil {
		err = nil // stopped while it waited: it goes on at the next start
	}
	return errors.Join(err, s.close(ctx))
}

// open wires everything. It is one straight line because each step needs the
// ones before it.
func (s *service) open(ctx context.Context) error {
	var err error
	if s.file, err = ReadModel(s.cfg.Model); err != nil {
		return err
	}
	if _, err := Compile(s.file, s.file.Spec.Names()); err != nil {
		return err
	}
	s.registry = prometheus.NewRegistry()
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.state = &state{changed: func() { s.leases.Kick() }}
	s.state.register(s.registry)
	if s.web, err = newWeb(s.cfg.HTTP.Addr, s.ready, s.notes, metricsPage(s.registry, s.cfg.OTel)); err != nil {
		return err
	}
	registerReady(ctx, s.registry, s.ready)
	if s.store, err = OpenStore(ctx, s.cfg, s.opts.Embedded, s.log); err != nil {
		return err
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	if err := s.openKafka(); err != nil {
		return err
	}
	if s.people, err = newPeople(s.cfg.People); err != nil {
		return err
	}
	if err := s.claim(ctx); err != nil {
		return err
	}
	if s.model, err = storedModel(ctx, s.store, s.file); err != nil {
		return err
	}
	s.people.apply(s.model)
	s.model.ForgetAfter(s.cfg.Events.Forget())
	s.leases = newLeases(s.store, s.store.Shards(), s.owner(), s.state.share, s.log)
	s.waker = newWaker(s.store.Wake, s.log)
	s.fresh = newFreshness(s.registry, s.now)
	if s.tracer, err = newTracer(ctx, s.cfg, s.owner(), s.fresh, s.registry, s.log); err != nil {
		return err
	}
	if err := s.openEngine(); err != nil {
		return err
	}
	if s.canary, err = newCanary(s.cfg, s.store.Shards(), s.publisher, s.registry, s.now, s.log); err != nil {
		return err
	}
	if err := s.openRelay(ctx); err != nil {
		return err
	}
	if err := s.openSource(); err != nil { //nolint:contextcheck // a trace's context is a value, it ends nothing
		return err
	}
	if err := s.openKeeper(); err != nil {
		return err
	}
	if !s.opts.Embedded {
		s.room = newRedisRoom(s.store, s.registry, s.log)
	}
	if err := s.openRouting(); err != nil {
		return err
	}
	if err := s.openAPI(); err != nil {
		return err
	}
	if err := s.openSubscribers(ctx); err != nil {
		return err
	}
	return s.adopt(ctx)
}

// settled waits until no switch to another generation is under way.
func (s *service) settled(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		g, err := s.store.Generations(ctx)
		switch {
		case err == nil && !g.Held && g.Live != s.store.Generation():
			return errMoved
		case err == nil && !g.Held:
			return nil
		case attempt == 0:
			s.log.Info().Err(err).Msg("waiting for tidemark rebuild to switch the namespace")
		}
		if !wait(ctx, min(attempt, 2)) {
			return ctx.Err()
		}
	}
}

func (s *service) openKafka() error {
	t := s.cfg.Kafka.Topics
	topics := append(s.cfg.Kafka.InputTopics(), t.TierChanges, t.AccountTiers, t.DeadLetters)
	if s.cfg.Routing != "" {
		topics = append(topics, t.MQARouting)
	}
	kafka, err := KafkaConfig(s.cfg, topics)
	if err != nil {
		return err
	}
	if s.transport, err = conn.NewTransport(kafka); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	s.publisher, err = sink.New(sink.Config{Transport: s.transport}, s.log)
	return err
}

// claim ties the namespace to the Kafka cluster and group.
func (s *service) claim(ctx context.Context) error {
	owner, err := groupName(ctx, s.cfg, s.transport, s.log)
	if err != nil {
		return err
	}
	return claim(ctx, s.store, s.people, owner)
}

// claim ties a store to the key of its people's hashes, and then to a group: whoever
// has the group's name in it has the key's check too. Then it is brought up to date.
func claim(ctx context.Context, s *redis.Store, who people, group string) error {
	if err := s.ClaimPeople(ctx, who.check); err != nil {
		return err
	}
	if err := s.Claim(ctx, group); err != nil {
		return err
	}
	return s.Upgrade(ctx)
}

// groupName is the name of our consumer group in all the world.
func groupName(ctx context.Context, cfg config.Config, transport *conn.Transport, log zerolog.Logger) (string, error) {
	topics := sink.NewTopics(transport, 0)
	for attempt := 0; ; attempt++ {
		id, err := topics.ClusterID(ctx)
		if err == nil {
			return id + "/" + cfg.Kafka.Group, nil
		}
		if attempt == 0 {
			log.Warn().Err(err).Strs("kafka", cfg.Kafka.Brokers).Msg("kafka does not answer, trying again")
		}
		if !sink.Heals(err) || !wait(ctx, attempt) {
			return "", fmt.Errorf("kafka.brokers %v: %w", cfg.Kafka.Brokers, err)
		}
	}
}

func (s *service) owner() string {
	return s.store.Process()
}

func (s *service) openEngine() error {
	s.metrics = engine.NewMetrics(s.registry)
	hooks := engine.Hooks{
		Outbox: s.appended, Owns: s.leases.Owns, Unpublished: func() int { return s.relay.Unpublished() },
		Refuse: func(ctx context.Context, in *engine.Input, why string) error { return s.pump.refuse(ctx, in, why) },
		Scored: s.tracer.scored(),
	}
	var err error
	s.engine, err = engine.New(
		engine.Config{Lanes: s.cfg.Engine.Lanes, Accounts: s.cfg.Engine.CacheAccounts},
		s.model, s.store, aliases{s.store}, codec.ChangeEncoder{Namespace: s.cfg.Namespace},
		hooks, s.metrics, s.log)
	return err
}

// appended tells whoever relays the shard that its outbox has something: our own relay
// gets it handed over.
func (s *service) appended(shard int, a engine.Appended) {
	if !s.leases.Owns(shard) {
		s.waker.Add(shard)
		return
	}
	s.relay.Add(shard, a.Behind, handOver(a))
}

// openRelay wires the relay and the gate before it. The gate corrects states through
// a store of its own: to the engine, which remembers accounts, it is another process.
func (s *service) openRelay(ctx context.Context) error {
	t := s.cfg.Kafka.Topics
	var err error
	if s.tiers, err = tail.New(tail.Config{Transport: s.transport, Topic: t.AccountTiers}, s.log); err != nil {
		return err
	}
	if s.beside, err = OpenStore(ctx, s.cfg, s.opts.Embedded, s.log); err != nil {
		return err
	}
	if s.beside.Generation() != s.store.Generation() {
		return errMoved
	}
	gate := &upheld{
		outbox: s.store, states: s.store, tiers: s.tiers, topic: t.AccountTiers, owns: s.leases.Owns, tenure: s.leases.Tenure,
		canary: s.canary, log: s.log, count: newDisputes(s.registry), shards: make([]recent, s.store.Shards()),
	}
	if s.gate, err = apart(s.cfg, s.model, s.beside, aliases{s.beside}, s.metrics, s.log); err != nil {
		return err
	}
	gate.engine = s.gate
	s.relay, err = relay.New(relay.Config{
		Topics: relay.Topics{Changes: t.TierChanges, Tiers: t.AccountTiers},
		Shards: s.store.Shards(), Owns: s.leases.Owns, PublishTimeout: relayMargin,
		Abreast: relayAbreast, Admit: gate.Admit,
		Hooks: relay.Hooks{Published: s.fresh.acknowledged, Traced: s.tracer.published()}, //nolint:contextcheck // a trace's context is a value, it ends nothing
	}, gate, s.publisher, s.log)
	return err
}

// relayAbreast is in how many parts shards are relayed: as many as the publisher has
// requests under way to one broker.
const relayAbreast = 4

func (s *service) openSource() error {
	t := s.cfg.Kafka.Topics
	var err error
	if s.source, err = newSource(s.cfg, s.cfg.Kafka.Group, s.transport, codec.Rules{Now: s.now, Reads: s.model.Reads, Users: knowsUsers(s.cfg)}, s.decoding, s.log); err != nil {
		return err
	}
	s.source.Register(s.registry)
	s.letters = &watchedLetters{Deadletters: newLetters(s.publisher, t.DeadLetters, s.registry)}
	s.pump = &pump{
		rewinds: newRewinds(s.engine, s.tiers, t.AccountTiers, s.registry, s.log),
		source:  s.source, engine: s.engine, letters: s.letters,
		tide: newTide(s.store, s.cfg.Engine.MaxLead.Milliseconds()), servers: s.store, common: common{s.store, s.model}, blind: map[string]bool{}, state: s.state, log: s.log, now: s.now,
		users:  newResolver(s.cfg, s.store, s.people, s.engine),
		guard:  newGuard(s.cfg.Events.Guard, s.cfg.Kafka.InputTopics(), s.registry, s.log),
		fences: &fences{engine: s.engine, log: s.log},
		batch:  s.cfg.Engine.MaxBatch, checkpoint: s.cfg.Engine.CheckpointInterval, look: lookPeriod,
		went: s.tracer.stored(s.fresh.stored),
	}
	if s.opts.Now == nil { // a time-lapse is over a day of accounts' time in a second
		s.pump.quiet = quietPeriod
	}
	s.pump.rescore = newRescorer(s.engine, s.store, s.registry, s.log)
	if s.cfg.Events.Forget() > 0 {
		s.pump.scan = s.store
	}
	return nil
}

// decoding is that of events and canaries.
func (s *service) decoding(d *codec.Decoder) source.Decode {
	return s.tracer.decoding(withCanaries(s.cfg.Namespace, decoding(d)))
}

// openRouting wires the desk of MQAs, where a routing file is configured.
func (s *service) openRouting() error {
	plan, err := ReadRouting(s.cfg)
	if err != nil || plan == nil {
		return err
	}
	s.routing, err = newRouting(s.cfg, plan, s.store, s.transport, s.publisher, s.model, s.now, s.registry, s.log)
	if err != nil {
		return err
	}
	// The API's desk is its own: requests are answered on any instance.
	shown, err := newDesk(s.cfg, plan, s.store, s.now)
	if err != nil {
		return err
	}
	access, err := s.access()
	if err != nil {
		return err
	}
	s.web.Room(api.MQAs(shown, access, s.log))
	return nil
}

// lookPeriod is the longest time between two looks at what is due.
const lookPeriod = 200 * time.Millisecond

// newSource reads the input topics in the group. The rules say what the time is.
func newSource(cfg config.Config, group string, transport *conn.Transport, rules codec.Rules, decode func(*codec.Decoder) source.Decode,
	log zerolog.Logger,
) (*source.Source, error) {
	instance, err := cfg.Kafka.Instance()
	if err != nil {
		return nil, fmt.Errorf("kafka.instance_id: %w", err)
	}
	kafka, err := KafkaConfig(cfg, nil)
	if err != nil {
		return nil, err
	}
	dialer, err := conn.NewDialer(kafka)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	if rules.Formats, err = Formats(cfg); err != nil {
		return nil, err
	}
	rules.FutureTolerance, rules.MaxEventAge = cfg.Events.FutureTolerance.Milliseconds(), cfg.Events.MaxAge.Milliseconds()
	rules.MaxBytes, rules.ProfilesTopic = int(cfg.Events.MaxBytes), cfg.Kafka.Topics.Profiles
	return source.New(source.Config{
		Brokers: cfg.Kafka.Brokers, Group: group, InstanceID: instance,
		Topics: cfg.Kafka.InputTopics(),
		Dialer: dialer, Transport: transport.Kafka(),
		SessionTimeout: cfg.Kafka.SessionTimeout, HeartbeatInterval: cfg.Kafka.HeartbeatInterval,
		FetchMaxBytes: int(cfg.Kafka.Fetch.MaxBytes), FetchMaxWait: cfg.Kafka.Fetch.MaxWait,
		BufferEvents: cfg.Kafka.Fetch.BufferEvents,
		Memory:       func() source.Memory { return new(codec.Memory) },
	}, decode(codec.New(rules)), log)
}

// run starts the long-lived parts and stops them in order: reading ends with ctx;
// the round in hand is finished; the relay ends and what waits in the outbox is
// published; the group is left; leases and the rest end. All of it has the
// shutdown time-out.
func (s *service) run(ctx context.Context) error {
	if s.opts.Ready != nil {
		s.opts.Ready(s.web.Addr())
	}
	work, endWork := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endWork(nil)
	background, endBackground := context.WithCancel(work)
	defer endBackground()
	reading, endReading := context.WithCancel(ctx)
	defer endReading()
	// From here on the stop has its time.
	limit := context.AfterFunc(reading, func() { s.limit(work, endWork) })
	defer limit()

	group, failed := errgroup.WithContext(background)
	defer context.AfterFunc(failed, endReading)()
	relaying, endRelay := context.WithCancel(failed)
	defer endRelay()
	relayed := make(chan struct{})
	group.Go(func() error { defer close(relayed); return s.relay.Run(relaying) })
	group.Go(func() error { return s.leases.Run(failed) })
	group.Go(func() error { return s.waker.Run(failed) })
	group.Go(func() error { return s.listen(failed) })
	group.Go(func() error { return s.keeper.Run(failed) })
	group.Go(func() error { return s.canary.Run(failed) })
	if s.room != nil {
		group.Go(func() error { return s.room.Run(failed) })
	}
	if s.routing != nil {
		group.Go(func() error { return s.routing.Run(failed) })
	}
	group.Go(func() error { return s.subscribers.Run(failed) })
	group.Go(func() error { return s.streams.Run(failed) })

	err := s.pump.Run(reading, work)
	endReading()
	s.log.Info().Msg("stopping")
	endRelay()
	<-relayed
	s.drain(work)
	endBackground()
	err = errors.Join(err, group.Wait())
	if cause := context.Cause(work); errors.Is(cause, errStopTimeout) {
		err = errors.Join(err, cause)
	}
	return err
}

// errStopTimeout says that not everything in hand could be finished. Nothing is
// lost by it: it is read again from where the shards stand.
var errStopTimeout = errors.New("shutdown_timeout passed before everything in hand was stored and published")

// limit ends the work when the shutdown time-out has passed.
func (s *service) limit(work context.Context, end context.CancelCauseFunc) {
	timer := time.NewTimer(s.cfg.ShutdownTimeout)
	defer timer.Stop()
	select {
	case <-timer.C:
		end(errStopTimeout)
	case <-work.Done():
	}
}

// ready says why the service takes no part, or nil.
func (s *service) ready(ctx context.Context) error {
	if err := s.state.ready(); err != nil {
		return err
	}
	// Ready implies that everything was opened.
	if s.store.Replaced() {
		return errors.New("redis was restarted or replaced: beginning anew with it")
	}
	if err := s.store.Ping(ctx); err != nil {
		return errors.New("redis does not answer")
	}
	return nil
}

// notes say what is not as it should be although the service is ready.
func (s *service) notes() []string {
	return append(s.pump.guard.state(), s.pump.rescore.notes()...)
}

// drain publishes what waits in the outbox, then leaves the group. What does not
// get out stays in the outbox for the next relay.
func (s *service) drain(work context.Context) {
	ctx, cancel := context.WithTimeout(work, s.cfg.ShutdownTimeout/2)
	defer cancel()
	if err := s.relay.Drain(ctx); err != nil {
		s.log.Warn().Err(err).Msg("outbox not drained")
	}
	failpoint.Hit(failpoint.BeforeGroupStop)
	if err := s.source.Close(ctx); err != nil {
		s.log.Warn().Err(err).Msg("group not left in time")
	}
}

// listen passes on what other instances appended to the outboxes of our shards.
func (s *service) listen(ctx context.Context) error {
	wakes, stop := s.store.Wakes(ctx)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case shard, ok := <-wakes:
			if !ok {
				<-ctx.Done()
				return nil
			}
			if s.leases.Owns(shard) {
				s.relay.Wake(shard)
			}
		}
	}
}

// close releases what open made, in reverse; all of it, whatever fails.
func (s *service) close(ctx context.Context) error {
	var faults []error
	if s.source != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := s.source.Close(ctx); err != nil {
			faults = append(faults, err)
		}
	}
	if s.transport != nil {
		s.transport.Close()
	}
	s.tracer.close(ctx)
	faults = append(faults, s.subscribers.close())
	for _, store := range []*redis.Store{s.beside, s.store} {
		if store != nil {
			faults = append(faults, store.Close())
		}
	}
	if s.web != nil {
		faults = append(faults, s.web.Close(ctx))
	}
	return errors.Join(faults...)
}
