package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrNotInstalled is returned by the Start functions when the server's program
// is not on this machine. The way out is `make servers`.
var ErrNotInstalled = errors.New("test server not installed: run: make servers")

func notInstalled(what string) error { return fmt.Errorf("%s: %w", what, ErrNotInstalled) }

// Cache is the folder outside the tree where `make servers` and the bench's peers
// put what they install: TIDEMARK_CACHE, else tidemark in the user's cache folder.
func Cache() (string, error) {
	if cache := os.Getenv("TIDEMARK_CACHE"); cache != "" {
		return cache, nil
	}
	base, err := os.UserCacheDir() // honours XDG_CACHE_HOME, as install.sh does
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "tidemark"), nil
}
