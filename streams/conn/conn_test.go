package conn_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"tidemark/streams/conn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestValidateNamesTheSettingAndTheWayOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*conn.Config)
		want string // empty: valid
	}{
		{"valid", func(*conn.Config) {}, ""},
		{"valid with SASL", func(c *conn.Config) {
			c.Security = conn.Security{SASLMechanism: "scram-sha-512", Username: "u", Password: "p"}
		}, ""},
		{"no brokers", func(c *conn.Config) { c.Brokers = nil }, "brokers: empty, name at least one host:port"},
		{"no port", func(c *conn.Config) { c.Brokers = append(c.Brokers, "kafka") }, `brokers[1]: "kafka" is not host:port`},
		{"negative time", func(c *conn.Config) { c.DialTimeout = -time.Second }, "dial_timeout: -1s is negative, 0 takes the default"},
		{"unknown mechanism", func(c *conn.Config) {
			c.Security = conn.Security{SASLMechanism: "gssapi", Username: "u", Password: "p"}
		}, `sasl.mechanism: "gssapi" is not one of plain, scram-sha-256, scram-sha-512`},
		{"no password", func(c *conn.Config) { c.Security = conn.Security{SASLMechanism: "plain", Username: "u"} }, "sasl: mechanism plain needs a username and a password"},
		{"no mechanism", func(c *conn.Config) { c.Security = conn.Security{Username: "u", Password: "hidden"} }, "sasl.mechanism: empty although there are credentials, must be one of plain, scram-sha-256, scram-sha-512"},
		{"password not for SCRAM", func(c *conn.Config) {
			c.Security = conn.Security{SASLMechanism: "scram-sha-256", Username: "u", Password: "hidden\x00"}
		}, "sasl: username or password has characters that SCRAM does not allow"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := conn.Config{Brokers: []string{"127.0.0.1:9092"}}
			tt.edit(&c)
			for _, err := range []error{c.Validate(), transportError(c), dialerError(c)} {
				if got := text(err); got != tt.want || strings.Contains(got, "hidden") {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}
		})
	}
}

func transportError(c conn.Config) error {
	tr, err := conn.NewTransport(c)
	if err == nil {
		tr.Close()
	}
	return err
}

func dialerError(c conn.Config) error {
	_, err := conn.NewDialer(c)
	return err
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What Close leaves behind is found by TestMain.
func TestTransportConnectsAndCloses(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(1, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	tr, err := conn.NewTransport(conn.Config{Brokers: c.ListenAddrs(), Topics: []string{"a"}, ClientID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	meta, err := tr.Client(5*time.Second).Metadata(context.Background(), &kafka.MetadataRequest{})
	if err != nil || len(meta.Topics) != 1 || meta.Topics[0].Name != "a" {
		t.Errorf("got %+v, %v, want topic a alone", meta, err)
	}
	tr.Close()
	tr.Close()
}
