package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"tidemark/scoring"
)

// AccountsPath is where accounts are served, it and all below it.
const AccountsPath = "/api/v1/accounts"

// The bounds of a page of accounts, and how many tier changes are told of one.
const (
	DefaultPage   = 50
	LargestPage   = 500
	RecentChanges = 10
	MostChanges   = 100
)

// ErrNoAccount is returned for an account that nothing is known of.
var ErrNoAccount = errors.New("no such account")

// QueryError is a parameter of a request that can't be used.
type QueryError struct {
	Name, Why string // the parameter, and what to do
}

// Error implements error.
func (q *QueryError) Error() string { return q.Name + ": " + q.Why }

// Accounts answers questions about accounts.
type Accounts interface {
	// Get is what is known of an account, at an instant or, where that is nil, now. It
	// returns ErrNoAccount.
	Get(ctx context.Context, q AccountQuery) (*Account, error)
	// List is a page of accounts. It returns a *QueryError where the query can't be used.
	List(ctx context.Context, q ListQuery) (*AccountPage, error)
}

// AccountQuery names an account.
type AccountQuery struct {
	Account string
	At      *time.Time // nil: now
	Changes int        // the most tier changes to tell
}

// ListQuery says which accounts to list. Empty fields take all.
type ListQuery struct {
	Tier, Class string
	Limit       int    // from 1 to LargestPage
	Cursor      string // of the page before
}

// Account is an account at an instant, as people see it. Instants are RFC 3339.
type Account struct {
	Account   string          `json:"account"`
	At        string          `json:"at"`
	Score     float64         `json:"score"`
	Tier      string          `json:"tier"`
	Seq       uint64          `json:"seq"`
	Clock     string          `json:"clock"`
	DemotesAt *string         `json:"demotes_at"` // null: never by time alone
	NextTier  *NextTier       `json:"next_tier"`  // null in the best one
	Class     string          `json:"class,omitempty"`
	Receipt   scoring.Receipt `json:"receipt"`
	Profile   map[string]any  `json:"profile"` // null: none is known
	Model     ModelRef        `json:"model"`
	// MergedInto is the account that this one went into.
	MergedInto string `json:"merged_into,omitempty"`
	// Changes are its latest tier changes, the latest first. Nil where nobody asked;
	// null where the log could not be read.
	Changes *[]TierChange `json:"changes,omitempty"`
}

// NextTier is the next better tier: its least score, and what is missing to it.
type NextTier struct {
	Tier string  `json:"tier"`
	Min  float64 `json:"min"`
	Gap  float64 `json:"gap"` // 0: it has the points, a requirement or a cool-down holds it back
}

// ModelRef names a model.
type ModelRef struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
}

// TierChange is a tier change in short: the event in tier-changes has the receipt.
type TierChange struct {
	Seq       uint64   `json:"seq"`
	Time      string   `json:"time"`
	From      string   `json:"from"`
	To        string   `json:"to"`
	Direction string   `json:"direction"`
	MQA       bool     `json:"mqa"`
	Score     float64  `json:"score"`
	Threshold *float64 `json:"threshold"` // null where a requirement decided
	Cause     string   `json:"cause"`
	Signals   []string `json:"signals,omitempty"`
}

// AccountPage is a part of a listing.
type AccountPage struct {
	Accounts []Listed `json:"accounts"`
	// Next is the cursor of the next page; empty at the end.
	Next string `json:"next_cursor,omitempty"`
}

// Listed is an account in a listing.
type Listed struct {
	Account   string  `json:"account"`
	Tier      string  `json:"tier"`
	Score     float64 `json:"score"`
	Seq       uint64  `json:"seq"`
	Clock     string  `json:"clock"`
	DemotesAt *string `json:"demotes_at"`
	Class     string  `json:"class,omitempty"`
}

type accounts struct {
	accounts Accounts
	log      zerolog.Logger
}

// AccountsRoom serves accounts:
//
//	GET /api/v1/accounts?tier=&class=&limit=&cursor=
//	GET /api/v1/accounts/{id}?at=&changes=
//
// An account with a slash in it is percent-encoded.
func AccountsRoom(from Accounts, access Access, log zerolog.Logger) *Room {
	a := &accounts{from, log.With().Str("component", "api").Logger()}
	return newRoom(AccountsPath, access,
		Route{http.MethodGet, AccountsPath, a.list},
		Route{http.MethodGet, AccountsPath + "/{id}", a.get},
	)
}

func (a *accounts) list(w http.ResponseWriter, r *http.Request) {
	q := ListQuery{Limit: DefaultPage}
	err := eachParameter(r, "tier, class, limit, cursor", func(name, value string) (known bool, err error) {
		switch name {
		case "tier":
			q.Tier = value
		case "class":
			q.Class = value
		case "limit":
			q.Limit, err = number(name, value, 1, LargestPage)
		case "cursor":
			q.Cursor = value
		default:
			return false, nil
		}
		return true, err
	})
	answer(w, r, err, a.fail, func(ctx context.Context) (any, error) { return a.accounts.List(ctx, q) })
}

func (a *accounts) get(w http.ResponseWriter, r *http.Request) {
	q := AccountQuery{Account: r.PathValue("id"), Changes: RecentChanges}
	err := eachParameter(r, "at, changes", func(name, value string) (known bool, err error) {
		switch name {
		case "at":
			at, fault := time.Parse(time.RFC3339Nano, value)
			if fault != nil {
				return true, &QueryError{name, fmt.Sprintf("%q is not an RFC 3339 instant such as 2026-12-31T00:00:00Z", value)}
			}
			q.At = &at
		case "changes":
			q.Changes, err = number(name, value, 0, MostChanges)
		default:
			return false, nil
		}
		return true, err
	})
	answer(w, r, err, a.fail, func(ctx context.Context) (any, error) { return a.accounts.Get(ctx, q) })
}

// fail answers with what went wrong: the request's own faults in its words, the
// server's in the log.
func (a *accounts) fail(w http.ResponseWriter, err error) {
	var query *QueryError
	switch {
	case errors.As(err, &query):
		writeProblem(w, http.StatusBadRequest, query.Error())
	case errors.Is(err, ErrNoAccount):
		writeProblem(w, http.StatusNotFound, err.Error())
	default:
		unanswered(w, a.log, err, "the store cannot be read; try again")
	}
}

// unanswered tells the log what went wrong, and who asked that it is not their fault.
func unanswered(w http.ResponseWriter, log zerolog.Logger, err error, detail string) {
	log.Warn().Err(err).Msg("request not answered")
	w.Header().Set("Retry-After", "1")
	writeProblem(w, http.StatusServiceUnavailable, detail)
}

// eachParameter gives the parameters of a request's query to use. One that use does not
// know is an error, which says what there is.
func eachParameter(r *http.Request, there string, use func(name, value string) (known bool, err error)) error {
	for name, values := range r.URL.Query() {
		known, err := use(name, values[len(values)-1])
		if err != nil {
			return err
		}
		if !known {
			return &QueryError{name, "is no parameter here; there are: " + there}
		}
	}
	return nil
}

func number(name, value string, least, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0, &QueryError{name, fmt.Sprintf("%q is not a number from %d to %d", value, least, most)}
	}
	return n, nil
}
