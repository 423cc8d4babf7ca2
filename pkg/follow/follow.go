package follow

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// State is the subscriber's memory. One Follower uses it at a time; where another may
// have taken over, Take refuses what rests on what that one has changed (ErrTakenOver).
type State interface {
	// Positions are where to go on in each partition of the log; nil before the
	// first Take that moved any.
	Positions(ctx context.Context) (map[int]int64, error)
	// Seen is, for each of the keys, the seq that was taken last; 0 for none.
	Seen(ctx context.Context, keys []string) ([]uint64, error)
	// Take does what the subscriber is for, and remembers what the step says, all or
	// nothing. An error must leave nothing behind, or something that may be done again.
	Take(ctx context.Context, step Step) error
}

// ErrTakenOver is what a State returns where another Follower has used it since.
// Begin shows what that one left.
var ErrTakenOver = errors.New("another one follows with this state")

// Why says where the events of a step come from.
type Why int

// The reasons.
const (
	Live  Why = iota // they were read from the log, in its order
	Begun            // the subscriber is new: this is where each key stands at its beginning
	Again            // something was lost: this is where the keys stand of which more was missed
)

// Step is what to take and to remember together.
type Step struct {
	Why Why
	// Events are new to the subscriber. Those of a key are in order of seq.
	Events []Event
	// Seen are the numbers to remember, by key.
	Seen map[string]uint64
	// Positions are where to go on, of the partitions where that changes.
	Positions map[int]int64
}

// Span is what a partition of the log holds: from First on, up to before Next.
type Span struct{ First, Next int64 }

// Log reads the topics for a Follower.
type Log interface {
	// Spans are what each partition of the log holds now.
	Spans(ctx context.Context) (map[int]Span, error)
	// Present calls use with the latest event of every key, as the compacted topic
	// has it. Earlier ones may come, too.
	Present(ctx context.Context, use func(value []byte) error) error
}

// GapError says what is missing: numbers of a key, or offsets of a partition.
type GapError struct {
	Key        string // empty where offsets are missing
	Partition  int
	From, Upto uint64 // the first and the last that is missing
}

func (g *GapError) Error() string {
	if g.Key == "" {
		return fmt.Sprintf("partition %d: the log holds nothing of the offsets %d to %d any more", g.Partition, g.From, g.Upto)
	}
	return fmt.Sprintf("%s: the events %d to %d are missing", g.Key, g.From, g.Upto)
}

// Config is what a Follower works with. State and Log are needed.
type Config struct {
	State State
	Log   Log
	// FromBeginning has a new subscriber read all that the log holds. Otherwise it
	// learns where each key stands (Begun) and reads on from there.
	FromBeginning bool
	// Lost is told of each gap before the Follower catches up. Its error ends that
	// and is returned. Nil: go on.
	Lost func(*GapError) error
	// Unreadable is told of a record that is no numbered event. It is passed over.
	// Nil: in silence.
	Unreadable func(Record, error)
}

// Follower takes events for one subscriber. Begin comes first; its methods are for one
// goroutine.
type Follower struct {
	cfg       Config
	positions map[int]int64
}

// New makes a Follower.
func New(c Config) (*Follower, error) {
	if c.State == nil || c.Log == nil {
		return nil, errors.New("follow: State and Log are needed")
	}
	if c.Lost == nil {
		c.Lost = func(*GapError) error { return nil }
	}
	if c.Unreadable == nil {
		c.Unreadable = func(Record, error) {}
	}
	return &Follower{cfg: c}, nil
}

// Begin finds out where to read from and returns it: the offset for each partition
// there is. Partitions that come later are read from their beginning.
func (f *Follower) Begin(ctx context.Context) (map[int]int64, error) {
	stored, err := f.cfg.State.Positions(ctx)
	if err != nil {
		return nil, err
	}
	spans, err := f.cfg.Log.Spans(ctx)
	if err != nil {
		return nil, err
	}
	if stored == nil {
		return f.enter(ctx, spans)
	}
	f.positions = stored
	var lost []*GapError
	moved := map[int]int64{}
	for p, span := range spans {
		if at := stored[p]; at < span.First {
			lost = append(lost, &GapError{Partition: p, From: uint64(at), Upto: uint64(span.First - 1)})
			moved[p] = span.First
		}
	}
	if len(lost) > 0 {
		if err := f.catchUp(ctx, lost...); err != nil {
			return nil, err
		}
		if err := f.take(ctx, Step{Why: Again, Positions: moved}); err != nil {
			return nil, err
		}
	}
	return maps.Clone(f.positions), nil
}

