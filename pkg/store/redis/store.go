package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
)

// Store is one process's view of a namespace. Open makes one; its methods may be
// called by several goroutines.
type Store struct {
	cfg     Config
	log     zerolog.Logger
	client  goredis.UniversalClient
	scripts scripts
	servers *servers
	keys    keys
	process string // what no other process has, and no other Store
	fresh   bool
	current atomic.Bool // what is stored is in this version's layout, as far as is known
	states  []shardState
	stats   counters
	relayed trips // of outboxes

	bundles, encoders sync.Pool // memory that is used again
}

var _ engine.Store = (*Store)(nil)

// Shards is the number of shards, as written when the namespace was made.
func (s *Store) Shards() int { return len(s.keys.shards) }

// Fresh is true when Open found nothing and made the namespace. A process that
// expects its state there should not begin from nothing in silence.
func (s *Store) Fresh() bool { return s.fresh }

// Ping asks the server, or one of a cluster's, for a sign of life. It does not repeat.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.client.Ping(ctx).Err(); err != nil {
		return &Error{Op: "ping redis", Class: Classify(err), Err: err}
	}
	return nil
}

// Close closes all connections. Calls under way end with an error of class
// Closed, and so do later ones. A second Close does nothing.
func (s *Store) Close() error {
	if err := s.client.Close(); err != nil && !errors.Is(err, goredis.ErrClosed) {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// Positions implements engine.Store, in one round trip.
func (s *Store) Positions(ctx context.Context) ([]map[engine.Partition]int64, error) {
	replies := make([]*goredis.MapStringStringCmd, s.Shards())
	err := s.pipe(ctx, "read positions", func(p goredis.Pipeliner) {
		for i, k := range s.keys.shards {
			replies[i] = p.HGetAll(ctx, k.positions)
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]map[engine.Partition]int64, len(replies))
	for i, reply := range replies {
		if out[i], err = parsePositions(reply.Val()); err != nil {
			return nil, fmt.Errorf("read positions of %s: %w", s.keys.shards[i].positions, err)
		}
	}
	return out, nil
}

// shard gives the keys of a shard, or an error for a number that is none.
func (s *Store) shard(n int) (shardKeys, error) {
	if n < 0 || n >= len(s.keys.shards) {
		return shardKeys{}, fmt.Errorf("shard %d is not between 0 and %d", n, len(s.keys.shards)-1)
	}
	return s.keys.shards[n], nil
}

// shardState is what a process remembers of a shard between its commits.
type shardState struct {
	// mu lets one Commit at a time work on the shard: the numbers below must
	// reach the server in order. It is held over the network on purpose. Commits
	// of several shards lock them in ascending order.
	mu sync.Mutex
	// number is the attempt number given out last.
	number uint64
	// token is what our last commit left in the shard; "" before the first.
	token string
	// tail is the entry that our last commit left at the end of the outbox; "" where that
	// is not known.
	tail string
	// check asks the script to compare versions even where the token is ours: the
	// last call met someone else or failed, so that steps that were prepared before
	// its outcome was known may rest on old records.
	check bool
	// pending are the attempts whose outcome is unknown, in order.
	pending []pendingAttempt
	// places are the keys of those that were written to.
	places placeKeys
	// positions are those that were moved.
	positions map[engine.Partition]*position
	// turn is that of the call that has the shard.
	turn turn
}

// position is what a process knows of one in a shard.
type position struct {
	field string
	// at is where our last commit left it, if known: nobody else wrote to the shard since.
	at    int64
	known bool
}

func (st *shardState) position(of engine.Partition) *position {
	p := st.positions[of]
	if p == nil {
		if st.positions == nil {
			st.positions = map[engine.Partition]*position{}
		}
		p = &position{field: partitionField(of)}
		st.positions[of] = p
	}
	return p
}

// doubt takes note that positions may be others than those that we left.
func (st *shardState) doubt() {
	for _, p := range st.positions {
		p.known = false
	}
}

// encoder is memory for a step, which end takes back.
func (s *Store) encoder() *encoder {
	if e, ok := s.encoders.Get().(*encoder); ok {
		return e
	}
	return &encoder{}
}

func (st *shardState) known() placeKeys {
	if st.places == nil {
		st.places = placeKeys{}
	}
	return st.places
}
