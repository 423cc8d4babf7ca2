package redis_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
)

// proxy passes bytes to a server and, while told to, swallows what comes back.
type proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu        sync.Mutex // guards the rest; the test and the connections meet here
	swallow   bool
	swallowed chan struct{} // closed at the first swallowed byte
	conns     []net.Conn
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.wg.Go(func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		})
		p.wg.Go(func() {
			_, _ = io.Copy(replies{p, client}, server)
			_ = client.Close()
		})
	}
}

// replies is the way back.
type replies struct {
	p      *proxy
	client net.Conn
}

func (r replies) Write(b []byte) (int, error) {
	r.p.mu.Lock()
	swallow := r.p.swallow
	if swallow && r.p.swallowed != nil {
		close(r.p.swallowed)
		r.p.swallowed = nil
	}
	r.p.mu.Unlock()
	if swallow {
		return len(b), nil
	}
	return r.client.Write(b)
}

// lose swallows replies from now on; the channel says when one was.
func (p *proxy) lose() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow, p.swallowed = true, make(chan struct{})
	return p.swallowed
}

func (p *proxy) pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = false
}

func TestLostReplyCountsOnce(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t)
	p := startProxy(t, r.Addr())
	cfg := testConfig(t, p.listener.Addr().String())
	cfg.ReadTimeout, cfg.Retries = 200*time.Millisecond, 20
	s := open(t, cfg)
	step := func(was uint64) engine.Step {
		return engine.Step{ // no positions: nothing but the attempt's number can tell
			Writes: []engine.Write{{Account: "a", Was: was, State: []byte("A"), Due: engine.KeepDue}},
			Outbox: []engine.Message{{Account: "a", Value: []byte("m")}},
		}
	}
	s.Commit(t.Context(), []engine.Step{step(0)})

	lost := p.lose()
	outcome := make(chan engine.Outcome, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { outcome <- s.Commit(t.Context(), []engine.Step{step(1)})[0] })
	<-lost
	p.pass()
	if out := <-outcome; out.Result != engine.OK {
		t.Fatalf("got result %d (%v), want OK", out.Result, out.Err)
	}
	if got := s.Stats().Retries[redis.Timeout]; got == 0 {
		t.Error("no time-out was counted: the reply was not lost")
	}
	wantOnce(t, s, 2)
}

// TestGivenUpAndRepeated is the same over two calls, as an engine repeats.
func TestGivenUpAndRepeated(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t)
	p := startProxy(t, r.Addr())
	cfg := testConfig(t, p.listener.Addr().String())
	cfg.ReadTimeout, cfg.Retries = time.Minute, 0
	s := open(t, cfg)
	steps := []engine.Step{{
		Writes: []engine.Write{{Account: "a", State: []byte("A"), Due: engine.KeepDue}},
		Outbox: []engine.Message{{Account: "a", Value: []byte("m")}},
	}}
	lost := p.lose()
	short, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if out := s.Commit(short, steps)[0]; out.Result != engine.Failed {
		t.Fatalf("got result %d, want Failed", out.Result)
	}
	<-lost
	p.pass()
	if out := s.Commit(t.Context(), steps)[0]; out.Result != engine.OK {
		t.Fatalf("got result %d (%v), want OK", out.Result, out.Err)
	}
	wantOnce(t, s, 1)
}

func wantOnce(t *testing.T, s *redis.Store, version uint64) {
	t.Helper()
	records, err := s.Load(t.Context(), engine.Wanted{Accounts: []string{"a"}})
	if err != nil || records[0].Version != version {
		t.Errorf("got version %d (%v), want %d", records[0].Version, err, version)
	}
	if depth, err := s.OutboxDepth(t.Context()); depth != int64(version) || err != nil {
		t.Errorf("got %d messages (%v), want %d", depth, err, version)
	}
}
