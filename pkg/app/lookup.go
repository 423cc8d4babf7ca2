package app

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/api"
	"tidemark/pkg/config"
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
var ErrNoAccount = api.ErrNoAccount

// readOnly opens any server, that of the demo too: the checks guard what is written.
const readOnly = true

// lookupTimeout bounds a look at one account.
const lookupTimeout = 10 * time.Second

// Lookup reads one account from the store, under the model in force there.
func Lookup(ctx context.Context, c config.Config, account string, at int64) (*Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	accounts, done, err := OpenAccounts(ctx, c, false, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	defer done()
	return accounts.Standing(ctx, account, at)
}

func standing(m *scoring.Model, account string, a *scoring.Account, at, now int64) *Standing {
	if a.Begun {
		at = max(at, a.Clock)
	}
	if at > now {
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
