package testenv

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared holds the servers that the tests of one package share. Each starts
// at its first use, so a run of other tests does not pay for it. Tests keep
// apart by names (see Name) and do not stop, kill or pause a shared server.
//
//	var servers testenv.Shared
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Around(m)) }
//
//	func TestFetch(t *testing.T) {
//		topic := servers.Topic(t, "events", 3)
//		addr := servers.Kafka(t).Addr()
//		…
//	}
//
// The zero value is ready. Set the options before the tests run.
type Shared struct {
	KafkaOptions KafkaOptions
	RedisOptions RedisOptions

	kafka once[*Kafka]
	redis once[*Redis]
}

// Kafka is the package's Kafka. It ends the test if the server does not start.
func (s *Shared) Kafka(t testing.TB) *Kafka {
	t.Helper()
	return s.kafka.get(t, func() (*Kafka, error) { return StartKafka(s.KafkaOptions) })
}

// Redis is the package's Redis. It ends the test if the server does not start.
func (s *Shared) Redis(t testing.TB) *Redis {
	t.Helper()
	return s.redis.get(t, func() (*Redis, error) { return StartRedis(s.RedisOptions) })
}

// Topic makes a topic with a unique name on the package's Kafka.
func (s *Shared) Topic(t testing.TB, base string, partitions int) string {
	t.Helper()
	k, name := s.Kafka(t), Name(t, base)
	if err := k.CreateTopic(name, partitions, nil); err != nil {
		t.Fatal(err)
	}
	return name
}

// Runner is what TestMain gets and what goleak.VerifyTestMain takes.
type Runner interface{ Run() int }

// Around gives m with the servers stopped after its tests. A server that
// cannot be stopped fails the run.
func (s *Shared) Around(m Runner) Runner { return &sharedRun{s, m} }

type sharedRun struct {
	servers *Shared
	tests   Runner
}

// Run runs the tests, then stops the servers that they started.
func (r *sharedRun) Run() int {
	code := r.tests.Run()
	for _, stop := range []func() error{r.servers.kafka.stop, r.servers.redis.stop} {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// once starts a server at most once; a failed start fails every test alike.
type once[S interface{ Stop() error }] struct {
	once    sync.Once
	server  S
	err     error
	started bool
}

func (o *once[S]) get(t testing.TB, start func() (S, error)) S {
	t.Helper()
	o.once.Do(func() {
		o.server, o.err = start()
		o.started = o.err == nil
	})
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.server
}

func (o *once[S]) stop() error {
	if !o.started {
		return nil
	}
	return o.server.Stop()
}
