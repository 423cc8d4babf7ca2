package lag

import (
	"context"
	"errors"

	"tidemark/pkg/engine"
	"tidemark/scoring"
)

// Log is what Kafka tells. Each method asks once and returns what could not be had as
// an error.
type Log interface {
	// Partitions are those of all input topics, and the topics that do not exist.
	Partitions(ctx context.Context) (parts []engine.Partition, missing []string, err error)
	Bounds(ctx context.Context, parts []engine.Partition) (map[engine.Partition]engine.Bounds, error)
	// Committed is what the group committed.
	Committed(ctx context.Context, parts []engine.Partition) (map[engine.Partition]Commit, error)
	// Read calls take with the records of a partition from an offset to the log's
	// present end, until take returns an error, which it returns. What take returns
	// first of all may be ErrEnough.
	Read(ctx context.Context, p engine.Partition, from int64, take func(Record) error) error
}

// ErrEnough is what take returns to end Log.Read early.
var ErrEnough = errors.New("enough read")

// Commit is what the group said last about a partition: an offset, -1 for nothing, and
// when, Unix milliseconds, 0 where that is not known.
type Commit struct{ Offset, At int64 }

// Record is a record of the log and the events that it holds. What cannot be used, or
// is passed over, holds none.
type Record struct {
	Offset int64
	Time   int64 // the Kafka timestamp, Unix milliseconds
	Events []*scoring.Event
}

// State is what Redis tells: the first four as the engine's Store and its Aliases have it.
type State interface {
	Positions(ctx context.Context) ([]map[engine.Partition]int64, error)
	NextDue(ctx context.Context, shards []int) ([]int64, error)
	Load(ctx context.Context, wanted ...engine.Wanted) ([]engine.Record, error)
	ResolveAliases(ctx context.Context, domains []string) (map[string]string, error)
	// Waiting is how many tier changes wait to be published, and the age of the oldest
	// in milliseconds by the server's own clock; 0 where none does.
	Waiting(ctx context.Context) (entries, oldest int64, err error)
	// Stored is how long ago a step was stored last, in milliseconds; false where none
	// was for a day.
	Stored(ctx context.Context) (ago int64, known bool, err error)
	// Model is the model in force, nil where there is none yet, and those before it.
	Model(ctx context.Context) (*scoring.Model, engine.Past, error)
}
