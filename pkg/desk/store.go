package desk

import (
	"context"
	"errors"
	"time"

	"tidemark/pkg/store"
)

// Store is where a desk lies. Its methods may be called by several goroutines and
// processes at once.
type Store interface {
	// LoadDesk reads the whole desk as one commit left it.
	LoadDesk(ctx context.Context) (Snapshot, error)
	// DeskToken is the token of the latest commit; empty before the first.
	DeskToken(ctx context.Context) (string, error)
	// DeskPast is what is remembered of an account that left the desk; nil: nothing.
	DeskPast(ctx context.Context, account string) ([]byte, error)
	// DeskAnswer is what was stored under a request's key; nil: nothing, or no more.
	DeskAnswer(ctx context.Context, key string) ([]byte, error)
	// CommitDesk writes all of a commit if its From is the latest commit's token, and
	// nothing otherwise: then it returns ErrConflict. A commit whose To is the latest
	// token was stored before, by a call whose answer was lost, and is no error. After
	// any other error it may be stored or not.
	CommitDesk(ctx context.Context, c Commit) error
	// DeskOutbox returns at most limit events behind the one named by after that wait to
	// be published, in order, and the mark as it is beside them. An empty after starts at
	// the oldest.
	DeskOutbox(ctx context.Context, after string, limit int) (entries []store.Entry, mark string, err error)
	// TrimDesk removes published events and moves the mark, if the mark is the one named
	// by from and every event is there, and does nothing otherwise: then it returns
	// ErrConflict. If the mark is the one named by to it was done before.
	TrimDesk(ctx context.Context, ids []string, from, to string) error
}

// ErrConflict is returned by CommitDesk where another commit came in between. Load
// again, and take the input in again.
var ErrConflict = errors.New("the desk has changed meanwhile")

// Snapshot is a stored desk.
type Snapshot struct {
	Token     string
	Shared    []byte            // nil: there is no desk yet
	MQAs      map[string][]byte // by account
	Positions map[string]int64  // by topic/partition: the next offset
	Mark      string            // says up to where the published log comes from this desk; see Mark
}

// Commit is one step of a desk.
type Commit struct {
	From, To  string // tokens; no two commits have the same
	Shared    []byte
	Put       map[string][]byte // by account
	Drop      []string
	Past      map[string]Past
	Positions map[string]int64
	// Outbox is published in this order, at least once.
	Outbox []Message
	// Trim are events of the outbox that are not to be published.
	Trim []string
	// Mark, if not nil, replaces the mark: the commit is a conflict unless that is From.
	Mark *MarkMove
	// Answer is remembered for a request's key; nil: none is.
	Answer *Answer
}

// MarkMove is a mark and the one that takes its place.
type MarkMove struct{ From, To string }

// Past is what is remembered of an account, and since when: old ones are forgotten.
type Past struct {
	At    int64
	Value []byte
}

// Message is an event to publish.
type Message struct {
	Account string // the Kafka key
	Value   []byte
}

// Answer is what a request with a key is answered, should it come again.
type Answer struct {
	Key   string
	Value []byte
	TTL   time.Duration
}
