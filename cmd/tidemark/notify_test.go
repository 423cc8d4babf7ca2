package main

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidemark/deploy/testenv"
)

// notices are what a process tells systemd.
type notices struct {
	t    *testing.T
	conn *net.UnixConn
	path string
}

func newNotices(t *testing.T) *notices {
	t.Helper()
	// The path of a socket is short: t.TempDir's may not be.
	path := filepath.Join(t.TempDir(), "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &notices{t, conn, path}
}

// await reads until a notice holds a line.
func (n *notices) await(line string) {
	n.t.Helper()
	if err := n.conn.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
		n.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	var all []string
	for {
		size, err := n.conn.Read(buf)
		if err != nil {
			n.t.Fatalf("no %s among %q: %v", line, all, err)
		}
		all = append(all, string(buf[:size]))
		for got := range strings.SplitSeq(string(buf[:size]), "\n") {
			if got == line {
				return
			}
		}
	}
}

// systemd learns when the service takes part, that its rounds end, and that it stops. An
// outage of Redis is told to who asks for readiness and is no reason to be restarted.
func TestSystemdIsNotified(t *testing.T) {
	t.Parallel()
	redis, err := testenv.StartRedis(testenv.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := redis.Stop(); err != nil {
			t.Error(err)
		}
	})
	n := newNotices(t)
	w := newWorld(t, servers.Kafka(t).Addr(), redis.Addr(), writeModel(t, attendance), 1)
	address := "127.0.0.1:" + newShell(t).port("8080")
	i := w.start("NOTIFY_SOCKET="+n.path, "WATCHDOG_USEC=1000000", "TIDEMARK_HTTP_ADDR="+address, "TIDEMARK_REDIS_TIMEOUT=300ms")
	n.await("STATUS=starting")
	n.await("READY=1")
	ask := func(path string) (int, string) {
		response, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // only read from
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	if code, text := ask("/readyz"); code != http.StatusOK {
		t.Errorf("READY=1, and /readyz says %d: %s", code, text)
	}
	n.await("WATCHDOG=1")
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	i.await("the store does not answer")
	for range 3 {
		n.await("WATCHDOG=1")
	}
	if code, _ := ask("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz says %d because Redis is down", code)
	}
	if code, text := ask("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "redis") {
		t.Errorf("Redis is down, and /readyz says %d: %s", code, text)
	}
	if err := redis.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, func() error {
		if code, text := ask("/readyz"); code != http.StatusOK {
			return io.ErrNoProgress
		} else if !strings.HasPrefix(text, "ready\n") {
			t.Errorf("/readyz says %q", text)
		}
		return nil
	})
	i.stop()
	n.await("STOPPING=1")
}
