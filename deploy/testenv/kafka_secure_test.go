package testenv

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

func TestKafkaSecureAndProxiedListeners(t *testing.T) {
	proxy, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	defer ReleasePort(proxy)
	k := StartKafkaFor(t, KafkaOptions{Secure: true, Proxied: proxy})
	if err := k.CreateTopic("events", 1, nil); err != nil {
		t.Fatal(err)
	}
	sha256, err := scram.Mechanism(scram.SHA256, k.User(), k.Password())
	if err != nil {
		t.Fatal(err)
	}
	sha512, err := scram.Mechanism(scram.SHA512, k.User(), k.Password())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []sasl.Mechanism{plain.Mechanism{Username: k.User(), Password: k.Password()}, sha256, sha512} {
		produce(t, k.SecureAddr(), newTransport(t, &kafka.Transport{TLS: k.TLSConfig(), SASL: m}), "events", m.Name())
	}

	wrong := plain.Mechanism{Username: k.User(), Password: "wrong"}
	c := kafka.Client{Addr: kafka.TCP(k.SecureAddr()), Transport: newTransport(t, &kafka.Transport{TLS: k.TLSConfig(), SASL: wrong})}
	if _, err := c.Metadata(context.Background(), &kafka.MetadataRequest{}); err == nil {
		t.Error("a wrong password was taken")
	}

	forward(t, loopback(proxy), k.ProxiedUpstream())
	if got, want := fetch(t, loopback(proxy), nil, "events"), "PLAIN SCRAM-SHA-256 SCRAM-SHA-512"; got != want {
		t.Errorf("through the proxy got %q, want %q", got, want)
	}
}

// forward is a TCP proxy that ends with the test.
func forward(t *testing.T, from, to string) {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				conns.Go(func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		conns.Wait()
	})
}
