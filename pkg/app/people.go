package app

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/dchest/siphash"

	"tidemark/pkg/config"
	"tidemark/scoring"
)

// people is how contacts are kept: under the fingerprint that scoring knows, or under
// SipHash with a key.
type people struct {
	keyed  bool
	k0, k1 uint64
	// check tells whether two processes use the same key, and nothing of the key.
	check string
}

// newPeople reads the configured secret.
func newPeople(c config.People) (people, error) {
	secret, err := c.ReadSecret()
	if err != nil || !secret.Set() {
		return people{}, err
	}
	// A text of any length becomes a key: 16 bytes for the hash, others for the check.
	sum := sha256.Sum256([]byte("tidemark people\x00" + secret.Reveal()))
	p := people{keyed: true}
	for i := range 8 {
		p.k0 |= uint64(sum[i]) << (8 * i)
		p.k1 |= uint64(sum[8+i]) << (8 * i)
	}
	check := sha256.Sum256(append([]byte("tidemark people check\x00"), sum[:]...))
	p.check = hex.EncodeToString(check[:8])
	return p, nil
}

// apply has a model keep people so.
func (p people) apply(m *scoring.Model) {
	if !p.keyed {
		return
	}
	m.HashPeople(p.hash)
}

// hash is the fingerprint of a person, never 0, which stands for nobody.
func (p people) hash(identity string) uint64 {
	if !p.keyed {
		return scoring.Person(identity)
	}
	if h := siphash.Hash(p.k0, p.k1, []byte(identity)); h != 0 {
		return h
	}
	return 1
}
