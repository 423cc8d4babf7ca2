package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/pkg/failpoint"
	"tidemark/pkg/identity"
	"tidemark/pkg/store/redis"
	"tidemark/streams/sink"
	"tidemark/streams/source"
)

// Common is what all instances of a namespace must agree about.
type Common interface {
	// Agrees returns an error that no retry can heal if this instance must not go
	// on: another model is in force, or another generation.
	Agrees(ctx context.Context) error
}

// Reconciler brings states in line with what was published.
type Reconciler interface {
	// Published are the ends of what is published now, as positions for the engine.
	Published(ctx context.Context) (map[engine.Partition]int64, error)
	// Reconcile is called at each assignment; see rewinds.
	Reconcile(ctx context.Context, known bool, records int64) error
}

// Servers tells when the store's servers are not those that it began with.
type Servers interface {
	// Accept takes the servers as they are now. What was read from them before is void.
	Accept()
	// Replaced reports whether one was met since that is not accepted; until it is,
	// calls fail with redis.ErrOtherServer.
	Replaced() bool
}

// Deadletters writes what can't be used; it returns once all is acknowledged.
type Deadletters interface {
	Write(ctx context.Context, letters []any) error
	// Heals reports whether an error of Write may go away by itself.
	Heals(err error) bool
}

// population are the accounts that are stored.
type population interface {
	engine.Scanner
	Accounts(ctx context.Context) (int64, error)
}

// pump takes inputs from the source through the engine, session by session.
type pump struct {
	source  *source.Source
	engine  *engine.Engine
	letters Deadletters
	tide    *tide
	servers Servers
	common  Common
	rewinds Reconciler
	state   *state
	guard   *guard // nil: none
	fences  *fences
	users   *identity.Resolver // nil: no topic names users
	scan    population         // nil: idle accounts are kept
	rescore *rescorer          // nil: there was one model only
	log     zerolog.Logger
	now     func() int64

	batch      int           // most inputs of a round
	checkpoint time.Duration // between checkpoints
	look       time.Duration // longest time between two looks at what is due
	quiet      time.Duration // the same while nothing waits; 0: as ever

	// began and went, if not nil, are told of each assignment and each round.
	began func(from map[engine.Partition]int64, bounds map[engine.Partition]engine.Bounds)
	went  func(batch *source.Batch, watermark int64)

	inputs  []engine.Input  // memory of a round's, used again
	buried  map[place]bool  // records whose dead letters are written, but not stored past
	held    bool            // inputs wait for other instances to come closer
	rests   bool            // nothing waits, see atRest
	rewound bool            // the store was found set back; not reconciled yet
	reapAt  time.Time       // when idle accounts are looked for next
	reaps   time.Duration   // how long after each other; 0: all begins anew
	live    time.Time       // when the latest live event came
	looked  time.Time       // when due instants and the model were looked up
	stirred bool            // something happened since the latest checkpoint
	blind   map[string]bool // by what was looked at: the latest look failed
}

// Run joins the group again and again until reading ends. What is in hand then
// is finished within the life of work. It returns an error only for what no
// retry can heal.
func (p *pump) Run(reading, work context.Context) error {
	for attempt := 0; ; attempt++ {
		session, err := p.source.Join(reading)
		if err == nil {
			begun := time.Now()
			err = p.session(reading, work, session)
			p.rewound = p.rewound || errors.Is(err, engine.ErrRewound)
			p.state.left()
			session.Close()
			if time.Since(begun) > time.Minute {
				attempt = 0
			}
		}
		switch {
		case reading.Err() != nil:
			return stopped(err)
		case errors.Is(err, source.ErrEnded):
			attempt = 0
		case !healing(err):
			return err
		default:
			p.interrupted(attempt, err)
			if !wait(reading, attempt) {
				return nil
			}
		}
	}
}

