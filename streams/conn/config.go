package conn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// The SASL mechanisms that are known.
const (
	Plain       = "plain"
	ScramSHA256 = "scram-sha-256"
	ScramSHA512 = "scram-sha-512"
)

// Security is how to prove who we are, and to check who the broker is.
type Security struct {
	// TLS encrypts connections. Nil: they are plain.
	TLS *tls.Config
	// SASLMechanism is one of Plain, ScramSHA256 and ScramSHA512. Empty: none.
	SASLMechanism      string
	Username, Password string
}

// Config says how to reach a cluster.
type Config struct {
	// Brokers are host:port pairs, at least one, to learn the others from.
	Brokers []string
	// ClientID is the name under which brokers count and log our requests.
	ClientID string
	// Topics are those whose layout is followed. Requests for others do not find
	// their leader. Empty: all topics of the cluster, which costs on large ones.
	Topics   []string
	Security Security

	// DialTimeout bounds a connection's making, TLS and SASL included.
	// 0: 5 s.
	DialTimeout time.Duration
	// IdleTimeout closes connections that nobody used for so long. 0: 30 s.
	IdleTimeout time.Duration
	// MetadataTTL is how old the known layout may be. kafka-go looks at it only
	// by this clock, so it bounds how long a moved leader goes unnoticed. 0: 2 s.
	MetadataTTL time.Duration
	// Dial opens network connections. Nil: the system's TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Validate reports every fault of the settings, and changes nothing.
func (c Config) Validate() error {
	var faults []error
	if len(c.Brokers) == 0 {
		faults = append(faults, errors.New("brokers: empty, name at least one host:port"))
	}
	for i, broker := range c.Brokers {
		if host, port, err := net.SplitHostPort(broker); err != nil || host == "" || port == "" {
			faults = append(faults, fmt.Errorf("brokers[%d]: %q is not host:port", i, broker))
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"dial_timeout", c.DialTimeout}, {"idle_timeout", c.IdleTimeout}, {"metadata_ttl", c.MetadataTTL}} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("%s: %s is negative, 0 takes the default", d.name, d.value))
		}
	}
	if _, err := c.Security.mechanism(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// mechanism is the SASL mechanism that the settings name, nil for none.
func (s Security) mechanism() (sasl.Mechanism, error) {
	if s.SASLMechanism == "" {
		if s.Username != "" || s.Password != "" {
			return nil, fmt.Errorf("sasl.mechanism: empty although there are credentials, must be one of %s, %s, %s", Plain, ScramSHA256, ScramSHA512)
		}
		return nil, nil
	}
	if s.Username == "" || s.Password == "" {
		return nil, fmt.Errorf("sasl: mechanism %s needs a username and a password", s.SASLMechanism)
	}
	switch s.SASLMechanism {
	case Plain:
		return plain.Mechanism{Username: s.Username, Password: s.Password}, nil
	case ScramSHA256:
		return scramMechanism(scram.SHA256, s)
	case ScramSHA512:
		return scramMechanism(scram.SHA512, s)
	}
	return nil, fmt.Errorf("sasl.mechanism: %q is not one of %s, %s, %s", s.SASLMechanism, Plain, ScramSHA256, ScramSHA512)
}

func scramMechanism(algorithm scram.Algorithm, s Security) (sasl.Mechanism, error) {
	m, err := scram.Mechanism(algorithm, s.Username, s.Password)
	if err != nil {
		// The cause may quote the credentials.
		return nil, errors.New("sasl: username or password has characters that SCRAM does not allow")
	}
	return m, nil
}
