package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const orphanEnv = "TESTENV_START_AND_WAIT"

// TestServersDieWithTheirTestProcess kills a copy of this test binary that has
// started a Redis, and waits on an open connection for the Redis to go.
func TestServersDieWithTheirTestProcess(t *testing.T) {
	if os.Getenv(orphanEnv) != "" {
		startAndWait(t)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServersDieWithTheirTestProcess$")
	cmd.Env = append(os.Environ(), orphanEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe() // stays open, so that the copy waits
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var conn net.Conn
	for lines := bufio.NewScanner(out); conn == nil && lines.Scan(); {
		if addr, ok := strings.CutPrefix(lines.Text(), "redis at "); ok {
			if conn, err = net.Dial("tcp", addr); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	if conn == nil {
		t.Fatal("the copy started no redis")
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read from the orphan: %v, want a closed connection", err)
	}
}

func startAndWait(t *testing.T) {
	t.Helper()
	r, err := StartRedis(RedisOptions{Dir: os.Getenv(orphanEnv)})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("redis at %s\n", r.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}
