package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	sentinelMaster        = "tidemark"
	sentinelFailoverLimit = 60 * time.Second
)

// Sentinel is a master, a replica and the sentinels that watch them.
type Sentinel struct {
	data      [2]*Redis // which of them is master changes over failovers
	dir       string
	sentinels []*sentinelNode
}

type sentinelNode struct {
	port int
	proc *process
}

// StartSentinel starts one master, one replica and three sentinels, and returns
// once the sentinels know each other and the replica is in step.
func StartSentinel() (_ *Sentinel, err error) {
	s := &Sentinel{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.data[0], err = StartRedis(RedisOptions{Config: []string{"repl-diskless-sync-delay 0"}}); err != nil {
		return nil, err
	}
	replicaOf := "replicaof 127.0.0.1 " + strconv.Itoa(s.data[0].ports[0])
	if s.data[1], err = StartRedis(RedisOptions{Config: []string{"repl-diskless-sync-delay 0", replicaOf}}); err != nil {
		return nil, err
	}
	// A sentinel reads its master's replicas at once, then only every ten
	// seconds, so the replica must be there before the sentinels start.
	if err := s.awaitReplica(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "tidemark-sentinel-"); err != nil {
		return nil, fmt.Errorf("start sentinel: %w", err)
	}
	for range 3 {
		if err := s.addSentinel(); err != nil {
			return nil, err
		}
	}
	return s, s.awaitQuorum()
}

func (s *Sentinel) addSentinel() error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return notInstalled("redis-server is not on the PATH")
	}
	port, err := FreePort()
	if err != nil {
		return err
	}
	base := filepath.Join(s.dir, strconv.Itoa(port))
	conf := strings.Join([]string{
		"bind 127.0.0.1", "port " + strconv.Itoa(port), "dir " + s.dir,
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 2", sentinelMaster, s.data[0].ports[0]),
		"sentinel down-after-milliseconds " + sentinelMaster + " 1000",
		"sentinel failover-timeout " + sentinelMaster + " 10000",
	}, "\n") + "\n"
	n := &sentinelNode{port: port, proc: &process{
		name: "redis-sentinel", logPath: base + ".log", argv: []string{program, base + ".conf", "--sentinel"},
	}}
	s.sentinels = append(s.sentinels, n)
	if err := os.WriteFile(base+".conf", []byte(conf), 0o600); err != nil {
		return fmt.Errorf("start sentinel: %w", err)
	}
	if err := n.proc.start(); err != nil {
		return err
	}
	return n.proc.await(redisStartLimit, func(ctx context.Context) error {
		_, err := n.do(ctx, "PING")
		return err
	})
}

func (s *Sentinel) awaitReplica() error {
	return s.data[1].proc.await(redisStartLimit, func(ctx context.Context) error {
		reply, err := s.data[1].doContext(ctx, "INFO", "replication")
		if info, _ := reply.(string); err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New("replica is not in step yet")
		}
		return err
	})
}

// awaitQuorum waits until each sentinel says that a failover would be agreed
// on and knows of the replica that it would promote.
func (s *Sentinel) awaitQuorum() error {
	for _, n := range s.sentinels {
		err := n.proc.await(redisStartLimit, func(ctx context.Context) error {
			if _, err := n.do(ctx, "SENTINEL", "CKQUORUM", sentinelMaster); err != nil {
				return err
			}
			m, err := n.master(ctx)
			if err == nil && (m["num-slaves"] != "1" || m["num-other-sentinels"] != "2") {
				err = fmt.Errorf("sentinel knows %s replicas and %s other sentinels", m["num-slaves"], m["num-other-sentinels"])
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Addrs is the host:port of every sentinel.
func (s *Sentinel) Addrs() []string {
	addrs := make([]string, len(s.sentinels))
	for i, n := range s.sentinels {
		addrs[i] = loopback(n.port)
	}
	return addrs
}

// MasterName is what the sentinels call the master.
func (s *Sentinel) MasterName() string { return sentinelMaster }

// Master is the server that the first sentinel takes for the master now.
func (s *Sentinel) Master() (*Redis, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.masterNow(ctx)
}

func (s *Sentinel) masterNow(ctx context.Context) (*Redis, error) {
	m, err := s.sentinels[0].master(ctx)
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(m["ip"], m["port"])
	for _, r := range s.data {
		if r.Addr() == addr {
			return r, nil
		}
	}
	return nil, fmt.Errorf("sentinel names the master %s, which is not ours", addr)
}

// Failover kills the master and returns once every sentinel names the other
// server, and that one takes writes. The old one stays down: Restart it to
// have it join as the replica.
func (s *Sentinel) Failover() error {
	old, err := s.Master()
	if err != nil {
		return fmt.Errorf("failover: %w", err)
	}
	if err := old.Kill(); err != nil {
		return fmt.Errorf("failover: %w", err)
	}
	next := s.data[0]
	if next == old {
		next = s.data[1]
	}
	for _, n := range s.sentinels {
		err := n.proc.await(sentinelFailoverLimit, func(ctx context.Context) error {
			m, err := n.master(ctx)
			if err == nil && m["port"] != strconv.Itoa(next.ports[0]) {
				err = errors.New("the old master is still named")
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("failover: %w", err)
		}
	}
	return next.proc.await(sentinelFailoverLimit, func(ctx context.Context) error {
		reply, err := next.doContext(ctx, "INFO", "replication")
		if info, _ := reply.(string); err == nil && !strings.Contains(info, "role:master") {
			err = errors.New("not yet a master")
		}
		return err
	})
}

// Stop ends all five servers and removes their files. A second call does nothing.
func (s *Sentinel) Stop() error {
	var errs []error
	for _, n := range s.sentinels { // first, so that they see no failure to act on
		errs = append(errs, n.proc.stop())
		ReleasePort(n.port)
	}
	for _, r := range s.data {
		if r != nil {
			errs = append(errs, r.Stop())
		}
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

func (n *sentinelNode) do(ctx context.Context, args ...string) (any, error) {
	c, err := dialRESP(ctx, loopback(n.port), nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.do(args...)
}

// master is SENTINEL MASTER as a map.
func (n *sentinelNode) master(ctx context.Context) (map[string]string, error) {
	reply, err := n.do(ctx, "SENTINEL", "MASTER", sentinelMaster)
	if err != nil {
		return nil, err
	}
	pairs, _ := reply.([]any)
	m := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		m[key], _ = pairs[i+1].(string)
	}
	return m, nil
}
