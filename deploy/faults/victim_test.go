package faults

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"tidemark/deploy/testenv"
)

// victim is a Kafka that tests may harm, one at a time, with a proxy before it.
type victim struct {
	mu    sync.Mutex // held by the test that harms it
	kafka *testenv.Kafka
	proxy *Proxy
	port  int
	err   error
	once  sync.Once
}

var victims victim

// hold gives the victim to a test until that ends, whole again after it.
func (v *victim) hold(t testing.TB) (*testenv.Kafka, *Proxy) {
	t.Helper()
	v.mu.Lock()
	t.Cleanup(v.mu.Unlock)
	v.once.Do(func() { v.err = v.start() })
	if v.err != nil {
		t.Fatal(v.err)
	}
	t.Cleanup(func() {
		v.proxy.Heal()
		if !answers(v.kafka.Addr()) {
			if err := v.kafka.Restart(); err != nil {
				t.Error(err)
			}
		}
	})
	return v.kafka, v.proxy
}

// answers reports whether something listens; a broker that was killed does not.
func answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	c.Close() //nolint:errcheck // it was only to see
	return true
}

func (v *victim) start() (err error) {
	if v.port, err = testenv.FreePort(); err != nil {
		return err
	}
	if v.kafka, err = testenv.StartKafka(testenv.KafkaOptions{Proxied: v.port}); err != nil {
		return err
	}
	v.proxy, err = NewProxy(v.port, v.kafka.ProxiedUpstream())
	return err
}

// around stops the victim after the tests.
func (v *victim) around(m testenv.Runner) testenv.Runner { return aroundVictim{v, m} }

type aroundVictim struct {
	victim *victim
	tests  testenv.Runner
}

// Run implements testenv.Runner.
func (r aroundVictim) Run() int {
	code := r.tests.Run()
	v := r.victim
	if v.proxy != nil {
		v.proxy.Close() //nolint:errcheck // the tests are over
	}
	if v.kafka != nil {
		if err := v.kafka.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	testenv.ReleasePort(v.port)
	return code
}
