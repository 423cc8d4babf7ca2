package testenv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CutAOF takes the last n bytes off the append-only file of a server that is
// down, as a power cut within appendfsync's second would, and what is left of the
// last command or transaction with them, as redis-check-aof --fix would. (After Kill
// alone nothing is lost: the kernel has what was written.)
//
// Redis 7.0 drops the rest of a transaction on Restart too, but where the cut is in
// the middle of a command it leaves the commands before it in the file: the start
// after that one takes them for the beginning of whatever follows.
func (r *Redis) CutAOF(n int64) error {
	r.proc.mu.Lock()
	defer r.proc.mu.Unlock()
	if r.proc.runningLocked() {
		return errors.New("cut aof: the server runs")
	}
	files, err := filepath.Glob(filepath.Join(r.dir, "appendonlydir", "*.incr.aof"))
	if err != nil {
		return fmt.Errorf("cut aof: %w", err)
	}
	if len(files) != 1 {
		return fmt.Errorf("cut aof: %d incremental files in %s, want 1", len(files), r.dir)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		return fmt.Errorf("cut aof: %w", err)
	}
	if n < 0 || n > info.Size() {
		return fmt.Errorf("cut aof: %d bytes off a file of %d", n, info.Size())
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return fmt.Errorf("cut aof: %w", err)
	}
	return os.Truncate(files[0], int64(wholeSteps(data[:info.Size()-n])))
}

// wholeSteps is how many bytes of an append-only file are whole commands and whole
// transactions.
func wholeSteps(data []byte) (whole int) {
	in := bytes.NewReader(data)
	c := respConn{r: bufio.NewReader(in)}
	for inside := false; ; {
		name, err := c.logged()
		if err != nil {
			return whole
		}
		inside = strings.EqualFold(name, "MULTI") || inside && !strings.EqualFold(name, "EXEC")
		if !inside {
			whole = len(data) - in.Len() - c.r.Buffered()
		}
	}
}

// logged reads a command as a file holds it, and returns its name; "" for an annotation.
func (c *respConn) logged() (name string, err error) {
	if first, err := c.r.Peek(1); err != nil {
		return "", err
	} else if first[0] == '#' {
		_, err := c.r.ReadString('\n')
		return "", err
	}
	reply, err := c.reply()
	if words, ok := reply.([]any); ok && len(words) > 0 {
		name, _ = words[0].(string)
	}
	return name, err
}
