package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/scoring"
)

// Standing is an account as it stands at an instant.
type Standing struct {
	Account string
	At      int64 // Unix milliseconds
	Tier    string
	Seq     uint64
	Clock   int64 // Unix milliseconds
	Receipt scoring.Receipt
	// Demotion is when the account leaves its tier downward if nothing more
	// happens; nil for never.
	Demotion *int64
	// NextTier is the next better tier and its least score; empty in the best.
	NextTier string
	NextMin  float64
	Profile  *scoring.Profile
	// Into is the account that this one was merged into; empty for none. Then what was
	// known of it is there.
	Into  string
	Model *scoring.Model
}

// ErrNoAccount is returned by Lookup for an account that nothing is known of.
var ErrNoAccount = errors.New("no such account")

// readOnly opens any server, that of the demo too: the checks guard what is written.
const readOnly = true

// lookupTimeout bounds a look at one account.
const lookupTimeout = 10 * time.Second

// Lookup reads one account from the store, under the model in force there.
func Lookup(ctx context.Context, c config.Config, account string, at int64) (*Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	s, err := OpenStore(ctx, c, readOnly, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // only read from
	r, err := inForce(ctx, s)
	if err != nil {
		return nil, err
	}
	if r.model == nil {
		return nil, fmt.Errorf("namespace %q holds no model: has `tidemark serve` run there?", c.Namespace)
	}
	records, err := s.Load(ctx, engine.ShardOf(account, s.Shards()), []string{account})
	if err != nil {
		return nil, err
	}
	a, err := r.read(records[0])
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, fmt.Errorf("%w: %q in namespace %q", ErrNoAccount, account, c.Namespace)
	}
	return standing(r.model, account, a, at), nil
}

func standing(m *scoring.Model, account string, a *scoring.Account, at int64) *Standing {
	if a.Begun {
		at = max(at, a.Clock)
	}
	if at > time.Now().UnixMilli() {
		m.Advance(a, at) // where it would stand if nothing more happened
	}
	out := &Standing{Account: account, At: at, Tier: m.Tier(a), Seq: a.Seq, Clock: a.Clock, Receipt: m.Receipt(a, at), Model: m, Into: a.Into()}
	out.Profile, _ = a.Profile()
	if at, ok := m.Demotion(a); ok {
		out.Demotion = &at
	}
	out.NextTier, out.NextMin = m.Above(a)
	return out
}
