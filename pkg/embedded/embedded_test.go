package embedded_test

import (
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"
	"go.uber.org/goleak"

	"tidemark/pkg/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServersAnswer(t *testing.T) {
	t.Parallel()
	began := time.Now()
	servers, err := embedded.Start([]string{"a", "b"}, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer servers.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("the start took %v", took)
	}
	conn, err := kafka.Dial("tcp", servers.Kafka())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	partitions, err := conn.ReadPartitions("a", "b")
	if err != nil || len(partitions) != 6 {
		t.Errorf("got %d partitions, %v; want 6", len(partitions), err)
	}
	host, port := servers.Redis()
	client := redis.NewClient(&redis.Options{Addr: net.JoinHostPort(host, port)})
	defer func() { _ = client.Close() }()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestStartAndCloseManyTimes(t *testing.T) {
	t.Parallel()
	for range 20 {
		servers, err := embedded.Start([]string{"a"}, 2)
		if err != nil {
			t.Fatal(err)
		}
		servers.Close()
	}
}
