package source

import (
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	valid := Config{Brokers: []string{"b:9092"}, Group: "g", Topics: []string{"a", "b"}, InstanceID: "i"}
	if err := valid.Validate(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no brokers", func(c *Config) { c.Brokers = nil }, "kafka.brokers"},
		{"no group", func(c *Config) { c.Group = "" }, "kafka.group"},
		{"no topics", func(c *Config) { c.Topics = nil }, "kafka.topics"},
		{"empty topic", func(c *Config) { c.Topics = []string{""} }, "empty name"},
		{"topic twice", func(c *Config) { c.Topics = []string{"a", "a"} }, `"a" is named twice`},
		{"no instance", func(c *Config) { c.InstanceID = "" }, "instance id"},
		{"negative interval", func(c *Config) { c.HeartbeatInterval = -1 }, "heartbeat interval"},
		{"short session", func(c *Config) { c.SessionTimeout = 3 * time.Second }, "session timeout: 3s must be more"},
		{"tiny fetch", func(c *Config) { c.FetchMaxBytes = 1 }, "fetch max bytes"},
		{"negative buffer", func(c *Config) { c.BufferEvents = -1 }, "buffer events"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := valid
			tt.change(&c)
			err := c.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
			if _, newErr := New(c, decodeTest, zerolog.Nop()); newErr == nil {
				t.Error("New took it")
			}
		})
	}
	if _, err := New(valid, nil, zerolog.Nop()); err == nil {
		t.Error("New took no decoder")
	}
}
