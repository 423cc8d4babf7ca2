package source

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"

	"tidemark/deploy/testenv"
)

func TestSecureListener(t *testing.T) {
	t.Parallel()
	k := testenv.StartKafkaFor(t, testenv.KafkaOptions{Secure: true})
	plainWorld := newWorld(t, k.Addr())
	topic := plainWorld.topic("a", 1)
	plainWorld.produce(event(topic, 0, 1))
	tests := []struct {
		name     string
		tls      *tls.Config
		password string
		want     Reason
	}{
		{"right", k.TLSConfig(), k.Password(), ""},
		{"wrong password", k.TLSConfig(), "wrong", Authentication},
		{"unknown certificate", &tls.Config{}, k.Password(), TLS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, addr: k.SecureAddr(), ctx: t.Context(), prefix: testenv.Name(t, "g")}
			mechanism := plain.Mechanism{Username: k.User(), Password: tt.password}
			cfg := w.config(topic)
			cfg.Dialer = &kafka.Dialer{SASLMechanism: mechanism, TLS: tt.tls}
			cfg.Transport = &kafka.Transport{SASL: mechanism, TLS: tt.tls, MetadataTTL: time.Second, MetadataTopics: cfg.Topics}
			t.Cleanup(cfg.Transport.CloseIdleConnections)
			s := w.sourceLogging(cfg, t.Output())
			if tt.want == "" {
				w.read(w.join(s), everything(), inputs(1))
				return
			}
			_, err := s.Join(w.ctx)
			reason(t, err, tt.want)
			t.Log(err)
		})
	}
}

// BenchmarkBacklog reads 250-byte records of six partitions through fetch and merge.
func BenchmarkBacklog(b *testing.B) {
	w := newWorld(b, kafka4.Kafka(b).Addr())
	benchBacklog(b, w)
}
