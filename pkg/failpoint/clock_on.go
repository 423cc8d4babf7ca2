//go:build failpoints

package failpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// clockVariable names the environment variable that names the clock's file.
const clockVariable = "TIDEMARK_TEST_CLOCK"

// clockLook is how often the file is looked at.
const clockLook = 20 * time.Millisecond

// Clock makes a clock wrong by what the file that TIDEMARK_TEST_CLOCK names holds:
// a duration such as 1h or -90s. An empty or missing file leaves it right. Now is in
// Unix milliseconds.
func Clock(now func() int64) func() int64 {
	path := os.Getenv(clockVariable)
	if path == "" {
		return now
	}
	var (
		mu     sync.Mutex // guards what follows
		looked time.Time
		wrong  time.Duration
	)
	return func() int64 {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(looked) >= clockLook {
			var err error
			if wrong, err = readClock(path); err != nil {
				panic(err) // a test with a right clock would prove nothing
			}
			looked = time.Now()
		}
		return now() + wrong.Milliseconds()
	}
}

func readClock(path string) (time.Duration, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", clockVariable, err)
	}
	d, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: %s: %w", clockVariable, path, err)
	}
	return d, nil
}
