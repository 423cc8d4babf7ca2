package webhook

import (
	"context"

	"tidemark/pkg/follow"
)

// Entry is an event that waits for one endpoint.
type Entry struct {
	Topic    string
	Key      string
	Seq      uint64
	Value    []byte // the event
	Attempts int    // that failed
	First    int64  // the first of them, Unix milliseconds; 0 before
	Batch    string // the id of the batch in which it failed; empty: none
}

// Status is what is remembered of an endpoint.
type Status struct {
	// Disabled says why it gets nothing; empty: it does.
	Disabled string `json:"disabled,omitempty"`
	// Since is since when, Unix milliseconds.
	Since int64 `json:"since,omitempty"`
}

// Depth is what waits for an endpoint.
type Depth struct {
	Queued int64
	// Next is when the next attempt is due, Unix milliseconds; 0 where nothing waits.
	Next int64
}

// Queue keeps what waits, apart for each endpoint. Its calls may be repeated: done
// twice they leave what once does.
type Queue interface {
	// Add puts entries behind what waits for an endpoint, due now.
	Add(ctx context.Context, endpoint string, now int64, entries []Entry) error
	// Claim returns at most limit entries that are due, the earliest of each key only,
	// and makes them due again at until: by then they must be settled. At least one is
	// returned where one is due.
	Claim(ctx context.Context, endpoint string, now, until int64, limit int) ([]Entry, error)
	// ClaimBatch is Claim for entries that are sent together: those that failed in one Batch
	// come together again, before others, and no others with them. Of those in no batch nothing is
	// returned before there are limit, or the earliest has been due for wait milliseconds.
	ClaimBatch(ctx context.Context, endpoint string, now, until int64, limit int, wait int64) ([]Entry, error)
	// Done removes entries; what waits behind one under its key is due now.
	Done(ctx context.Context, endpoint string, now int64, entries ...Entry) error
	// Later keeps entries for another attempt at an instant, with Attempts, First and Batch.
	Later(ctx context.Context, endpoint string, at int64, entries ...Entry) error
	// Depths are what waits for each of the endpoints.
	Depths(ctx context.Context, endpoints []string) ([]Depth, error)
	// Statuses are those of all endpoints that have one.
	Statuses(ctx context.Context) (map[string]Status, error)
	// SetStatus remembers the status of an endpoint.
	SetStatus(ctx context.Context, endpoint string, s Status) error
}

// Memory is where a subscriber's steps are taken, together with what they add to the
// queues: all or nothing.
type Memory interface {
	Positions(ctx context.Context) (map[int]int64, error)
	Seen(ctx context.Context, keys []string) ([]uint64, error)
	// TakeQueued takes a step and adds entries, by endpoint, due now.
	TakeQueued(ctx context.Context, step follow.Step, now int64, queued map[string][]Entry) error
}

// NewEntry is an event of a topic as it waits.
func NewEntry(topic string, value []byte) (Entry, error) {
	e, err := follow.Parse(value)
	return Entry{Topic: topic, Key: e.Key, Seq: e.Seq, Value: value}, err
}
