package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"tidemark/pkg/engine"
)

// Source is this instance's membership of the consumer group.
type Source struct {
	cfg       Config
	decode    Decode
	log       zerolog.Logger
	addr      net.Addr
	transport *kafka.Transport
	own       bool // the transport is ours to close
	client    *kafka.Client
	buffers   bufferPool
	replaced  sync.Once
	joining   outage
	reading   outage
	metrics   *metrics
	closing   context.Context // done when Close is called
	close     context.CancelFunc

	mu      sync.Mutex // guards what follows; nothing blocks while it is held
	group   *kafka.ConsumerGroup
	session *Session
	// handed holds the offsets after what was handed out to any session.
	handed map[engine.Partition]int64
}

// New checks the configuration and prepares a source. It connects to nothing.
func New(cfg Config, decode Decode, log zerolog.Logger) (*Source, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if decode == nil {
		return nil, errors.New("source: no decoder is given")
	}
	cfg = cfg.withDefaults()
	s := &Source{
		cfg:     cfg,
		decode:  decode,
		log:     log,
		metrics: newMetrics(),
		handed:  map[engine.Partition]int64{},
		addr:    kafka.TCP(cfg.Brokers...),
		joining: outage{log: log, fails: "joining the group fails, trying on", works: "joining the group works again"},
		reading: outage{log: log, fails: "reading fails, trying on", works: "reading works again"},
	}
	s.transport, s.own = cfg.transport()
	s.client = &kafka.Client{Addr: s.addr, Transport: s.transport}
	s.closing, s.close = context.WithCancel(context.Background())
	return s, nil
}

// Join waits for the next generation of the group and returns this instance's part
// of it. It closes the session before, if that is still open. What may heal, such as a
// broker that is down, it waits for; what does not is a SetupError. After Close it
// returns ErrClosed.
func (s *Source) Join(ctx context.Context) (*Session, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)() //nolint:contextcheck // it ends ctx and replaces nothing
	if last := s.current(); last != nil {
		last.Close()
	}
	gen, err := s.join(ctx)
	switch {
	case s.closing.Err() != nil:
		return nil, ErrClosed
	case err != nil:
		return nil, fmt.Errorf("join group %s: %w", s.cfg.Group, err)
	}
	return s.open(gen)
}

func (s *Source) current() *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session
}

// open makes the generation's session the current one.
func (s *Source) open(gen *kafka.Generation) (*Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return nil, ErrClosed
	}
	s.session = newSession(s, gen)
	s.log.Debug().Int32("generation", gen.ID).Str("member", gen.MemberID).Int("partitions", len(s.session.parts)).Msg("a generation of the group begins")
	return s.session, nil
}

// refusals is how often in a row credentials must be refused: a broker that shuts
// down amid the exchange looks the same.
const refusals = 3

// join tries until there is a generation, ctx ends, or trying on is no use.
func (s *Source) join(ctx context.Context) (*kafka.Generation, error) {
	refused := 0
	for failures := 0; ; {
		gen, err := s.attempt(ctx)
		if err == nil {
			s.joining.worked(engine.Partition{}, failures)
			return gen, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if setup := setupError(err); setup != nil {
			if refused++; setup.Reason != Authentication || refused >= refusals {
				return nil, setup
			}
		} else {
			refused = 0
		}
		if errors.Is(err, kafka.RebalanceInProgress) {
			continue // the way of the protocol: others joined meanwhile
		}
		failures++
		s.joining.failed(engine.Partition{}, failures, err)
		if !pause(ctx, failures) {
			return nil, ctx.Err()
		}
	}
}

func (s *Source) attempt(ctx context.Context) (*kafka.Generation, error) {
	if err := s.topicsExist(ctx); err != nil {
		return nil, err
	}
	s.replaced.Do(func() { s.replace(ctx) })
	group, err := s.membership()
	if err != nil {
		return nil, err
	}
	return group.Next(ctx)
}

// membership begins the membership when it is first needed.
func (s *Source) membership() (*kafka.ConsumerGroup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return nil, ErrClosed
	}
	if s.group != nil {
		return s.group, nil
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                     s.cfg.Group,
		Brokers:                s.cfg.Brokers,
		Dialer:                 s.cfg.dialer(),
		Topics:                 s.cfg.Topics,
		GroupBalancers:         []kafka.GroupBalancer{rendezvous{s.cfg.InstanceID}, kafka.RangeGroupBalancer{}},
		HeartbeatInterval:      s.cfg.HeartbeatInterval,
		PartitionWatchInterval: s.cfg.PartitionWatchInterval,
		WatchPartitionChanges:  true,
		SessionTimeout:         s.cfg.SessionTimeout,
		RebalanceTimeout:       s.cfg.RebalanceTimeout,
		JoinGroupBackoff:       s.cfg.JoinBackoff,
		Timeout:                s.cfg.RequestTimeout,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) {
			s.log.Debug().Str("detail", fmt.Sprintf(format, args...)).Msg("group membership")
		}),
	})
	s.group = group
	return group, err
}

// topicWait is how long a missing topic may take to show up: what kafka-go knows of
// the cluster is about a second old.
const topicWait = 2 * time.Second

// topicsExist returns a SetupError that names the topics that are missing.
func (s *Source) topicsExist(ctx context.Context) error {
	for until := time.Now().Add(topicWait); ; {
		_, err := s.AllPartitions(ctx)
		var setup *SetupError
		if !errors.As(err, &setup) || setup.Reason != TopicMissing || time.Now().After(until) {
			return err
		}
		if !pause(ctx, 3) {
			return ctx.Err()
		}
	}
}

// AllPartitions returns the partitions of all topics, of every instance, by rank of
// the topic and number, as of about a second ago.
func (s *Source) AllPartitions(ctx context.Context) ([]engine.Partition, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	res, err := s.client.Metadata(ctx, &kafka.MetadataRequest{Topics: s.cfg.Topics})
	if err != nil {
		return nil, fmt.Errorf("ask for the topics: %w", err)
	}
	found := make(map[string][]kafka.PartitionAssignment)
	var missing []string
	for _, t := range res.Topics {
		switch {
		case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
			missing = append(missing, t.Name)
		case t.Error != nil:
			return nil, fmt.Errorf("ask for topic %s: %w", t.Name, t.Error)
		}
		for _, p := range t.Partitions {
			found[t.Name] = append(found[t.Name], kafka.PartitionAssignment{ID: p.ID})
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, &SetupError{Reason: TopicMissing, Help: fmt.Sprintf("these topics of kafka.topics do not exist: %q; make them with `tidemark topics create`", missing)}
	}
	return assigned(s.cfg.Topics, found), nil
}

// Close closes the session, if one is open, and leaves the group, so that others
// take over at once. If ctx ends first it returns; the others then wait for the session timeout.
// It may be called again.
func (s *Source) Close(ctx context.Context) error {
	s.close()
	s.mu.Lock()
	session, group := s.session, s.group
	s.mu.Unlock()
	if s.own {
		defer s.transport.CloseIdleConnections()
	}
	left := make(chan struct{})
	go func() {
		defer close(left)
		if session != nil {
			session.Close()
		}
		if group != nil {
			// It returns no error, and ends by its own time limits.
			_ = group.Close()
		}
	}()
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("leave group %s: %w", s.cfg.Group, ctx.Err())
	}
}
