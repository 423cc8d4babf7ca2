package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// CutAOF takes the last n bytes off the append-only file of a server that is
// down, as a power cut within appendfsync's second would. (After Kill alone
// nothing is lost: the kernel has what was written.) Redis then drops what is
// left of the last command on Restart.
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
	return os.Truncate(files[0], info.Size()-n)
}
