package testenv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// redisStartLimit is generous: a shared two-core machine may be busy with a
// race-enabled build, and loading a large AOF counts as starting.
const redisStartLimit = 60 * time.Second

// RedisOptions says how a Redis differs from the default: an append-only file
// with appendfsync everysec, no snapshots, no password, no TLS.
type RedisOptions struct {
	Dir      string   // data directory to use and keep; empty makes one that Stop removes
	Config   []string // further lines of redis.conf; they win over the defaults
	TLS      bool     // the port speaks TLS only; see TLSConfig
	User     string   // ACL user with all rights; the default user is switched off
	Password string   // of User, or with no User of the default user
}

// Redis is one running redis-server. Its methods may be called from any goroutine.
type Redis struct {
	opts  RedisOptions
	dir   string
	ports []int // the first one serves clients
	tls   *tls.Config
	proc  *process
}

// StartRedis starts a server and returns once it answers PING with its data loaded.
func StartRedis(opts RedisOptions) (*Redis, error) {
	return startRedis(opts, false)
}

func startRedis(opts RedisOptions, cluster bool) (_ *Redis, err error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, notInstalled("redis-server is not on the PATH")
	}
	r := &Redis{opts: opts, dir: opts.Dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.cleanUp())
		}
	}()
	if r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "tidemark-redis-"); err != nil {
			return nil, fmt.Errorf("start redis: %w", err)
		}
	}
	for range 2 { // a cluster node's second port is its bus
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		r.ports = append(r.ports, port)
	}
	if opts.TLS {
		if err := writeCerts(r.dir); err != nil {
			return nil, err
		}
		if r.tls, err = clientTLS(r.dir); err != nil {
			return nil, err
		}
	}
	conf := filepath.Join(r.dir, "redis.conf")
	if err := os.WriteFile(conf, []byte(r.config(cluster)), 0o600); err != nil {
		return nil, fmt.Errorf("start redis: %w", err)
	}
	r.proc = &process{name: "redis-server", logPath: filepath.Join(r.dir, "redis.log"), argv: []string{program, conf}}
	return r, r.startAndWait()
}

func (r *Redis) config(cluster bool) string {
	lines := []string{
		"bind 127.0.0.1", "daemonize no", "dir " + r.dir,
		`save ""`, "appendonly yes", "appendfsync everysec",
	}
	port := strconv.Itoa(r.ports[0])
	if r.opts.TLS {
		lines = append(lines, "port 0", "tls-port "+port, "tls-auth-clients no", "tls-replication yes", "tls-cluster yes",
			"tls-ca-cert-file "+caFile, "tls-cert-file "+certFile, "tls-key-file "+keyFile)
	} else {
		lines = append(lines, "port "+port)
	}
	if cluster {
		lines = append(lines, "cluster-enabled yes", "cluster-node-timeout 2000", "cluster-port "+strconv.Itoa(r.ports[1]))
	}
	switch {
	case r.opts.User != "":
		lines = append(lines, "user default off", "user "+r.opts.User+" on >"+r.opts.Password+" ~* &* +@all")
	case r.opts.Password != "":
		lines = append(lines, "requirepass "+r.opts.Password)
	}
	return strings.Join(append(lines, r.opts.Config...), "\n") + "\n"
}

func (r *Redis) startAndWait() error {
	if err := r.proc.start(); err != nil {
		return err
	}
	err := r.proc.await(redisStartLimit, func(ctx context.Context) error {
		_, err := r.doContext(ctx, "PING") // LOADING and MASTERDOWN are error replies
		return err
	})
	if err != nil {
		return errors.Join(err, r.proc.kill())
	}
	return nil
}

// Addr is the host:port for clients; the same over restarts.
func (r *Redis) Addr() string { return loopback(r.ports[0]) }

// Dir is the data directory.
func (r *Redis) Dir() string { return r.dir }

// PID is the process id of the server that runs, or ran last.
func (r *Redis) PID() int { return r.proc.pid() }

// TLSConfig trusts the server's generated CA; nil without RedisOptions.TLS.
func (r *Redis) TLSConfig() *tls.Config { return r.tls.Clone() }

// CAFile is the path of the generated CA in PEM form, for settings that take a file.
func (r *Redis) CAFile() string { return filepath.Join(r.dir, caFile) }

// Do sends one command on a connection of its own, authenticated as the
// options say. It returns string, int64, nil or []any; an error reply is a
// RedisError.
func (r *Redis) Do(args ...string) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return r.doContext(ctx, args...)
}

func (r *Redis) doContext(ctx context.Context, args ...string) (any, error) {
	c, err := dialRESP(ctx, r.Addr(), r.tls)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if r.opts.Password != "" {
		auth := []string{"AUTH", r.opts.Password}
		if r.opts.User != "" {
			auth = []string{"AUTH", r.opts.User, r.opts.Password}
		}
		if _, err := c.do(auth...); err != nil {
			return nil, err
		}
	}
	return c.do(args...)
}

// Kill ends the server with SIGKILL. Its port stays reserved and its data stays: Restart continues from them.
func (r *Redis) Kill() error { return r.proc.kill() }

// Restart starts the server again on the same port and data, after stopping it
// in an orderly way if it still runs.
func (r *Redis) Restart() error {
	if err := r.proc.stop(); err != nil {
		return err
	}
	return r.startAndWait()
}

// Pause freezes the server (SIGSTOP): connections stay open and nothing answers.
func (r *Redis) Pause() error { return r.proc.signal(syscall.SIGSTOP) }

// Resume lets a paused server continue.
func (r *Redis) Resume() error { return r.proc.signal(syscall.SIGCONT) }

// Stop ends the server, releases its ports and removes a directory that it
// made itself. A second call does nothing.
func (r *Redis) Stop() error {
	return errors.Join(r.proc.stop(), r.cleanUp())
}

func (r *Redis) cleanUp() error {
	for _, p := range r.ports {
		ReleasePort(p)
	}
	if r.opts.Dir != "" || r.dir == "" {
		return nil
	}
	return os.RemoveAll(r.dir)
}
