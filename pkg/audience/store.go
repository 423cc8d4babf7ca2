package audience

import (
	"context"

	"tidemark/pkg/follow"
)

// Out is an event of a feed that waits to be published.
type Out struct {
	ID      string // opaque, in order
	Topic   string
	Account string
	Value   []byte
}

// Told is what an endpoint knows of an account.
type Told struct {
	N uint64 // the number that it accepted last
	// Unsure is set before a call and goes with its success: until then nobody can say
	// whether the endpoint did what it was told.
	Unsure bool
}

// is reports whether the endpoint surely has a member where it should be.
func (t Told) is(m *Member) bool { return !t.Unsure && m.In() == (t.N%2 == 1) }

// Writes are what a step changes, beside what follow remembers.
type Writes struct {
	Members map[string]map[string]Member // by audience and account
	Out     []Out                        // without their IDs
	// Tell are accounts that the endpoint of an audience is to be told of.
	Tell map[string][]string
	// Told is, by audience and account, what the endpoint knows, and Settled are the accounts
	// that it need not be told of any more.
	Told    map[string]map[string]Told
	Settled map[string][]string
	// Forget are audiences whose endpoint is another one: what it was told is forgotten.
	Forget []string
	// Notes are remembered as they are.
	Notes map[string]string
}

// Store keeps audiences. All that it writes goes by Take, each step all or nothing and refused with
// follow.ErrTakenOver where another process has written since Positions.
type Store interface {
	Positions(ctx context.Context) (map[int]int64, error)
	Seen(ctx context.Context, keys []string) ([]uint64, error)
	Take(ctx context.Context, step follow.Step, w *Writes) error
	// Members returns those of the accounts that have a record.
	Members(ctx context.Context, audience string, accounts []string) (map[string]Member, error)
	// Leaving are accounts whose exit was put off to an instant at most now, at most limit.
	Leaving(ctx context.Context, audience string, now int64, limit int) ([]string, error)
	// Untold are accounts that the endpoint is to be told of, at most limit, the first noted first.
	Untold(ctx context.Context, audience string, limit int) ([]string, error)
	// Told is what the endpoint knows of each of the accounts; zero: nothing.
	Told(ctx context.Context, audience string, accounts []string) ([]Told, error)
	// Each calls use with all records of an audience, some at a time.
	Each(ctx context.Context, audience string, use func(map[string]Member) error) error
	// Waiting are the first events to be published, at most limit; Published removes some.
	Waiting(ctx context.Context, limit int) ([]Out, error)
	Published(ctx context.Context, ids []string) error
	Notes(ctx context.Context) (map[string]string, error)
	Counts(ctx context.Context, audience string) (members, untold int64, err error)
}
