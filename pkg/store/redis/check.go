package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// oldest is the first Redis whose scripts know a shebang.
const oldest = 7

// Check asks every master whether it is fit: Redis 7.0 or newer, of the mode that
// the settings say, and never evicting. Open calls it; call it again after a
// failover, since the new master has a configuration of its own.
func (s *Store) Check(ctx context.Context) error {
	err := s.try(ctx, "check redis", func() error { return s.client.Ping(ctx).Err() })
	if err != nil {
		return refuseUnlessHeals(err)
	}
	if s.cfg.Embedded {
		return nil
	}
	cluster, clustered := s.client.(*goredis.ClusterClient)
	if !clustered {
		return s.checkServer(ctx, s.client)
	}
	var (
		mu     sync.Mutex // ForEachMaster calls from several goroutines
		faults []error
	)
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
		if err := s.checkServer(ctx, node); err != nil {
			mu.Lock()
			defer mu.Unlock()
			faults = append(faults, fmt.Errorf("node %s: %w", node.Options().Addr, err))
		}
		return nil
	})
	return errors.Join(append(faults, err)...)
}

func (s *Store) checkServer(ctx context.Context, server goredis.Cmdable) error {
	facts, err := s.hello(ctx, server)
	if err != nil {
		return refuseUnlessHeals(err)
	}
	if facts.server == "miniredis" {
		return refused(errors.New("redis.addrs: this is the in-process server of the demo, which keeps nothing; give the address of a Redis"))
	}
	major, _, _ := strings.Cut(facts.version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest {
		return refused(fmt.Errorf("redis.addrs: the server is version %q, this program needs %d.0 or newer: upgrade it", facts.version, oldest))
	}
	if inCluster := facts.mode == "cluster"; inCluster != s.cfg.clustered() {
		if inCluster {
			return refused(fmt.Errorf("redis.addrs: %s is a node of a Redis Cluster, but the settings say a single server: "+
				"give several of its nodes, or set redis.cluster", strings.Join(s.cfg.Addrs, ",")))
		}
		return refused(fmt.Errorf("redis.addrs: %s means a Redis Cluster, but the server runs in mode %q: "+
			"give one address, or start it with cluster-enabled yes", strings.Join(s.cfg.Addrs, ","), facts.mode))
	}
	if err := s.checkEviction(ctx, server); err != nil {
		return err
	}
	return s.checkTransactions(ctx, server)
}

// serverFacts are what HELLO tells every user, whatever the ACL.
type serverFacts struct{ server, version, mode string }

func (s *Store) hello(ctx context.Context, server goredis.Cmdable) (serverFacts, error) {
	var facts serverFacts
	err := s.try(ctx, "ask redis for its version", func() error {
		p := server.Pipeline() // Cmdable has no Do
		cmd := p.Do(ctx, "HELLO", "2")
		if _, err := p.Exec(ctx); err != nil {
			return err
		}
		reply, _ := cmd.Val().([]any)
		for field := range slices.Chunk(reply, 2) {
			value, _ := field[len(field)-1].(string)
			switch field[0] {
			case "server":
				facts.server = value
			case "version":
				facts.version = value
			case "mode":
				facts.mode = value
			}
		}
		return nil
	})
	return facts, err
}

// checkEviction looks where the user may look: CONFIG, else INFO.
func (s *Store) checkEviction(ctx context.Context, server goredis.Cmdable) error {
	var policy string
	err := s.try(ctx, "ask redis for maxmemory-policy", func() error {
		config, err := server.ConfigGet(ctx, "maxmemory-policy").Result()
		if policy = config["maxmemory-policy"]; err == nil && policy != "" {
			return nil
		}
		if class := Classify(err); class.Heals() || class == Canceled {
			return err
		}
		info, err := server.Info(ctx, "memory").Result()
		policy = infoField(info, "maxmemory_policy")
		return err
	})
	switch {
	case Classify(err) == Auth:
		return refused(fmt.Errorf("maxmemory-policy of redis cannot be read, so eviction cannot be ruled out: let the user run INFO "+
			"(ACL SETUSER %s +info): %w", userName(s.cfg.Username), err))
	case err != nil:
		return refuseUnlessHeals(err)
	case policy != "noeviction":
		return refused(fmt.Errorf("maxmemory-policy of redis is %q: it would drop scores without a word; "+
			"run CONFIG SET maxmemory-policy noeviction and write it to redis.conf", policy))
	}
	return nil
}

// checkTransactions looks whether the user may use what accounts are read and written in.
func (s *Store) checkTransactions(ctx context.Context, server goredis.Cmdable) error {
	err := s.try(ctx, "ask redis for a transaction", func() error {
		_, err := server.TxPipelined(ctx, func(p goredis.Pipeliner) error { return p.Ping(ctx).Err() })
		return err
	})
	switch {
	case err == nil:
		return nil
	case Classify(err) == Auth:
		return refused(fmt.Errorf("redis lets the user begin no transaction, in which accounts are read and written: "+
			"run ACL SETUSER %s +@transaction: %w", userName(s.cfg.Username), err))
	default:
		return refuseUnlessHeals(err)
	}
}

func userName(name string) string {
	if name == "" {
		return "default"
	}
	return name
}

func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