// interrupted logs the first attempts that fail and then fewer and fewer, so that an
// hour of them is a handful of lines.
func (p *pump) interrupted(attempt int, err error) {
	level := zerolog.DebugLevel
	if attempt&(attempt-1) == 0 {
		level = zerolog.WarnLevel
	}
	p.log.WithLevel(level).Err(err).Int("attempt", attempt+1).Msg("reading was interrupted, joining again")
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

// Retryable has the engine give up at once.
func (h hopeless) Retryable() bool { return false }

func healing(err error) bool {
	var setup *source.SetupError
	var offset *source.OffsetError
	var h hopeless
	if errors.Is(err, engine.ErrRewound) || errors.Is(err, redis.ErrOtherServer) {
		return true
	}
	return !errors.As(err, &setup) && !errors.As(err, &offset) && !errors.As(err, &h)
}

// session serves one generation of the group: from where the shards stand until
// the assignment or reading ends.
func (p *pump) session(reading, work context.Context, session *source.Session) error {
	if err := p.begin(reading, work, session); err != nil {
		return err
	}
	err := p.rounds(reading, work, session)
	// The rounds are stored; moving all shards there spares the next owner
	// reading them again.
	last, cancel := context.WithTimeout(work, 5*time.Second)
	defer cancel()
	return errors.Join(err, p.mark(last, session))
}

// begin finds out where the shards stand and starts reading from there. Taking
// over is work: once begun it is finished.
func (p *pump) begin(ctx, work context.Context, session *source.Session) error {
	p.servers.Accept() // all that follows is read anew
	if err := p.common.Agrees(ctx); err != nil {
		return err
	}
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
	from, err := p.engine.Assign(work, committed, limits)
	if err != nil {
		return hopeless{fmt.Errorf("take over partitions: %w", err)}
	}
	records := again(from, committed)
	setBack := p.rewound || records > 0
	if err := p.rewinds.Reconcile(work, setBack, records); err != nil {
		return err
	}
	p.rewound, p.stirred = false, true
	all, err := p.source.AllPartitions(ctx)
	if err != nil {
		return err
	}
	p.tide.assign(session.Partitions(), all)
	if err := p.engine.RefreshDue(ctx); err != nil {
		return err
	}
	if p.users != nil {
		p.users.Reset()
	}
	p.rescore.joined()
	p.log.Info().Int("partitions", len(from)).Int("of", len(all)).Msg("partitions assigned")
	if err := session.Start(ctx, from); err != nil {
		return err
	}
	p.guard.begin(session)
	p.fences.begin(session, session.Partitions(), all, setBack && !p.tide.alone())
	p.state.joined(len(from), len(all))
	if p.began != nil {
		p.began(from, limits)
	}
	return nil
}

// rounds runs until the session or reading ends. A round once begun is finished.
func (p *pump) rounds(reading, work context.Context, session *source.Session) error {
	marked, looked := time.Now(), time.Now()
	p.rests = false
	for reading.Err() == nil {
		limit := p.tide.limit()
		batch, err := session.Next(reading, source.Want{Max: p.batch, Deadline: p.deadline(), NotAfter: limit})
		if err != nil {
			return err
		}
		p.held = held(batch.Marks, limit)
		if p.servers.Replaced() {
			return redis.ErrOtherServer
		}
		if err := p.round(work, session, batch); err != nil {
			return err
		}
		p.rests = p.quiet > 0 && p.atRest(batch.Marks)
		if err := p.rescore.step(work, len(batch.Inputs) > 0); err != nil {
			return err
		}
		if p.fences.waits() {
			if err := p.readFirst(work, session); err != nil {
				return err
			}
		} else {
			p.guard.probe(session)
		}
		if time.Since(looked) >= p.pace() {
			looked = time.Now()
			if err := p.watch(work); err != nil {
				return err
			}
		}
		if time.Since(marked) >= p.checkpointPause() {
			marked, p.stirred = time.Now(), false
			if err := p.mark(work, session); err != nil {
				return err
			}
		}
	}
	return nil
}

// calmCheckpoints is how many checkpoints are one where nothing happened since the latest.
const calmCheckpoints = 5

// checkpointPause is the time between two checkpoints.
func (p *pump) checkpointPause() time.Duration {
	if p.stirred {
		return p.checkpoint
	}
	return calmCheckpoints * p.checkpoint
}

// readFirst looks whether merges that are read again still hold up other topics, which the
// guard may hold up on its own. A look that fails is taken again at the next.
func (p *pump) readFirst(ctx context.Context, session *source.Session) error {
	if p.fences.due() {
		if err := p.mark(ctx, session); err != nil {
			return err
		}
	}
	p.told("merges that are read again", p.fences.look(ctx, session))
	if !p.fences.waits() {
		p.guard.begin(session)
	}
	return nil
}

// heldLook is the time between two looks at the others while inputs wait for them.
const heldLook = 20 * time.Millisecond

// pace is the longest time between two looks at what others did.
func (p *pump) pace() time.Duration {
	if p.held || p.fences.waits() {
		return heldLook
	}
	if p.rests {
		return p.quiet
	}
	return p.look
}

// held reports whether inputs are held back by the limit.
func held(marks []source.Mark, limit int64) bool {
	return slices.ContainsFunc(marks, func(m source.Mark) bool { return !m.CaughtUp && !m.Stopped && m.Frontier > limit })
}

// deadline is when a round must run even with no input: when an account is due,
// or when it is time to look again.
func (p *pump) deadline() time.Time {
	if p.engine.Overdue() {
		return time.Now()
	}
	now := p.now()
	wait := p.pace()
	// An account that is due already waits for the watermark, not for the clock.
	if due := p.engine.NextDue(); due > now && due < now+wait.Milliseconds() {
		wait = time.Duration(due-now) * time.Millisecond
	}
	deadline := time.Now().Add(wait)
	if at, due := p.rescore.due(); due && at.Before(deadline) {
		return at
	}
	return deadline
}

// watch exchanges watermarks with other instances, and looks for due instants
// that they armed and for a model that they put in force. A look that fails is
// taken again at the next.
func (p *pump) watch(ctx context.Context) error {
	if !p.tide.alone() {
		p.told("watermarks", p.tide.exchange(ctx))
	}
	if time.Since(p.looked) < p.lookPause() {
		return nil
	}
	p.looked = time.Now()
	p.told("due instants", p.engine.RefreshDue(ctx))
	p.reap(ctx)
	return p.disagreement(ctx)
}

// lookPause is the time between two looks for what others put into the store. Who reads
// all partitions armed all due instants too; another model or generation can wait.
func (p *pump) lookPause() time.Duration {
	if p.tide.alone() {
		return 5 * time.Second
	}
	return time.Second
}

// Idle accounts are looked for a few at a time, and all of them once a day where these
// pauses between two looks allow it: shards may come and go meanwhile.
const (
	reapCycle      = 24 * time.Hour
	leastReapPause = 5 * time.Second
	mostReapPause  = 10 * time.Minute
)

// reap has the engine forget idle accounts, now and then.
func (p *pump) reap(ctx context.Context) {
	if p.scan == nil || time.Now().Before(p.reapAt) {
		return
	}
	if p.reaps == 0 {
		accounts, err := p.scan.Accounts(ctx)
		if p.told("stored accounts", err); err != nil {
			return
		}
		p.reaps = min(max(reapCycle/time.Duration(p.engine.ReapCalls(accounts)), leastReapPause), mostReapPause)
	}
	p.reapAt = time.Now().Add(p.reaps)
	more, err := p.engine.Reap(ctx, p.scan)
	p.told("idle accounts", err)
	if !more {
		p.reaps = 0
	}
}

// disagreement is why this instance must not go on. A look that fails says nothing.
func (p *pump) disagreement(ctx context.Context) error {
	if err := p.common.Agrees(ctx); errors.As(err, new(hopeless)) {
		return err
	}
	return nil
}

// told logs the first failure of a row of looks.
func (p *pump) told(what string, err error) {
	if err != nil && !p.blind[what] {
		p.log.Warn().Err(err).Str("of", what).Msg("could not exchange with other instances, trying again")
	}
	p.blind[what] = err != nil
}

// round writes the dead letters of a batch, then applies and stores the rest:
// positions move past a bad record only once its dead letter is acknowledged.
func (p *pump) round(ctx context.Context, session *source.Session, batch *source.Batch) error {
	if err := p.place(ctx, session, batch); err != nil {
		return hopeless{err}
	}
	r := engine.Round{Ends: batch.Ends, Inputs: p.inputs[:0], Until: engine.UnknownWatermark}
	if p.tide.alone() && !p.fences.waits() {
		r.Until = p.now()
	}
	for _, m := range batch.Marks {
		r.Behind = r.Behind || len(batch.Inputs) > 0 && !m.CaughtUp && !m.Stopped
	}
	r.Beside = p.beside(batch)
	// The marks vouch for this instant and no later one: what follows may take long.
	r.Watermark = p.tide.rise(batch.Marks, p.now())
	var bad []source.Input
	parts := session.Partitions()
	for _, in := range batch.Inputs {
		part := parts[in.Part]
		switch {
		case in.Event != nil:
			r.Inputs = append(r.Inputs, engine.Input{Event: in.Event, Partition: part, Offset: in.Offset, Letter: in.Dead})
		case !p.engine.Covered(part, in.Offset):
			bad = append(bad, in)
		}
	}
	p.inputs = r.Inputs
	defer clear(p.inputs) // their events are not kept
	if len(bad) > 0 {
		if err := p.bury(ctx, parts, bad); err != nil {
			return err
		}
		r.Everywhere = true
	}
	p.stirred = p.stirred || len(batch.Inputs) > 0 || p.engine.NextDue() <= r.Watermark
	if err := p.engine.Process(ctx, r); err != nil {
		return hopeless{err}
	}
	clear(p.buried)
	p.judge(session, batch)
	p.state.progressed()
	if p.went != nil {
		p.went(batch, r.Watermark)
	}
	return nil
}

// Sweeps make room for events while the latest came less than besideFor ago and was
// appended less than besideLag before it came: an older backlog is not in such haste.
const (
	besideFor = time.Second
	besideLag = 5 * time.Second
)

// beside reports whether live events come these days, this batch among them.
func (p *pump) beside(batch *source.Batch) bool {
	if n := len(batch.Inputs); n > 0 {
		switch e := batch.Inputs[n-1].Event; {
		case e == nil || engine.IsCanary(e):
		case p.now()-e.Arrived < besideLag.Milliseconds():
			p.live = time.Now()
		default:
			p.live = time.Time{}
		}
	}
	return time.Since(p.live) < besideFor
}

// place is where a record stands.
type place struct {
	partition engine.Partition
	offset    int64
}

// bury writes dead letters, those of a round that could not be stored only once: it
// is read again when the session begins anew.
func (p *pump) bury(ctx context.Context, parts []engine.Partition, bad []source.Input) error {
	var dead []any
	for _, in := range bad {
		if !p.buried[place{parts[in.Part], in.Offset}] {
			dead = append(dead, in.Dead)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	begun := time.Now()
	if err := p.letters.Write(ctx, dead); err != nil {
		if err = fmt.Errorf("write dead letters: %w", err); !p.letters.Heals(err) {
			return hopeless{err}
		}
		return err
	}
	failpoint.Hit(failpoint.LettersAcked)
	if p.buried == nil {
		p.buried = map[place]bool{}
	}
	for _, in := range bad {
		p.buried[place{parts[in.Part], in.Offset}] = true
	}
	if time.Since(begun) > time.Second {
		return p.disagreement(ctx)
	}
	return nil
}

// refuse writes the dead letter of a merge that can't be carried out.
func (p *pump) refuse(ctx context.Context, in *engine.Input, why string) error {
	letter, ok := letterOf(in.Letter).(*sink.DeadLetter)
	if !ok {
		return nil
	}
	refused := *letter
	refused.Message = why
	err := p.letters.Write(ctx, []any{&refused})
	if err != nil && !p.letters.Heals(err) {
		return hopeless{err}
	}
	return err
}

// judge tells the guard what the round held of each topic.
func (p *pump) judge(session *source.Session, batch *source.Batch) {
	if p.guard == nil {
		return
	}
	parts := session.Partitions()
	events, dead := make([]int, len(parts)), map[string][]any{}
	for _, in := range batch.Inputs {
		switch {
		case in.Aside: // a canary proves nothing of the topic's producers
		case in.Event != nil:
			events[in.Part]++
		default:
			dead[parts[in.Part].Topic] = append(dead[parts[in.Part].Topic], in.Dead)
		}
	}
	good := map[string]int{}
	for i, n := range events {
		good[parts[i].Topic] += n
	}
	for topic, n := range good {
		p.guard.note(session, topic, n, dead[topic])
	}
}

// mark moves all shards to where the session stands, then tells the group, for
// the tools that watch it.
func (p *pump) mark(ctx context.Context, session *source.Session) error {
	failpoint.Hit(failpoint.BeforeMark)
	// What is published by now came from states that are stored by now.
	published, err := p.rewinds.Published(ctx)
	p.told("published tier changes", err)
	ends, err := p.engine.Checkpoint(ctx, published)
	if err != nil {
		return hopeless{err}
	}
	p.told("watermarks", p.tide.note(ctx))
	failpoint.Hit(failpoint.Checkpointed)
	if err := session.Commit(ctx, ends); err != nil && !errors.Is(err, source.ErrEnded) {
		p.log.Debug().Err(err).Msg("group offsets not committed")
	}
	failpoint.Hit(failpoint.GroupCommitted)
	return nil
}
