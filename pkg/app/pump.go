package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/streams/source"
)

// Deadletters writes what can't be used; it returns once all is acknowledged.
type Deadletters interface {
	Write(ctx context.Context, letters []any) error
}

// pump takes inputs from the source through the engine, session by session.
type pump struct {
	source  *source.Source
	engine  *engine.Engine
	letters Deadletters
	tide    *tide
	state   *state
	log     zerolog.Logger
	now     func() int64

	batch      int           // most inputs of a round
	checkpoint time.Duration // between checkpoints
	look       time.Duration // longest time between two looks at what is due
}

// Run joins the group again and again until reading ends. What is in hand then
// is finished within the life of work. It returns an error only for what no
// retry can heal.
func (p *pump) Run(reading, work context.Context) error {
	for attempt := 0; ; attempt++ {
		session, err := p.source.Join(reading)
		if err == nil {
			err = p.session(reading, work, session)
			p.state.left()
			session.Close()
		}
		switch {
		case reading.Err() != nil:
			return stopped(err)
		case errors.Is(err, source.ErrEnded):
			attempt = 0
		case !healing(err):
			return err
		default:
			p.log.Warn().Err(err).Msg("reading was interrupted, joining again")
			if !wait(reading, attempt) {
				return nil
			}
		}
	}
}

// stopped is what is left of an error when reading was told to end.
func stopped(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, source.ErrEnded) || errors.Is(err, source.ErrClosed) || healing(err) {
		return nil
	}
	return err
}

// hopeless marks errors that no retry can heal: the engine has retried what can.
type hopeless struct{ error }

func (h hopeless) Unwrap() error { return h.error }

func healing(err error) bool {
	var setup *source.SetupError
	var offset *source.OffsetError
	var h hopeless
	return !errors.As(err, &setup) && !errors.As(err, &offset) && !errors.As(err, &h)
}

// session serves one generation of the group: from where the shards stand until
// the assignment or reading ends.
func (p *pump) session(reading, work context.Context, session *source.Session) error {
	if err := p.begin(reading, session); err != nil {
		return err
	}
	err := p.rounds(reading, work, session)
	// The rounds are stored; moving all shards there spares the next owner
	// reading them again.
	last, cancel := context.WithTimeout(work, 5*time.Second)
	defer cancel()
	return errors.Join(err, p.mark(last, session))
}

func (p *pump) begin(ctx context.Context, session *source.Session) error {
	committed, err := session.Committed(ctx)
	if err != nil {
		return err
	}
	bounds, err := session.Bounds(ctx)
	if err != nil {
		return err
	}
	limits := make(map[engine.Partition]engine.Bounds, len(bounds))
	for part, b := range bounds {
		limits[part] = engine.Bounds{First: b.First, End: b.End}
	}
	from, err := p.engine.Assign(ctx, committed, limits)
	if err != nil {
		return hopeless{fmt.Errorf("take over partitions: %w", err)}
	}
	all, err := p.source.AllPartitions(ctx)
	if err != nil {
		return err
	}
	p.tide.assign(session.Partitions(), all)
	if err := p.engine.RefreshDue(ctx); err != nil {
		return err
	}
	p.log.Info().Int("partitions", len(from)).Int("of", len(all)).Msg("partitions assigned")
	if err := session.Start(ctx, from); err != nil {
		return err
	}
	p.state.joined(len(from), len(all))
	return nil
}

// rounds runs until the session or reading ends. A round once begun is finished.
func (p *pump) rounds(reading, work context.Context, session *source.Session) error {
	next := time.Now().Add(p.checkpoint)
	looked := time.Now()
	for reading.Err() == nil {
		batch, err := session.Next(reading, source.Want{Max: p.batch, Deadline: p.deadline(), NotAfter: p.tide.limit()})
		if err != nil {
			return err
		}
		if err := p.round(work, session, batch); err != nil {
			return err
		}
		if time.Since(looked) >= p.look {
			looked = time.Now()
			if err := p.watch(work); err != nil {
				return err
			}
		}
		if time.Now().After(next) {
			next = time.Now().Add(p.checkpoint)
			if err := p.mark(work, session); err != nil {
				return err
			}
		}
	}
	return nil
}

// deadline is when a round must run even with no input: when an account is due,
// or when it is time to look again.
func (p *pump) deadline() time.Time {
	now := p.now()
	wait := p.look
	if due := p.engine.NextDue(); due < now+p.look.Milliseconds() {
		wait = time.Duration(max(due-now, 0)) * time.Millisecond
	}
	return time.Now().Add(wait)
}

// watch exchanges watermarks with other instances and looks for due instants
// that they armed. Alone, there is nobody to ask.
func (p *pump) watch(ctx context.Context) error {
	if p.tide.alone() {
		return nil
	}
	if err := p.tide.exchange(ctx, p.now()); err != nil {
		p.log.Warn().Err(err).Msg("watermarks not exchanged")
		return nil
	}
	return p.engine.RefreshDue(ctx)
}

// round writes the dead letters of a batch, then applies and stores the rest:
// positions move past a bad record only once its dead letter is acknowledged.
func (p *pump) round(ctx context.Context, session *source.Session, batch *source.Batch) error {
	r := engine.Round{Ends: batch.Ends, Inputs: make([]engine.Input, 0, len(batch.Inputs))}
	var dead []any
	parts := session.Partitions()
	for _, in := range batch.Inputs {
		part := parts[in.Part]
		switch {
		case in.Event != nil:
			r.Inputs = append(r.Inputs, engine.Input{Event: in.Event, Partition: part, Offset: in.Offset})
		case !p.engine.Covered(part, in.Offset):
			dead = append(dead, in.Dead)
		}
	}
	if len(dead) > 0 {
		if err := p.letters.Write(ctx, dead); err != nil {
			return fmt.Errorf("write dead letters: %w", err)
		}
		r.Everywhere = true
	}
	r.Watermark = p.tide.rise(batch.Marks, p.now())
	if err := p.engine.Process(ctx, r); err != nil {
		return hopeless{err}
	}
	p.state.progressed(batch, p.now())
	return nil
}

// mark moves all shards to where the session stands, then tells the group, for
// the tools that watch it.
func (p *pump) mark(ctx context.Context, session *source.Session) error {
	ends, err := p.engine.Checkpoint(ctx)
	if err != nil {
		return hopeless{err}
	}
	if err := session.Commit(ctx, ends); err != nil && !errors.Is(err, source.ErrEnded) {
		p.log.Debug().Err(err).Msg("group offsets not committed")
	}
	return nil
}
