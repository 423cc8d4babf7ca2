package testenv

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestRedisKeepsItsDataOverKillAndRestart(t *testing.T) {
	t.Parallel()
	r := StartRedisFor(t)
	mustDo(t, r, "OK", "SET", "k", "v")
	addr, pid := r.Addr(), r.PID()

	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Do("PING"); err == nil {
		t.Fatal("PING after Kill succeeded, want an error")
	}
	if err := r.Restart(); err != nil {
		t.Fatal(err)
	}
	mustDo(t, r, "v", "GET", "k")
	if r.Addr() != addr || r.PID() == pid {
		t.Errorf("after restart addr %s pid %d, want addr %s and another pid than %d", r.Addr(), r.PID(), addr, pid)
	}
	if err := r.Restart(); err != nil { // of a running one
		t.Fatal(err)
	}
	mustDo(t, r, "v", "GET", "k")
}

func TestRedisKeepsADirectoryItWasGiven(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := StartRedis(RedisOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	mustDo(t, first, "OK", "SET", "k", "v")
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
	mustDo(t, StartRedisFor(t, RedisOptions{Dir: dir}), "v", "GET", "k")
}

func TestRedisRemovesItsOwnDirectory(t *testing.T) {
	t.Parallel()
	r, err := StartRedis(RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat %s: %v, want not exist", r.Dir(), err)
	}
}

func TestRedisWithTLSAndUser(t *testing.T) {
	t.Parallel()
	r := StartRedisFor(t, RedisOptions{TLS: true, User: "tide", Password: "s3cret"})
	mustDo(t, r, "tide", "ACL", "WHOAMI")
	if r.TLSConfig() == nil {
		t.Error("TLSConfig is nil")
	}
	plain := &Redis{ports: r.ports, proc: r.proc}
	if _, err := plain.Do("PING"); err == nil {
		t.Error("PING without TLS succeeded, want an error")
	}
	anonymous := &Redis{ports: r.ports, proc: r.proc, tls: r.tls}
	if _, err := anonymous.Do("PING"); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
		t.Errorf("PING without a user: %v, want NOAUTH", err)
	}
}

func TestRedisPauseFreezesAndStopEndsIt(t *testing.T) {
	t.Parallel()
	r := StartRedisFor(t)
	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	mustDo(t, r, "PONG", "PING")
	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(r.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal 0 to pid %d: %v, want ESRCH", r.PID(), err)
	}
}

func TestRedisThatCannotStartShowsItsLog(t *testing.T) {
	t.Parallel()
	_, err := StartRedis(RedisOptions{Config: []string{"no-such-setting 1"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("got %v, want an error that shows the log's complaint about no-such-setting", err)
	}
}

func TestRedisLosesTheCutTailOfItsAOF(t *testing.T) {
	t.Parallel()
	r := StartRedisFor(t)
	mustDo(t, r, "OK", "SET", "kept", "v")
	mustDo(t, r, "OK", "SET", "lost", "v")
	if err := r.CutAOF(1); err == nil {
		t.Error("the file of a running server was cut")
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.CutAOF(1); err != nil {
		t.Fatal(err)
	}
	if err := r.Restart(); err != nil {
		t.Fatal(err)
	}
	mustDo(t, r, "v", "GET", "kept")
	if got, err := r.Do("GET", "lost"); got != nil || err != nil {
		t.Errorf("GET lost: got %v, %v; want nil", got, err)
	}
}

func mustDo(t *testing.T, r *Redis, want string, args ...string) {
	t.Helper()
	got, err := r.Do(args...)
	if err != nil || got != want {
		t.Fatalf("%q: got %v, %v; want %q", args, got, err, want)
	}
}
