package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/pkg/engine"
)

// fetcher reads one partition ahead of the merge.
type fetcher struct {
	session   *Session
	index     int
	partition engine.Partition
	offset    int64 // the next to fetch
	// hear asks for an answer at once instead of waiting for records: the end of
	// the log is not known, and the merge waits for it.
	hear  bool
	room  chan struct{} // told, once, when there is room again
	usual int           // how many inputs the last answer held: the next may hold as many
	// ahead: the last answer held all that there was.
	ahead  bool
	reader setReader
}

func (f *fetcher) run(ctx context.Context) {
	outage := &f.session.source.reading
	for failures := 0; f.waitRoom(ctx); {
		err := f.fetch(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			outage.worked(f.partition, failures)
			failures = 0
		case f.hopeless(err):
			f.session.fail(err)
			return
		default:
			failures++
			outage.failed(f.partition, failures, err)
			f.lost()
			if !pause(ctx, failures-1) {
				return
			}
		}
	}
}

// waitRoom waits until fewer inputs than the bound are waiting.
func (f *fetcher) waitRoom(ctx context.Context) bool {
	se := f.session
	se.mu.Lock()
	full := se.merge.pause(f.index)
	se.mu.Unlock()
	if !full {
		return ctx.Err() == nil
	}
	f.hear = true
	select {
	case <-ctx.Done():
		return false
	case <-f.room:
		return true
	}
}

// fetch asks for records once and hands on what came. At the end of the log there is
// time to ask along with others.
func (f *fetcher) fetch(ctx context.Context) error {
	se := f.session
	a := newAsk(f)
	if f.ahead && !f.hear {
		se.gather.fetch(ctx, se.source, a)
	} else {
		se.source.fetch(ctx, f.patience(), []*ask{a})
	}
	defer se.source.buffers.put(a.body)
	if errors.Is(a.err, kafka.OffsetOutOfRange) {
		return f.outOfRange(ctx)
	}
	if a.err != nil {
		return fmt.Errorf("fetch %s/%d at %d: %w", f.partition.Topic, f.partition.ID, f.offset, a.err)
	}
	if a.delivered {
		return a.failed
	}
	news, err := f.deliver(a.got)
	if news {
		se.tell()
	}
	return err
}

// goesOn says that the next thing to do is to ask again along with others.
func (f *fetcher) goesOn() bool {
	se := f.session
	se.mu.Lock()
	defer se.mu.Unlock()
	return f.ahead && !f.hear && se.merge.room(f.index)
}

// patience is how long the broker may hold the request.
func (f *fetcher) patience() time.Duration {
	if f.hear {
		return 0
	}
	return f.session.source.cfg.FetchMaxWait
}

// deliver hands on what came, and reports whether the merge is to be told.
func (f *fetcher) deliver(got fetched) (news bool, err error) {
	var c chunk
	if len(got.set) > 0 {
		c = f.session.chunk(f.usual)
	}
	next, err := f.reader.read(got.set, f.offset, got.aborted, func(r *Record) {
		r.Memory = c.memory
		c.entries = f.decode(c.entries, r)
	})
	if err == nil && next == f.offset && len(got.set) > 0 {
		err = fmt.Errorf("%w at offset %d: not one whole batch in %d bytes", errCorrupt, f.offset, len(got.set))
	}
	// What was read before a bad batch is good; the error comes again with the
	// next answer, which then begins with the bad batch.
	if err != nil && next == f.offset {
		return false, fmt.Errorf("read %s/%d: %w", f.partition.Topic, f.partition.ID, err)
	}
	f.offset, f.hear, f.usual = next, false, len(c.entries)
	f.ahead = next >= got.end
	return f.session.push(f.index, c, next, got.end), nil
}

func (f *fetcher) decode(entries []entry, r *Record) []entry {
	r.Topic, r.Partition = f.partition.Topic, f.partition.ID
	d := f.session.source.decode(r)
	for _, e := range d.Events {
		entries = append(entries, entry{event: e, dead: d.Spare[e], offset: r.Offset, time: e.Time, stamp: r.Time, more: true, aside: d.Aside})
	}
	for _, dead := range d.Dead {
		entries = append(entries, entry{dead: dead, offset: r.Offset, stamp: r.Time, more: true})
	}
	if len(d.Events)+len(d.Dead) > 0 {
		entries[len(entries)-1].more = false
	}
	return entries
}

func (f *fetcher) lost() {
	f.hear = true
	se := f.session
	se.mu.Lock()
	news := se.merge.lose(f.index)
	se.mu.Unlock()
	if news {
		se.tell()
	}
}

// outOfRange finds out what the log holds. If it holds the offset, the broker was
// only behind: trying again helps.
func (f *fetcher) outOfRange(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.session.source.cfg.RequestTimeout)
	defer cancel()
	bounds, err := f.session.source.bounds(ctx, []engine.Partition{f.partition})
	if err != nil {
		return err
	}
	if err := bounds[f.partition].check(f.partition, f.offset); err != nil {
		return err
	}
	return fmt.Errorf("fetch %s/%d at %d: %w", f.partition.Topic, f.partition.ID, f.offset, kafka.OffsetOutOfRange)
}

// hopeless says that trying again does not help. Errors of a new connection, such
// as refused credentials, are not hopeless here: if they last, the membership ends too,
// and joining again says so.
func (f *fetcher) hopeless(err error) bool {
	var offset *OffsetError
	var setup *SetupError
	return errors.As(err, &offset) || errors.As(err, &setup) || errors.Is(err, kafka.TopicAuthorizationFailed)
}
