package outbound

import (
	"errors"
	"fmt"
	"os"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// reveal reads a secret: `env:NAME` is an environment variable, `file:PATH` a file, anything
// else the secret itself.
func reveal(text string, getenv func(string) string) (string, error) {
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		value := getenv(name)
		if value == "" {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		return value, nil
	}
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		value := strings.TrimRight(string(data), "\r\n")
		if value == "" {
			return "", fmt.Errorf("%q is empty", path)
		}
		return value, nil
	}
	return text, nil
}

// signer signs with a secret of the Standard Webhooks specification.
type signer = standardwebhooks.Webhook

// leastSecret is how many bytes the specification asks a secret to have.
const leastSecret = 24

func newSigner(secret string) (*signer, error) {
	const prefix = "whsec_"
	coded, ok := strings.CutPrefix(secret, prefix)
	// Four characters of base64 hold three bytes.
	if !ok || len(strings.TrimRight(coded, "="))*3/4 < leastSecret {
		return nil, errors.New("a secret is whsec_ and at least 24 bytes in base64, as `echo whsec_$(openssl rand -base64 32)` makes")
	}
	s, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, errors.New("what follows whsec_ is not base64")
	}
	return s, nil
}

// bare is the error of a file without its path, which the caller says.
func bare(err error) error {
	var named *os.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}
