package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"slices"
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
	overtaken         // something happens right before the server sees it
)

// faults is a go-redis hook that loses commits and keeps copies of them, to be
// delivered late.
type faults struct {
	store  *Store
	commit string // the script's name in the server's cache

	mu     sync.Mutex // Commit runs in tests' goroutines
	next   []fault    // for the next pipelines of commits, in order; then fine
	before func()     // what overtakes those that are to be overtaken
	copies []sent     // every commit that was sent
}

// sent executes a commit that was sent, later, and gives the answer.
type sent func(ctx context.Context) (string, error)

func (f *faults) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (f *faults) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

func (f *faults) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		var copies []sent
		switch args := cmds[0].Args(); {
		case cmds[0].Name() == "multi" && cmds[len(cmds)-2].Name() == "mset":
			copies = []sent{f.transaction(ctx, cmds[1:len(cmds)-1])}
		case cmds[0].Name() == "evalsha" && args[1] == f.commit:
			for _, cmd := range cmds {
				copies = append(copies, f.script(cmd))
			}
		default:
			return next(ctx, cmds)
		}
		what := f.note(copies)
		if what == overtaken {
			f.before()
		}
		if what != lostRequest {
			if err := next(ctx, cmds); what != lostReply {
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

// copied are the arguments of a command as they go over the network: their memory is used again.
func copied(cmd goredis.Cmder) []any {
	args := slices.Clone(cmd.Args())
	for i, arg := range args {
		switch v := arg.(type) {
		case *string:
			args[i] = strings.Clone(*v)
		case *octets:
			args[i] = slices.Clone([]byte(*v))
		case *int64:
			args[i] = *v
		}
	}
	return args
}

func (f *faults) script(cmd goredis.Cmder) sent {
	args := copied(cmd)
	return func(ctx context.Context) (string, error) { return f.store.client.Do(ctx, args...).Text() }
}

// transaction takes effect as long as the tokens that it sets are what they were when it
// was sent: its connection watches them.
func (f *faults) transaction(ctx context.Context, cmds []goredis.Cmder) sent {
	var copies [][]any
	var tokens []string
	for _, cmd := range cmds {
		copies = append(copies, copied(cmd))
	}
	for i, arg := range copies[len(copies)-1] { // MSET token value token value …
		if key, _ := arg.(string); i%2 == 1 {
			tokens = append(tokens, key)
		}
	}
	watched := f.store.client.MGet(ctx, tokens...).Val()
	return func(ctx context.Context) (string, error) {
		now, err := f.store.client.MGet(ctx, tokens...).Result()
		if err != nil || !reflect.DeepEqual(now, watched) {
			return "aborted", err
		}
		_, err = f.store.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for _, args := range copies {
				p.Do(ctx, args...)
			}
			return nil
		})
		return "ok", err
	}
}

func (f *faults) note(copies []sent) fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.copies = append(f.copies, copies...)
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
func (f *faults) deliver(i int) (string, error) {
	f.mu.Lock()
	late := f.copies[i]
	f.mu.Unlock()
	reply, err := late(context.Background())
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
	f := &faults{store: s, commit: s.scripts.commit.sha}
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
