package doctor

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// oldest is the first Redis that will do.
const oldest = 7

func (r *report) redis(f *Facts) {
	if f.Redis.Err != nil {
		r.bad(Fail, "redis.reach", "redis.addrs", f.Redis.Err.Error(), "nothing is scored without it; nothing is lost meanwhile",
			"check redis.addrs, redis.username and redis.password with `tidemark config print`, and that Redis runs")
		return
	}
	for i := range f.Redis.Servers {
		r.server(f, &f.Redis.Servers[i])
	}
}

func (r *report) server(f *Facts, s *Server) {
	major, _, _ := strings.Cut(s.Version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest {
		r.bad(Fail, "redis.version", s.Addr, fmt.Sprintf("version %q", s.Version), "scripts need Redis 7.0, serve refuses an older one", "upgrade Redis to 7.0 or later")
	} else {
		r.ok("redis.version", s.Addr, "%s, %s", s.Version, s.Mode)
	}
	if clustered := s.Mode == "cluster"; clustered != f.Redis.Cluster {
		r.bad(Fail, "redis.mode", s.Addr, fmt.Sprintf("the server runs in mode %q, and redis.addrs means otherwise", s.Mode), "serve refuses it", "redis.addrs: one address for a single server, several for a cluster")
	}
	if s.Role == "slave" {
		r.bad(Fail, "redis.role", s.Addr, "this is a replica", "it takes no writes", "give the master's address in redis.addrs, or the sentinels and redis.sentinel_master")
	}
	if s.Loading {
		r.bad(Fail, "redis.loading", s.Addr, "it is reading its file", "it answers nothing until it is done", "wait; redis-cli INFO persistence says how far it is")
	}
	r.eviction(s)
	r.persistence(s)
}

func (r *report) eviction(s *Server) {
	switch {
	case s.Policy == "":
		r.bad(Fail, "redis.eviction", s.Addr, "maxmemory-policy cannot be read", "serve refuses a Redis of which it cannot rule out that it drops scores", "redis-cli ACL SETUSER <user> +info")
	case s.Policy != "noeviction":
		r.bad(Fail, "redis.eviction", s.Addr, "maxmemory-policy is "+s.Policy, "it would drop scores without a word; serve refuses it",
			"redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf")
	case s.Evicted > 0:
		r.bad(Fail, "redis.eviction", s.Addr, fmt.Sprintf("%d keys were evicted since it was started", s.Evicted), "scores may be among them",
			"hold the state against the log: tidemark rebuild\nthen, if accounts differ: tidemark rebuild --switch")
	default:
		r.ok("redis.eviction", s.Addr, "noeviction")
	}
}

func (r *report) persistence(s *Server) {
	const on = "redis-cli CONFIG SET appendonly yes, and the same in redis.conf"
	switch {
	case s.AOF == "":
		r.bad(Unknown, "redis.aof", s.Addr, "whether it keeps an append-only file is not told", "without one a restart loses the state", "redis-cli ACL SETUSER <user> +info")
		return
	case s.AOF != "1":
		r.bad(Fail, "redis.aof", s.Addr, "appendonly is no", "a restart loses the state, and serve then refuses to start without `tidemark rebuild --switch`", on)
		return
	case s.LastWrite != "" && s.LastWrite != "ok":
		r.bad(Fail, "redis.aof", s.Addr, "the last write of the append-only file failed", "Redis refuses writes until it can: mostly the disk is full", "make room on the disk of Redis; redis-cli INFO persistence")
	case s.LastRewrite != "" && s.LastRewrite != "ok":
		r.bad(Warn, "redis.aof", s.Addr, "the last rewrite of the append-only file failed", "the file grows until the disk is full", "redis-cli BGREWRITEAOF, and see the log of Redis for why it failed")
	default:
		r.ok("redis.aof", s.Addr, "appendonly yes")
	}
	switch s.Fsync {
	case "":
		r.bad(Unknown, "redis.fsync", s.Addr, "appendfsync is not told: the user may not call CONFIG GET, and need not", "it decides how much a power cut takes", "redis-cli CONFIG GET appendfsync, as an operator: it should be everysec or always")
	case "no":
		r.bad(Warn, "redis.fsync", s.Addr, "appendfsync is no", "a power cut takes up to half a minute; Tidemark reads it again from Kafka, but nothing is scored meanwhile",
			"redis-cli CONFIG SET appendfsync everysec, and the same in redis.conf")
	default:
		r.ok("redis.fsync", s.Addr, "%s", s.Fsync)
	}
}

// perAccount is what an account takes where nothing can be measured: what the bench found
// for five signals and three people (streams/DESIGN.md).
const perAccount = 480

// enough is how many accounts must be stored for their weight to tell of others.
const enough = 1000

// The parts of the memory that may be full before it is said.
const (
	warnFull = 0.8
	failFull = 0.95
)

func (r *report) memory(f *Facts) {
	if f.Redis.Err != nil || len(f.Redis.Servers) == 0 {
		return
	}
	each, how := float64(perAccount), "480 bytes an account as the bench measured, as fewer than 1000 are stored here"
	if f.Redis.StoredErr == nil && f.Redis.Stored >= enough && f.Redis.Bytes > 0 {
		each = float64(f.Redis.Bytes) / float64(f.Redis.Stored)
		how = fmt.Sprintf("%.0f bytes an account as measured on %d", each, f.Redis.Stored)
	}
	accounts := max(f.Accounts, f.Redis.Stored)
	var used, room int64
	bounded := true
	for _, s := range f.Redis.Servers {
		if s.UsedMemory < 0 {
			r.bad(Unknown, "redis.memory", s.Addr, "its memory is not told", "when it is full nothing is scored", "redis-cli ACL SETUSER <user> +info")
			return
		}
		limit := s.MaxMemory
		if limit <= 0 {
			bounded, limit = false, s.SystemMemory
		}
		used, room = used+s.UsedMemory, room+limit
	}
	need := used + int64(each*float64(accounts-f.Redis.Stored))
	what := fmt.Sprintf("%s of %s in use, %s forecast for %d accounts (%s)", mib(used), mib(room), mib(need), accounts, how)
	grow := fmt.Sprintf("redis-cli CONFIG SET maxmemory %d, on a machine of twice that (a rewrite of its file may need a copy), or a cluster", need*3/2)
	switch full := float64(need) / float64(max(room, 1)); {
	case room <= 0:
		r.bad(Unknown, "redis.memory", "all servers", what, "neither maxmemory nor the machine's memory is told", grow)
	case full > failFull:
		r.bad(Fail, "redis.memory", "all servers", what, "when it is full Redis refuses writes and nothing is scored", grow)
	case full > warnFull:
		r.bad(Warn, "redis.memory", "all servers", what, "when it is full Redis refuses writes and nothing is scored", grow)
	case !bounded:
		r.bad(Warn, "redis.memory", "all servers", what+"; maxmemory is not set", "without a bound the system kills Redis rather than Redis refusing writes", fmt.Sprintf("redis-cli CONFIG SET maxmemory %d, and the same in redis.conf", room/2))
	default:
		r.ok("redis.memory", "all servers", "%s", what)
	}
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// apart is by how much clocks may differ before it is said: crossings are right within it.
const apart = time.Second

func (r *report) clocks(f *Facts) {
	for _, s := range f.Redis.Servers {
		if s.Within < 0 {
			r.bad(Unknown, "clock", s.Addr, "its clock is not told", "clocks that differ make ages wrong", "redis-cli TIME beside date +%s")
			continue
		}
		off := s.Ahead.Abs() - s.Within
		what := fmt.Sprintf("%s ahead of this machine, give or take %s", s.Ahead, s.Within)
		const why = "one of the two clocks is wrong: a scorer's that is ahead demotes early, one that is behind takes good events for future_time"
		switch {
		case off > f.Tolerance:
			r.bad(Fail, "clock", s.Addr, what, why, "timedatectl set-ntp true, on both machines")
		case off > apart:
			r.bad(Warn, "clock", s.Addr, what, why, "timedatectl set-ntp true, on both machines")
		default:
			r.ok("clock", s.Addr, "%s; Kafka's clock cannot be asked without a write", what)
		}
	}
}
