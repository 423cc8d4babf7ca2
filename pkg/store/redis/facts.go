package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// ServerFacts are what a server tells of itself. What it does not tell, as the user may
// not ask, is empty or -1.
type ServerFacts struct {
	Addr          string
	Version, Mode string
	Role          string // master or slave
	Loading       bool
	Policy        string // maxmemory-policy
	AOF           string // 1 or 0
	Fsync         string // appendfsync; only CONFIG GET tells
	LastWrite     string // of the append-only file: ok or err
	LastRewrite   string
	// MaxMemory in bytes, 0 for no bound; UsedMemory and the machine's memory.
	MaxMemory, UsedMemory, SystemMemory int64
	Evicted                             int64 // keys, since the start
	// Ahead is by how many milliseconds the server's clock is ahead of this machine's,
	// give or take Within.
	Ahead, Within int64
}

// Facts asks every master how it is, whether it is fit or not. Nothing is stored.
func Facts(ctx context.Context, cfg Config, log zerolog.Logger) ([]ServerFacts, error) {
	if err := cfg.Validate(); err != nil {
		return nil, refused(err)
	}
	s := newStore(cfg, log)
	defer s.Close() //nolint:errcheck // only read from
	return eachMaster(ctx, s, func(ctx context.Context, server goredis.Cmdable, addr string) (ServerFacts, error) {
		facts, err := s.facts(ctx, server)
		facts.Addr = addr
		return facts, err
	})
}

// eachMaster asks the server, or every master of a cluster. Of a single one its answer
// comes along with an error.
func eachMaster[T any](ctx context.Context, s *Store, ask func(ctx context.Context, server goredis.Cmdable, addr string) (T, error)) ([]T, error) {
	cluster, clustered := s.client.(*goredis.ClusterClient)
	if !clustered {
		answer, err := ask(ctx, s.client, strings.Join(s.cfg.Addrs, ","))
		return []T{answer}, err
	}
	var (
		mu  sync.Mutex // ForEachMaster calls from several goroutines
		out []T
	)
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
		answer, err := ask(ctx, node, node.Options().Addr)
		if err != nil {
			return fmt.Errorf("node %s: %w", node.Options().Addr, err)
		}
		mu.Lock()
		defer mu.Unlock()
		out = append(out, answer)
		return nil
	})
	return out, err
}

func (s *Store) facts(ctx context.Context, server goredis.Cmdable) (f ServerFacts, err error) {
	hello, err := s.hello(ctx, server)
	if err != nil {
		return f, err
	}
	f.Version, f.Mode = hello.version, hello.mode
	var info string
	asked := time.Now()
	err = s.try(ctx, "ask redis how it is", func() (err error) {
		asked = time.Now()
		info, err = server.Info(ctx).Result()
		return err
	})
	if Classify(err) == Auth {
		f.MaxMemory, f.UsedMemory, f.SystemMemory, f.Evicted = -1, -1, -1, -1
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.read(info)
	took := time.Since(asked).Milliseconds()
	if micros := number(info, "server_time_usec"); micros > 0 {
		f.Ahead, f.Within = micros/1000-asked.UnixMilli()-took/2, took/2+1
	} else {
		f.Within = -1
	}
	if config, err := server.ConfigGet(ctx, "appendfsync").Result(); err == nil {
		f.Fsync = config["appendfsync"]
	}
	return f, nil
}

func (f *ServerFacts) read(info string) {
	f.Role, f.Policy, f.AOF = infoField(info, "role"), infoField(info, "maxmemory_policy"), infoField(info, "aof_enabled")
	f.LastWrite, f.LastRewrite = infoField(info, "aof_last_write_status"), infoField(info, "aof_last_bgrewrite_status")
	f.Loading = infoField(info, "loading") == "1"
	f.MaxMemory, f.UsedMemory = number(info, "maxmemory"), number(info, "used_memory")
	f.SystemMemory, f.Evicted = number(info, "total_system_memory"), number(info, "evicted_keys")
}

// number is a field of INFO, -1 where it is not there.
func number(info, name string) int64 {
	n, err := strconv.ParseInt(infoField(info, name), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// Weight is how many accounts are stored and how many bytes they take, keys, profiles,
// due instants, listings and aliases included. It looks at shards of about a quarter of
// the accounts and takes the others to be like them.
func (s *Store) Weight(ctx context.Context) (accounts, bytes int64, err error) {
	lengths, err := s.lengths(ctx)
	if err != nil {
		return 0, 0, err
	}
	var seen, weighed int64
	for i, n := range lengths {
		accounts += n.Val()
		if i%weighEach != 0 {
			continue
		}
		w, err := s.weigh(ctx, s.keys.shards[i])
		if err != nil {
			return 0, 0, err
		}
		seen, weighed = seen+n.Val(), weighed+w
	}
	if seen == 0 {
		return accounts, 0, nil
	}
	return accounts, int64(float64(weighed) / float64(seen) * float64(accounts)), nil
}

// Accounts is how many accounts are stored.
func (s *Store) Accounts(ctx context.Context) (accounts int64, err error) {
	lengths, err := s.lengths(ctx)
	if err != nil {
		return 0, err
	}
	for _, n := range lengths {
		accounts += n.Val()
	}
	return accounts, nil
}

// lengths are how many accounts the shards hold.
func (s *Store) lengths(ctx context.Context) ([]*goredis.IntCmd, error) {
	lengths := make([]*goredis.IntCmd, s.Shards())
	err := s.pipe(ctx, "count accounts", func(p goredis.Pipeliner) {
		for i, k := range s.keys.shards {
			lengths[i] = p.HLen(ctx, k.accounts)
		}
	})
	return lengths, err
}

// weighEach is which part of the shards is weighed, and weighSamples how many fields of
// each key the server looks at.
const (
	weighEach    = 4
	weighSamples = 200
)

func (s *Store) weigh(ctx context.Context, k shardKeys) (bytes int64, err error) {
	var tiers []string
	err = s.try(ctx, "read tiers", func() (err error) {
		tiers, err = s.client.SMembers(ctx, k.tiers).Result()
		return err
	})
	if err != nil {
		return 0, err
	}
	names := []string{k.accounts, k.profiles, k.next, k.aliases}
	for _, tier := range append(tiers, "") {
		names = append(names, k.eachPlace(tier)...)
	}
	weights := make([]*goredis.IntCmd, len(names))
	err = s.pipe(ctx, "weigh accounts", func(p goredis.Pipeliner) {
		for i, name := range names {
			weights[i] = p.MemoryUsage(ctx, name, weighSamples)
		}
	})
	for _, w := range weights {
		bytes += w.Val() // nothing for a key that is not there
	}
	return bytes, err
}
