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
	// trickle: the last answer held all that there was.
	trickle bool
	reader  setReader
}

// breath is how long a fetch waits after one that brought all that there was. Without it
// each batch that a producer writes is fetched alone, and where many write a little, requests are
// most of what broker and program do.
const breath = 2 * time.Millisecond

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
			if f.trickle && !sleep(ctx, breath) {
				return
			}
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
	full := se.merge.pause(f.index, se.room())
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

// fetch asks for records once and hands on what came.
func (f *fetcher) fetch(ctx context.Context) error {
	answer, err := f.exchange(ctx)
	if err != nil {
		return err
	}
	defer f.session.source.buffers.put(answer.body)
	got, err := answer.parse()
	if errors.Is(err, kafka.OffsetOutOfRange) {
		return f.outOfRange(ctx)
	}
	if err != nil {
		return fmt.Errorf("fetch %s/%d at %d: %w", f.partition.Topic, f.partition.ID, f.offset, err)
	}
	return f.deliver(got)
}

func (f *fetcher) exchange(ctx context.Context) (*fetchAnswer, error) {
	s := f.session.source
	wait := s.cfg.FetchMaxWait
	if f.hear {
		wait = 0
	}
	ctx, cancel := context.WithTimeout(ctx, wait+s.cfg.RequestTimeout)
	defer cancel()
	req := newFetchRequest(f.partition, f.offset, s.cfg.FetchMaxBytes, int(wait/time.Millisecond))
	req.clientID, req.pool = s.transport.ClientID, &s.buffers
	res, err := s.transport.RoundTrip(ctx, s.addr, req)
	if err != nil {
		return nil, fmt.Errorf("fetch %s/%d at %d: %w", f.partition.Topic, f.partition.ID, f.offset, err)
	}
	return res.(*fetchAnswer), nil
}

func (f *fetcher) deliver(got fetched) error {
	var entries []entry
	if len(got.set) > 0 {
		entries = f.session.chunk(f.usual)
	}
	next, err := f.reader.read(got.set, f.offset, got.aborted, func(r *Record) { entries = f.decode(entries, r) })
	if err == nil && next == f.offset && len(got.set) > 0 {
		err = fmt.Errorf("%w at offset %d: not one whole batch in %d bytes", errCorrupt, f.offset, len(got.set))
	}
	// What was read before a bad batch is good; the error comes again with the
	// next answer, which then begins with the bad batch.
	if err != nil && next == f.offset {
		return fmt.Errorf("read %s/%d: %w", f.partition.Topic, f.partition.ID, err)
	}
	f.offset, f.hear, f.usual = next, false, len(entries)
	f.trickle = len(entries) > 0 && next >= got.end
	f.session.push(f.index, entries, next, got.end)
	return nil
}

func (f *fetcher) decode(entries []entry, r *Record) []entry {
	r.Topic, r.Partition = f.partition.Topic, f.partition.ID
	d := f.session.source.decode(r)
	for _, e := range d.Events {
		entries = append(entries, entry{event: e, dead: d.Spare[e], offset: r.Offset, stamp: r.Time, more: true})
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
