package conn

import (
	"context"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
)

// The time-outs that hold where a Config does not say.
const (
	defaultDialTimeout = 5 * time.Second
	defaultIdleTimeout = 30 * time.Second
	defaultMetadataTTL = 2 * time.Second
)

// Transport is a pool of connections to one cluster, shared by everything in a
// process that talks to it. It is safe for concurrent use.
type Transport struct {
	kafka  *kafka.Transport
	addr   net.Addr
	cancel context.CancelFunc
}

// NewTransport makes a Transport. Nothing is connected until the first request.
// Whoever makes it closes it.
func NewTransport(c Config) (*Transport, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	mechanism, err := c.Security.mechanism()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Transport{
		kafka: &kafka.Transport{
			Dial:           c.dial(),
			DialTimeout:    or(c.DialTimeout, defaultDialTimeout),
			IdleTimeout:    or(c.IdleTimeout, defaultIdleTimeout),
			MetadataTTL:    or(c.MetadataTTL, defaultMetadataTTL),
			MetadataTopics: c.Topics,
			ClientID:       c.ClientID,
			TLS:            c.Security.TLS,
			SASL:           mechanism,
			Context:        ctx,
		},
		addr:   kafka.TCP(c.Brokers...),
		cancel: cancel,
	}, nil
}

// Client sends requests over the transport. The timeout bounds each of them
// where the caller's context does not: without one a dead broker hangs a request.
func (t *Transport) Client(timeout time.Duration) *kafka.Client {
	return &kafka.Client{Addr: t.addr, Timeout: timeout, Transport: t.kafka}
}

// Kafka is kafka-go's transport itself, for the source.
func (t *Transport) Kafka() *kafka.Transport { return t.kafka }

// RoundTripper is the transport itself, for requests that kafka.Client lacks.
func (t *Transport) RoundTripper() kafka.RoundTripper { return t.kafka }

// Addr is the address of the cluster, as kafka-go wants it beside a request.
func (t *Transport) Addr() net.Addr { return t.addr }

// Close ends the transport's goroutines and its idle connections; those in use
// close when their request has ended. It may be called more than once. No
// request may follow.
func (t *Transport) Close() {
	// Both are needed: the one ends the connections, the other the goroutine
	// that follows the cluster's layout.
	t.kafka.CloseIdleConnections()
	t.cancel()
}

// NewDialer makes the dialer that a kafka.ConsumerGroup connects with.
func NewDialer(c Config) (*kafka.Dialer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	mechanism, err := c.Security.mechanism()
	if err != nil {
		return nil, err
	}
	return &kafka.Dialer{
		ClientID:      c.ClientID,
		DialFunc:      c.dial(),
		Timeout:       or(c.DialTimeout, defaultDialTimeout),
		TLS:           c.Security.TLS,
		SASLMechanism: mechanism,
	}, nil
}

func (c Config) dial() func(context.Context, string, string) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial
	}
	dialer := &net.Dialer{Timeout: or(c.DialTimeout, defaultDialTimeout)}
	return dialer.DialContext
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
