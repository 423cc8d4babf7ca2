package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// ErrOtherServer is returned, once a Store is watched, by every call that would reach
// a server that was restarted or replaced since: its data may be older than what the
// caller saw there. Nothing was sent. Begin anew with Accept.
var ErrOtherServer = errors.New("redis was restarted or replaced")

// servers remembers which process answers at each address. A new connection to another
// one is refused before anything goes over it, so that nobody works on with what a
// server held that is gone.
type servers struct {
	mu      sync.Mutex        // guards the rest; not held over the network
	watched bool              // before, every server is accepted
	known   map[string]string // run id by address
	others  map[string]string // run ids that are not accepted yet
}

// Accept takes the servers as they are now for the right ones, and watches from here on.
// What was read before may be older or newer than what they hold.
func (s *Store) Accept() {
	w := s.servers
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.known, w.others)
	clear(w.others)
	w.watched = true
}

// Replaced reports whether a server was met that is not accepted.
func (s *Store) Replaced() bool {
	s.servers.mu.Lock()
	defer s.servers.mu.Unlock()
	return len(s.servers.others) > 0
}

// check compares the process behind a new connection with the one that was known there.
func (w *servers) check(addr, run string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch before, met := w.known[addr]; {
	case before == run:
		// One that was replaced may come back, as when a partition heals.
		delete(w.others, addr)
		return nil
	case !met || !w.watched:
		w.known[addr] = run
		return nil
	}
	w.others[addr] = run
	return ErrOtherServer
}

// onConnect loads the scripts on every new connection, which covers restarts,
// failovers and nodes that join, and finds out whose it is. It fails only if the
// connection does, or leads to a server that is not accepted: sentinels get here too
// and know no SCRIPT, and a server that forbids it says so again when the script is
// first called.
func (w *servers) onConnect(sc scripts, embedded bool) func(ctx context.Context, cn *goredis.Conn) error {
	return func(ctx context.Context, cn *goredis.Conn) error {
		var info *goredis.StringCmd
		_, err := cn.Pipelined(ctx, func(p goredis.Pipeliner) error {
			if !embedded { // miniredis has no run id
				info = p.Info(ctx, "server")
			}
			for _, s := range sc.all() {
				p.ScriptLoad(ctx, s.source)
			}
			return nil
		})
		if reply := goredis.Error(nil); err != nil && !errors.As(err, &reply) {
			return err
		}
		// Where INFO is forbidden there is no text; Open has said so.
		if info == nil || info.Val() == "" || infoField(info.Val(), "redis_mode") == "sentinel" {
			return nil
		}
		return w.check(fmt.Sprint(cn), infoField(info.Val(), "run_id"))
	}
}
