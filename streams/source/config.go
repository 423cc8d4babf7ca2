package source

import (
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// Config says what to read and as whom. Where a field has a default, its zero
// value stands for it.
type Config struct {
	// Brokers are the addresses to begin with, host:port. Required.
	Brokers []string
	// Group is the consumer group. Required.
	Group string
	// Topics are the input topics. Of inputs at one instant, those of an earlier
	// topic come first. Required.
	Topics []string
	// InstanceID is a name that this instance keeps over restarts, such as the host
	// name: by it, an instance gets the same partitions again. Required.
	InstanceID string

	// Dialer makes the connection of the group membership. Its Timeout, if zero,
	// becomes RequestTimeout. Default: plain TCP.
	Dialer *kafka.Dialer
	// Transport makes all other connections. Its MetadataTTL is how long a moved
	// leader can go unnoticed; 1 s is right. Default: plain TCP, made and closed by
	// the Source.
	Transport *kafka.Transport

	// SessionTimeout is how long the group waits for an instance that has gone
	// silent before it gives its partitions to others. Default 10 s.
	SessionTimeout time.Duration
	// HeartbeatInterval is how often the instance shows life, and how soon it hears
	// of a rebalance: the others wait that long. Default 500 ms.
	HeartbeatInterval time.Duration
	// RebalanceTimeout is how long a rebalance waits for an instance to close its
	// session. Default 20 s.
	RebalanceTimeout time.Duration
	// RequestTimeout bounds each exchange with a broker, beyond the waiting that
	// it asks for. Default 3 s.
	RequestTimeout time.Duration
	// JoinBackoff is the least wait between attempts to join. Default 250 ms.
	JoinBackoff time.Duration
	// PartitionWatchInterval is how soon added partitions are noticed. Default 5 s.
	PartitionWatchInterval time.Duration

	// FetchMaxBytes bounds the answer to a fetch, before decompression. A single
	// batch that is larger comes nevertheless. Default 1 MiB.
	FetchMaxBytes int
	// FetchMaxWait is how long a fetch waits at the end of the log. It delays no
	// event: a longer wait means fewer empty answers. Default 1 s.
	FetchMaxWait time.Duration
	// BufferEvents bounds the inputs that wait, of all assigned partitions. Each has a
	// share, by what it gave lately, and no fetch begins while so many wait. Hence about
	// BufferEvents and an answer for each partition are held at most. Default 65536.
	BufferEvents int
	// Memory makes memory for the events of an answer, to be used for those of another one
	// once they were handed out and Next is called again. Nil: none.
	Memory func() Memory
}

func (c Config) withDefaults() Config {
	set(&c.SessionTimeout, 10*time.Second)
	set(&c.HeartbeatInterval, 500*time.Millisecond)
	set(&c.RebalanceTimeout, 20*time.Second)
	set(&c.RequestTimeout, 3*time.Second)
	set(&c.JoinBackoff, 250*time.Millisecond)
	set(&c.PartitionWatchInterval, 5*time.Second)
	set(&c.FetchMaxBytes, 1<<20)
	set(&c.FetchMaxWait, time.Second)
	set(&c.BufferEvents, 64<<10)
	return c
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every fault of the configuration, joined.
func (c Config) Validate() error {
	c = c.withDefaults()
	return errors.Join(append(c.nameFaults(), c.numberFaults()...)...)
}

func (c Config) nameFaults() (faults []error) {
	if len(c.Brokers) == 0 {
		faults = append(faults, errors.New("kafka.brokers: is empty; give at least one host:port"))
	}
	if c.Group == "" {
		faults = append(faults, errors.New("kafka.group: is empty; give the consumer group a name"))
	}
	if c.InstanceID == "" {
		faults = append(faults, errors.New("instance id: is empty; give a name that stays over restarts, such as the host name"))
	}
	if len(c.Topics) == 0 {
		faults = append(faults, errors.New("kafka.topics: no input topic is named"))
	}
	seen := make(map[string]bool)
	for _, topic := range c.Topics {
		if topic == "" {
			faults = append(faults, errors.New("kafka.topics: an input topic has an empty name"))
		}
		if seen[topic] {
			faults = append(faults, fmt.Errorf("kafka.topics: %q is named twice; each input needs a topic of its own", topic))
		}
		seen[topic] = true
	}
	return faults
}

func (c Config) numberFaults() (faults []error) {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"session timeout", c.SessionTimeout},
		{"heartbeat interval", c.HeartbeatInterval},
		{"rebalance timeout", c.RebalanceTimeout},
		{"request timeout", c.RequestTimeout},
		{"join backoff", c.JoinBackoff},
		{"partition watch interval", c.PartitionWatchInterval},
		{"fetch max wait", c.FetchMaxWait},
	} {
		if d.value < time.Millisecond || d.value > 24*time.Hour {
			faults = append(faults, fmt.Errorf("%s: %v is not between 1ms and 24h", d.name, d.value))
		}
	}
	// An instance learns that it was put out by a heartbeat that fails: it must
	// have done so before the group gives its partitions to others.
	if c.HeartbeatInterval+c.RequestTimeout >= c.SessionTimeout {
		faults = append(faults, fmt.Errorf("session timeout: %v must be more than the heartbeat interval and the request timeout together (%v + %v)",
			c.SessionTimeout, c.HeartbeatInterval, c.RequestTimeout))
	}
	if c.FetchMaxBytes < 1<<10 || c.FetchMaxBytes > 1<<30 {
		faults = append(faults, fmt.Errorf("fetch max bytes: %d is not between 1 KiB and 1 GiB", c.FetchMaxBytes))
	}
	if c.BufferEvents < 1 {
		faults = append(faults, fmt.Errorf("buffer events: %d is not positive", c.BufferEvents))
	}
	return faults
}

// dialer is the configured dialer with a time limit: without one a broker that
// does not answer would hold up the membership for ever.
func (c Config) dialer() *kafka.Dialer {
	d := kafka.Dialer{ClientID: "tidemark", DualStack: true}
	if c.Dialer != nil {
		d = *c.Dialer
	}
	set(&d.Timeout, c.RequestTimeout)
	return &d
}

// transport is the configured transport, or else one to be closed by the Source.
func (c Config) transport() (t *kafka.Transport, own bool) {
	if c.Transport != nil {
		return c.Transport, false
	}
	return &kafka.Transport{
		ClientID:       "tidemark",
		DialTimeout:    c.RequestTimeout,
		MetadataTTL:    time.Second,
		MetadataTopics: c.Topics,
	}, true
}