// enter begins a new subscriber. The positions are of before the look at the present
// and are stored after it: what comes in between is met again, and skipped.
func (f *Follower) enter(ctx context.Context, spans map[int]Span) (map[int]int64, error) {
	f.positions = map[int]int64{}
	start := map[int]int64{}
	for p, span := range spans {
		start[p] = span.Next
		if f.cfg.FromBeginning {
			start[p] = span.First
		}
	}
	if !f.cfg.FromBeginning {
		if err := f.present(ctx, Begun); err != nil {
			return nil, err
		}
	}
	if err := f.take(ctx, Step{Why: Begun, Positions: start}); err != nil {
		return nil, err
	}
	return start, nil
}

// Take takes records, those of a partition in the log's order. What stands before a
// gap is taken before the Follower catches up. After an error go on with Begin.
func (f *Follower) Take(ctx context.Context, records []Record) error {
	rest := make([]parsed, len(records))
	for i, r := range records {
		rest[i].Record = r
		if rest[i].event, rest[i].err = Parse(r.Value); rest[i].err != nil {
			f.cfg.Unreadable(r, rest[i].err)
		}
	}
	for caught := false; len(rest) > 0; {
		n, step, lost, err := f.sift(ctx, rest, caught)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := f.take(ctx, step); err != nil {
				return err
			}
		}
		if rest, caught = rest[n:], lost != nil; caught {
			if err := f.catchUp(ctx, lost); err != nil {
				return err
			}
		}
	}
	return nil
}

type parsed struct {
	Record
	event Event
	err   error
}

// sift makes a step of what is new in the first n records: all, or those before a
// gap. A gap at the first one is none any more where the Follower has caught up.
func (f *Follower) sift(ctx context.Context, records []parsed, caught bool) (n int, step Step, lost *GapError, err error) {
	step = Step{Seen: map[string]uint64{}, Positions: map[int]int64{}}
	events := make([]Event, 0, len(records))
	for _, r := range records {
		if r.err == nil {
			events = append(events, r.event)
		}
	}
	seen, err := f.seen(ctx, events)
	if err != nil {
		return 0, step, nil, err
	}
	for n, r := range records {
		if lost := f.gap(r, step.Positions, seen); lost != nil && (n > 0 || !caught) {
			return n, step, lost, nil
		}
		step.Positions[r.Partition] = r.Offset + 1
		if e := r.event; r.err == nil && e.Seq > seen[e.Key] {
			e.Missed = e.Seq - seen[e.Key] - 1
			seen[e.Key], step.Seen[e.Key] = e.Seq, e.Seq
			step.Events = append(step.Events, e)
		}
	}
	return len(records), step, nil, nil
}

// gap is what is missing before a record, or nil.
func (f *Follower) gap(r parsed, moved map[int]int64, seen map[string]uint64) *GapError {
	at, begun := moved[r.Partition]
	if !begun {
		at = f.positions[r.Partition]
	}
	if r.Offset > at {
		return &GapError{Partition: r.Partition, From: uint64(at), Upto: uint64(r.Offset - 1)}
	}
	if e := r.event; r.err == nil && e.Seq > seen[e.Key]+1 {
		return &GapError{Key: e.Key, Partition: r.Partition, From: seen[e.Key] + 1, Upto: e.Seq - 1}
	}
	return nil
}

// take hands a step to the subscriber.
func (f *Follower) take(ctx context.Context, step Step) error {
	if err := f.cfg.State.Take(ctx, step); err != nil {
		return err
	}
	maps.Copy(f.positions, step.Positions)
	return nil
}

func (f *Follower) seen(ctx context.Context, events []Event) (map[string]uint64, error) {
	out := make(map[string]uint64, len(events))
	keys := make([]string, 0, len(events))
	for _, e := range events {
		if _, known := out[e.Key]; !known {
			out[e.Key] = 0
			keys = append(keys, e.Key)
		}
	}
	if len(keys) == 0 {
		return out, nil
	}
	numbers, err := f.cfg.State.Seen(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		out[key] = numbers[i]
	}
	return out, nil
}
