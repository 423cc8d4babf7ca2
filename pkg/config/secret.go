package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

const redacted = "<redacted>"

// Secret is a password. However it is printed, logged or encoded it shows as
// <redacted>; only Reveal gives it. The zero value is no secret.
type Secret struct {
	value string
}

// NewSecret wraps a password.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the password itself, for the one place that authenticates.
func (s Secret) Reveal() string { return s.value }

// Set reports whether there is one.
func (s Secret) Set() bool { return s.value != "" }

func (s Secret) String() string {
	if !s.Set() {
		return ""
	}
	return redacted
}

// GoString redacts %#v too.
func (s Secret) GoString() string { return fmt.Sprintf("config.Secret(%q)", s.String()) }

// MarshalText redacts in JSON, YAML and zerolog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML redacts for encoders that do not ask for text.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// ReadPassword returns the password, from its file if it is in one.
func (s SASL) ReadPassword() (Secret, error) {
	return readPassword(s.Password, "kafka.sasl.password_file", s.PasswordFile)
}

// ReadPassword returns the password, from its file if it is in one.
func (r Redis) ReadPassword() (Secret, error) {
	return readPassword(r.Password, "redis.password_file", r.PasswordFile)
}

// ReadToken returns the API's token, from its file if it is in one.
func (h HTTP) ReadToken() (Secret, error) {
	return readPassword(h.Token, "http.token_file", h.TokenFile)
}

// ReadSecret returns the key of the people's hashes, from its file if it is in one.
func (p People) ReadSecret() (Secret, error) {
	return readPassword(p.Secret, "people.secret_file", p.SecretFile)
}

func readPassword(given Secret, setting, path string) (Secret, error) {
	if path == "" {
		return given, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Secret{}, fileError(setting, path, err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	if password == "" {
		return Secret{}, fmt.Errorf("%s: %q is empty", setting, path)
	}
	return NewSecret(password), nil
}

// fileError names the setting, and says the path once.
func fileError(setting, path string, err error) error {
	var bare *os.PathError
	if errors.As(err, &bare) {
		err = bare.Err
	}
	return fmt.Errorf("%s: %q: %w", setting, path, err)
}
