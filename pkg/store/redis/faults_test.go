package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// fault is what happens to the next commits of a Store on their way.
type fault int

const (
	fine        fault = iota
	lostRequest       // the server never sees it; the client times out
	lostReply         // the server executes it; the client times out
)

// faults is a go-redis hook that loses commits and keeps copies of them, to be
// delivered late.
type faults struct {
	commit string // the script's name in the server's cache

	mu     sync.Mutex // Commit runs in tests' goroutines
	next   []fault    // for the next pipelines of commits, in order; then fine
	copies [][]any    // every commit that was sent
}

func (f *faults) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (f *faults) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

func (f *faults) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		if args := cmds[0].Args(); cmds[0].Name() != "evalsha" || args[1] != f.commit {
			return next(ctx, cmds)
		}
		what := f.note(cmds)
		if what != lostRequest {
			if err := next(ctx, cmds); what == fine {
				return err
			}
		}
		timeout := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
		for _, cmd := range cmds {
			cmd.SetErr(timeout)
		}
		return timeout
	}
}

func (f *faults) note(cmds []goredis.Cmder) fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, cmd := range cmds {
		f.copies = append(f.copies, append([]any(nil), cmd.Args()...))
	}
	what := fine
	if len(f.next) > 0 {
		what, f.next = f.next[0], f.next[1:]
	}
	return what
}

// plan says what happens to the next commits.
func (f *faults) plan(next ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
}

// lateOnes is how many commits were sent so far: copies to deliver.
func (f *faults) lateOnes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.copies)
}

// deliver executes a copy of the i-th commit that was sent, as bytes that were
// stuck on their way would be, and returns the answer without what it appended.
func (f *faults) deliver(s *Store, i int) (string, error) {
	f.mu.Lock()
	args := f.copies[i]
	f.mu.Unlock()
	reply, err := s.client.Do(context.Background(), args...).Text()
	answer, _, _ := strings.Cut(reply, " ")
	return answer, err
}

// miniConfig is for the in-process server, with a namespace of the test's own.
func miniConfig(m *miniredis.Miniredis, namespace string) Config {
	cfg := DefaultConfig()
	cfg.Addrs, cfg.Namespace, cfg.Shards, cfg.Embedded = []string{m.Addr()}, namespace, 4, true
	return cfg
}

// openFaulty opens a Store whose commits can be lost.
func openFaulty(t fataler, cfg Config) (*Store, *faults) {
	s, err := Open(context.Background(), cfg, zerolog.Nop())
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	f := &faults{commit: s.scripts.commit.sha}
	s.client.AddHook(f)
	return s, f
}

type fataler interface{ Fatalf(string, ...any) }

func closing(t *testing.T, stores ...*Store) {
	t.Cleanup(func() {
		var errs []error
		for _, s := range stores {
			errs = append(errs, s.Close())
		}
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
}

var namespaces struct {
	sync.Mutex // tests run in parallel
	n          int
}

func nextNamespace() string {
	namespaces.Lock()
	defer namespaces.Unlock()
	namespaces.n++
	return fmt.Sprintf("ns%d", namespaces.n)
}
