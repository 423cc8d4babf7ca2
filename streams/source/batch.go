package source

import (
	"time"

	"tidemark/pkg/engine"
	"tidemark/scoring"
)

// Record is a Kafka record as Decode sees it. It and all that it points to are
// valid only until Decode returns: whatever is kept must be copied.
type Record struct {
	Topic     string
	Partition int
	Offset    int64
	// Time is the record's timestamp, Unix milliseconds: the producer's, or the
	// broker's where the topic is set so.
	Time int64
	Key  []byte
	// Value is the payload. A nil Value is a tombstone; an empty one is not.
	Value   []byte
	Headers []Header
	// Memory is where events may be: they are not looked at after its Free. Nil: none.
	Memory Memory
}

// Memory is where decoded events are. Free takes them back.
type Memory interface{ Free() }

// Header is one header of a record. A nil Value is a null, not an empty one.
type Header struct {
	Key   string
	Value []byte
}

// Decode turns a record into inputs. It is called concurrently, though for one
// partition in order, and keeps nothing of the record.
type Decode func(*Record) Decoded

// Decoded is what a record holds. The zero value is a record to pass over.
type Decoded struct {
	// Events are the record's events, in their order. They stay together in the
	// merge, at the time of the first.
	Events []*scoring.Event
	// Dead are dead letters to be written: one for a record that is of no use, or one
	// for each bad event of several. They come after the events, as inputs of their own;
	// the source does not look into them.
	Dead []any
	// Spare are the dead letters of events that may yet be refused when their turn
	// comes, or whatever else is to go with an event; the source does not look into them.
	Spare map[*scoring.Event]any
	// Aside is for the reader of the inputs: these are not what the topic is for.
	Aside bool
}

// Want says what a call of Session.Next asks for.
type Want struct {
	// Max is the number of inputs after which the batch is full. Events of one
	// record stay together, so a batch may be over by them. Less than 1 counts as 1.
	Max int
	// Deadline is when Next returns even with nothing. Zero: never.
	Deadline time.Time
	// NotAfter holds back events later than this, Unix milliseconds. math.MaxInt64
	// holds back none.
	NotAfter int64
}

// Input is one event or one dead letter; an event may have a letter to spare.
type Input struct {
	Event *scoring.Event
	// Part is the partition it came from: an index into Session.Partitions.
	Part   int
	Offset int64
	Dead   any
	Aside  bool // as decoding said
}

// Batch is the next piece of the merged sequence.
type Batch struct {
	// Inputs are in merged order. They are lent, until the next call of Next; so are
	// events where there is a Memory.
	Inputs []Input
	// Ends are the next offsets to read of the partitions that moved. Offsets that
	// hold no input count: markers, aborted records, records passed over.
	Ends map[engine.Partition]int64
	// Marks are where the partitions stand after the batch, one for each of
	// Session.Partitions.
	Marks []Mark
}

// Mark is where a partition stands after a batch. Instants are Unix milliseconds.
type Mark struct {
	// CaughtUp: the log answered lately, all that the log was last heard to hold has been handed out, and
	// the last fetch did not fail. An open transaction is the log's end.
	CaughtUp bool
	// Consumed is the greatest event time handed out in this session,
	// math.MinInt64 if none.
	Consumed int64
	// Frontier is the time of the input that waits first, else Consumed.
	Frontier int64
	// End is the log's end as last heard, -1 before the first answer. What lies
	// between the position and End is the lag.
	End int64
	// Stopped: Session.Allow lets nothing of it go.
	Stopped bool
}

// Bounds are the offsets that a partition's log holds: First, and End after the last.
type Bounds struct{ First, End int64 }
