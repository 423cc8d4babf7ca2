package testenv

import (
	"errors"
	"fmt"
)

// ErrNotInstalled is returned by the Start functions when the server's program
// is not on this machine. The way out is `make servers`.
var ErrNotInstalled = errors.New("test server not installed: run: make servers")

func notInstalled(what string) error { return fmt.Errorf("%s: %w", what, ErrNotInstalled) }
