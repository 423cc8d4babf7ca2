package deadletters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

// Log is a topic as it stands. tail.Follower is one.
type Log interface {
	// Partitions are those that the topic has now.
	Partitions(ctx context.Context) ([]int, error)
	// Whole calls take for each record of a partition from an offset on to its
	// present end, in order.
	Whole(ctx context.Context, partition int, from int64, take func(tail.Record) error) error
	// Ends are, by partition, the offsets behind the last records.
	Ends(ctx context.Context) (map[int]int64, error)
}

// Cluster is where the topics are.
type Cluster interface {
	Log(topic string) (Log, error)
	Settings(ctx context.Context, topic string) (sink.Settings, error)
	// Publish returns nil once all messages are acknowledged. After an error some
	// may be written.
	Publish(ctx context.Context, topic string, messages []sink.Message) error
}

// Letters is a dead-letter topic with the input topics that its letters are of.
type Letters struct {
	Cluster Cluster
	Topic   string
	// Inputs are the topics that a replay may write to.
	Inputs []string
	// Now is the clock, Unix milliseconds.
	Now func() int64
}

// Filter says which letters are meant. The zero value means all.
type Filter struct {
	// Reasons and Topics (of the originals); empty: any.
	Reasons, Topics []string
	// Since and Until bound the original's Kafka timestamp, Unix milliseconds, Until
	// itself left out. 0: no bound.
	Since, Until int64
	// At is the letter's or its original's place; nil: any.
	At *Place
}

func (f *Filter) match(l *Letter) bool {
	return (len(f.Reasons) == 0 || slices.Contains(f.Reasons, l.Reason)) &&
		(len(f.Topics) == 0 || slices.Contains(f.Topics, l.Origin.Topic)) &&
		(f.Since == 0 || l.Time >= f.Since) && (f.Until == 0 || l.Time < f.Until) &&
		(f.At == nil || *f.At == l.At || *f.At == l.Origin)
}

// Group is the letters of one reason and topic.
type Group struct {
	Reason, Topic string
	Count         int
	Replayed      int
	First, Last   int64 // the least and the greatest timestamp
}

// Listing is what a look at the letters found.
type Listing struct {
	// Letters are the latest by timestamp, latest first, without their values.
	Letters []*Letter
	// Groups are of all that match, the largest first.
	Groups   []Group
	Matching int
}

// List looks at all letters and returns at most limit of those that match.
func (d *Letters) List(ctx context.Context, f Filter, limit int) (*Listing, error) {
	type name struct{ reason, topic string }
	groups, ids := map[name]*Group{}, map[name][]ID{}
	out := &Listing{}
	j, err := d.read(ctx, func(l *Letter) {
		if !f.match(l) {
			return
		}
		out.Matching++
		n := name{l.Reason, l.Origin.Topic}
		g := groups[n]
		if g == nil {
			g = &Group{Reason: n.reason, Topic: n.topic, First: l.Time, Last: l.Time}
			groups[n] = g
		}
		g.Count++
		g.First, g.Last = min(g.First, l.Time), max(g.Last, l.Time)
		ids[n] = append(ids[n], l.ID)
		l.Value = nil
		if out.Letters = append(out.Letters, l); len(out.Letters) >= 2*limit+1000 {
			out.Letters = latest(out.Letters, limit)
		}
	})
	if err != nil {
		return nil, err
	}
	out.Letters = latest(out.Letters, limit)
	for _, l := range out.Letters {
		l.Replayed = j.done[l.ID]
	}
	for n, g := range groups {
		for _, id := range ids[n] {
			if j.done[id] {
				g.Replayed++
			}
		}
		out.Groups = append(out.Groups, *g)
	}
	slices.SortFunc(out.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Topic, b.Topic))
	})
	return out, nil
}

// latest are the n latest, latest first.
func latest(letters []*Letter, n int) []*Letter {
	slices.SortFunc(letters, func(a, b *Letter) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.At.Partition, b.At.Partition), cmp.Compare(b.At.Offset, a.At.Offset))
	})
	return slices.Clone(letters[:min(n, len(letters))])
}

// ErrNone is returned by Find where no letter stands at a place or is of it.
var ErrNone = errors.New("no such dead letter")

// Find returns the letters at a place: the letter itself where the place is of the
// dead-letter topic, else every letter of the original that stood there.
func (d *Letters) Find(ctx context.Context, at Place) ([]*Letter, error) {
	f := Filter{At: &at}
	var out []*Letter
	j, err := d.read(ctx, func(l *Letter) {
		if f.match(l) {
			out = append(out, l)
		}
	})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: nothing in %s stands at or came from %s", ErrNone, d.Topic, at)
	}
	for _, l := range out {
		l.Replayed = j.done[l.ID]
	}
	return out, nil
}

// read hands on every letter that there is now, and returns what replays noted.
func (d *Letters) read(ctx context.Context, take func(*Letter)) (*journal, error) {
	j := newJournal()
	err := d.each(ctx, d.Topic, nil, func(r *tail.Record) error {
		j.seen[r.Partition] = r.Offset + 1
		if isMark(r) {
			return j.note(r)
		}
		take(parse(r))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return j, nil
}

// each hands on what a topic holds now, from the given offsets on.
func (d *Letters) each(ctx context.Context, topic string, from map[int]int64, take func(*tail.Record) error) error {
	log, err := d.Cluster.Log(topic)
	if err != nil {
		return err
	}
	partitions, err := log.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := log.Whole(ctx, p, from[p], func(r tail.Record) error { return take(&r) }); err != nil {
			return err
		}
	}
	return nil
}
