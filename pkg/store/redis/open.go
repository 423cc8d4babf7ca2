package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// layout is the version of what lies in Redis: keys, fields, values. Raise it with
// any change that an older program would misread.
const layout = layoutOfPlaces

// Open connects, checks the server and makes or reads the namespace's record. An
// error with ErrRefused in its chain will not heal; any other may, so that a
// caller can try again.
func Open(ctx context.Context, cfg Config, log zerolog.Logger) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, refused(err)
	}
	s := newStore(cfg, log)
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open redis: %w", err), s.Close())
	}
	s.log.Info().Str("namespace", cfg.Namespace).Int("shards", s.Shards()).Int("generation", s.keys.generation).Bool("fresh", s.fresh).Msg("store is open")
	return s, nil
}

// newStore is a Store that has not asked anybody anything.
func newStore(cfg Config, log zerolog.Logger) *Store {
	s := &Store{
		cfg: cfg, log: log.With().Str("component", "store").Logger(),
		scripts: newScripts(cfg.Embedded), process: processName(),
		stats: newCounters(), servers: &servers{known: map[string]string{}, others: map[string]string{}},
	}
	s.keys.base = cfg.Namespace
	s.client = newClient(cfg, s.servers.onConnect(s.scripts, cfg.Embedded))
	s.relayed.by(s.client)
	return s
}

func (s *Store) start(ctx context.Context) error {
	if err := s.Check(ctx); err != nil {
		return err
	}
	if err := s.choose(ctx); err != nil {
		return refuseUnlessHeals(err)
	}
	return s.readMeta(ctx)
}

// choose finds out which generation to use, and of how many shards it is.
func (s *Store) choose(ctx context.Context) error {
	generation, shards := s.cfg.Generation, s.cfg.Shards
	if generation == 0 {
		g, err := s.Generations(ctx)
		if err != nil {
			return err
		}
		generation = g.Live
	}
	if s.cfg.AnyShards {
		stored, err := s.shardsOf(ctx, generation)
		if err != nil {
			return err
		}
		if stored > 0 {
			shards = stored
		}
	}
	s.keys = newKeys(s.cfg.Namespace, generation, shards)
	s.states = make([]shardState, shards)
	return nil
}

// processName tells this Store from every other one, in tokens and marks.
func processName() string {
	const letters = 12 // 60 bits
	return rand.Text()[:letters]
}

// readMeta makes the namespace's record where there is none, and refuses one that
// does not fit.
func (s *Store) readMeta(ctx context.Context) error {
	var held []string
	err := s.try(ctx, "read the namespace", func() (err error) {
		now := time.Now().UTC().Format(time.RFC3339)
		held, err = s.client.EvalSha(ctx, s.scripts.meta.sha, []string{s.keys.meta()}, layout, s.Shards(), now).StringSlice()
		return err
	})
	if err != nil {
		return refuseUnlessHeals(err)
	}
	if len(held) != 4 {
		return refused(unexpected(fmt.Sprint(held)))
	}
	s.fresh = held[0] == "1"
	found, err := strconv.Atoi(held[1])
	if err != nil || found > layout {
		return refused(fmt.Errorf("namespace %q has layout %q, this program knows up to %d: it was written by a newer version; "+
			"run that version, or choose another namespace", s.cfg.Namespace, held[1], layout))
	}
	s.current.Store(found == layout)
	if held[2] != strconv.Itoa(s.Shards()) {
		return refused(fmt.Errorf("redis.shards: %d, but namespace %q was made with %s shards on %s: set redis.shards to %s, "+
			"or score the log again with `tidemark rebuild --switch`", s.cfg.Shards, s.cfg.Namespace, held[2], held[3], held[2]))
	}
	return nil
}

// ClaimPeople notes under which key's check the contacts of this namespace are kept, ""
// for none, when nobody has claimed it yet, and refuses (ErrRefused) another one later:
// nobody would be recognised. It comes before Claim.
func (s *Store) ClaimPeople(ctx context.Context, check string) error {
	var held []any
	err := s.try(ctx, "claim the namespace", func() (err error) {
		if held, err = s.client.HMGet(ctx, s.keys.meta(), "owner", "people").Result(); err != nil || held[0] != nil {
			return err
		}
		if err := s.client.HSetNX(ctx, s.keys.meta(), "people", check).Err(); err != nil {
			return err
		}
		held, err = s.client.HMGet(ctx, s.keys.meta(), "owner", "people").Result()
		return err
	})
	if err != nil {
		return refuseUnlessHeals(err)
	}
	if stored, _ := held[1].(string); stored != check { // namespaces older than this have none
		return refused(fmt.Errorf("people.secret: the contacts in namespace %q are kept under another secret, or none: set it back, "+
			"or score the log again under this one with `tidemark rebuild --switch`", s.cfg.Namespace))
	}
	return nil
}

// Claim notes that group, a Kafka cluster's id with a consumer group, keeps its
// state in this namespace, and refuses (ErrRefused) if another one does: two
// groups would each count the same events.
func (s *Store) Claim(ctx context.Context, group string) error {
	var owner string
	err := s.try(ctx, "claim the namespace", func() error {
		if err := s.client.HSetNX(ctx, s.keys.meta(), "owner", group).Err(); err != nil {
			return err
		}
		var err error
		owner, err = s.client.HGet(ctx, s.keys.meta(), "owner").Result()
		return err
	})
	if err != nil {
		return refuseUnlessHeals(err)
	}
	if owner != group {
		return refused(fmt.Errorf("namespace: %q belongs to %q, not to %q: choose another namespace, or set kafka.group and "+
			"kafka.brokers back (if the other is gone for good: HDEL %s owner)", s.cfg.Namespace, owner, group, s.keys.meta()))
	}
	return nil
}

func refuseUnlessHeals(err error) error {
	if class := Classify(err); class.Heals() || class == Canceled {
		return err
	}
	return refused(err)
}
