package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
	inside := false
	for at := 0; ; {
		name, next, ok := command(data, at)
		if !ok {
			return whole
		}
		switch {
		case strings.EqualFold(name, "MULTI"):
			inside = true
		case strings.EqualFold(name, "EXEC"):
			inside = false
		}
		if at = next; !inside {
			whole = at
		}
	}
}

// command reads the command at an offset: its name, and where the next begins.
func command(data []byte, at int) (name string, next int, ok bool) {
	number := func(kind byte) (int, bool) {
		end := bytes.Index(data[at:], []byte("\r\n"))
		if end < 1 || data[at] != kind {
			return 0, false
		}
		n, err := strconv.Atoi(string(data[at+1 : at+end]))
		at += end + 2
		return n, err == nil
	}
	if at < len(data) && data[at] == '#' { // an annotation
		end := bytes.Index(data[at:], []byte("\r\n"))
		return "", at + end + 2, end >= 0
	}
	words, ok := 0, at < len(data)
	if ok {
		words, ok = number('*')
	}
	for i := 0; ok && i < words; i++ {
		size := 0
		if ok = at < len(data); ok {
			size, ok = number('$')
		}
		if ok = ok && at+size+2 <= len(data); ok {
			if i == 0 {
				name = string(data[at : at+size])
			}
			at += size + 2
		}
	}
	return name, at, ok
}
