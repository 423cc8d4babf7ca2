package config

import (
	"fmt"
	"time"

	"tidemark/pkg/config/yamltree"
)

// Lifetime is how long something is kept: a duration, or never to end. The zero value
// is never.
type Lifetime time.Duration

const never = "never"

// String is the lifetime as the file has it.
func (l Lifetime) String() string {
	if l == 0 {
		return never
	}
	return yamltree.FormatDuration(time.Duration(l).Milliseconds())
}

// ParseLifetime reads a duration of at least a millisecond, or never.
func ParseLifetime(text string) (Lifetime, error) {
	if text == never {
		return 0, nil
	}
	d, err := parseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q %w, nor %s", text, err, never)
	}
	if d <= 0 {
		return 0, fmt.Errorf("%q is no time at all: write %s to keep for ever", text, never)
	}
	return Lifetime(d), nil
}

// Forget is how long an account may be idle, in milliseconds; 0: for ever. It is
// never less than MaxAge: an event that is still accepted must find its account.
func (e Events) Forget() int64 {
	if e.ForgetAfter == 0 {
		return 0
	}
	return max(time.Duration(e.ForgetAfter), e.MaxAge).Milliseconds()
}
