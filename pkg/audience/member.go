package audience

import (
	"time"

	"tidemark/pkg/follow"
	"tidemark/scoring"
)

// Member is what is remembered of an account that an audience has selected at least once.
type Member struct {
	// N counts enters and exits; the account is in while it is odd.
	N uint64 `json:"n"`
	// Since is when it entered or left last, Unix milliseconds.
	Since int64 `json:"since"`
	// LeaveAt is when it leaves unless it is selected again; 0: it does not.
	LeaveAt int64          `json:"leave_at,omitempty"`
	Seq     uint64         `json:"seq"` // of the tier change that was looked at last
	Tier    string         `json:"tier"`
	Profile map[string]any `json:"profile,omitempty"`
}

// In reports whether the account is in the audience.
func (m *Member) In() bool { return m.N%2 == 1 }

// Move is an enter or an exit.
type Move struct {
	Account string
	At      int64 // Unix milliseconds
	Member  Member
}

// names are what a definition may read.
var names = []string{"account", "tier", "score", "model", "profile"}

// selects reports whether the definition holds for an account.
func (a *Audience) selects(c *follow.Change) bool {
	values := map[string]any{
		"account": c.Data.Account, "tier": c.Data.To, "score": c.Data.Score, "profile": c.Data.Profile,
		"model": map[string]any{"name": c.Data.Model.Name, "version": float64(c.Data.Model.Version)},
	}
	return a.where(values) == scoring.True && (a.except == nil || a.except(values) != scoring.True)
}

// Apply takes an account's tier change, and returns the moves up to its instant. Taken
// again it changes nothing.
func (a *Audience) Apply(m *Member, c *follow.Change) []Move {
	at := c.Time.UnixMilli()
	moves := a.Pass(m, c.Data.Account, at-1)
	m.Seq, m.Tier, m.Profile = c.Data.Seq, c.Data.To, c.Data.Profile
	switch selected := a.selects(c); {
	case selected && m.In():
		m.LeaveAt = 0
	case selected:
		moves = append(moves, m.move(c.Data.Account, max(at, m.Since)))
	case m.In() && m.LeaveAt == 0:
		m.LeaveAt = max(at, m.Since+a.MinDwell.Milliseconds())
	}
	return append(moves, a.Pass(m, c.Data.Account, at)...)
}

// Pass lets time pass up to an instant: an exit that was put off happens.
func (a *Audience) Pass(m *Member, account string, now int64) []Move {
	if m.LeaveAt == 0 || m.LeaveAt > now {
		return nil
	}
	return []Move{m.move(account, m.LeaveAt)}
}

func (m *Member) move(account string, at int64) Move {
	m.N++
	m.Since, m.LeaveAt = at, 0
	return Move{Account: account, At: at, Member: *m}
}

// Audience is a named set of accounts.
type Audience struct {
	Name          string
	where, except func(map[string]any) scoring.Truth // except nil: nobody
	// Definition tells this definition from others of the same name.
	Definition string
	MinDwell   time.Duration
	Topic      string // of its feed; empty: none
	Endpoint   *Endpoint
}
