package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"tidemark/scoring"
)

// Input is one decoded input and where it came from.
type Input struct {
	Event     *scoring.Event
	Partition Partition
	Offset    int64
	// Letter is for Hooks.Refuse and Hooks.Scored: whatever they need to bury the input,
	// or to follow it. Nil for most.
	Letter any

	watermark int64 // the low watermark before it
	placed    bool  // the watermark is set

	// Of who is who.
	joins   bool // it may merge accounts, and must wait for all before it
	refused bool // the merge that it asks for can't be
	late    bool // the heir's shard is past it by its own position
	held    bool // it surely was not applied
	done    bool // it was applied before, elsewhere
	detour  *detour
}

// detour is how an input comes to an account that it does not name. Nil: it does not.
type detour struct {
	name string    // where the event goes to an heir: the account that it named
	row  Partition // where the heir's shard keeps the position, if that is another shard
}

// name is the account that the event named, where it goes to an heir.
func (in *Input) name() string {
	if in.detour == nil {
		return ""
	}
	return in.detour.name
}

// row is where the heir's shard keeps the position, where that is not the account's own.
func (in *Input) row() (row Partition, is bool) {
	if in.detour == nil {
		return Partition{}, false
	}
	return in.detour.row, in.detour.row.Topic != ""
}

// Round is a batch of inputs in the order in which they are to be applied.
type Round struct {
	Inputs []Input
	// Ends are the next offsets after the round, for every partition that moved.
	Ends map[Partition]int64
	// Everywhere moves the positions of all shards and not only of those with
	// inputs: after a dead letter was written, so that it is not written again.
	Everywhere bool
	// Published are positions in the topic of tier changes, moved in the shards that
	// this instance owns: everything before them was published from states that
	// are stored. Set back with a shard, they tell from where on to look.
	Published map[Partition]int64
	// Watermark is the low watermark after the round: accounts due at or before
	// it are advanced. UnknownWatermark: no sweep.
	Watermark int64
	// Until is how far the inputs' own times raise the low watermark while they are
	// applied: now, where they come merged by time from all partitions that
	// there are. UnknownWatermark: not at all.
	Until int64
	// Behind: more waits to be read already. Sweeps are then put off a little.
	Behind bool
	// Beside: events come these days, and are taken in soon. Sweeps then go in small
	// portions.
	Beside bool
}

// UnknownWatermark is the low watermark while it is not known: nothing is due.
const UnknownWatermark = int64(-1 << 63)

// Aliases are the domains by which events without a subject find their account.
type Aliases interface {
	// Resolve returns the accounts of those domains that have one.
	Resolve(ctx context.Context, domains []string) (map[string]string, error)
	// Claim gives domains to accounts; of two claims the later Time has it, of
	// equal times the later call. Repeating a claim changes nothing.
	Claim(ctx context.Context, claims []Alias) error
	// Release takes domains from the account, where they still are its own.
	Release(ctx context.Context, account string, domains []string) error
}

// Alias is the claim of an account to a domain.
type Alias struct {
	Domain, Account string
	Time            int64 // of the profile that says so, Unix milliseconds
}

// Encoder turns a crossing into the message to publish, appended to b. It keeps nothing of
// the crossing, whose memory is used again.
type Encoder interface {
	AppendChange(b []byte, account string, c *scoring.Crossing) ([]byte, error)
}

// Config are the engine's settings.
type Config struct {
	Lanes    int // goroutines that score; 0: two for each core
	Accounts int // decoded accounts kept in memory, over all lanes
}

// Hooks are called by the engine; nil hooks are not called. None may block.
type Hooks struct {
	// Outbox is called for a shard after messages for it were committed, for one shard
	// by one goroutine at a time.
	Outbox func(shard int, a Appended)
	// Unpublished is about how many messages of Outbox were not published yet. Nil: not known.
	Unpublished func() int
	// Owns says which shards this instance sweeps. Nil: all.
	Owns func(shard int) bool
	// Refuse is called for an account.merged that can't be carried out, before the
	// position moves past it; why is for people. It returns once a dead letter is
	// acknowledged; an error ends Process. Nil: such events are passed over.
	Refuse func(ctx context.Context, in *Input, why string) error
	// Scored is called for an input with a Letter once it is applied, before it is
	// stored, and again where it is applied again; by several goroutines, though for one
	// input by one at a time. It may set the Trace of the messages that the input led to:
	// those that have Appended; the others came by time before it.
	Scored func(in *Input, led []Message)
}

// Appended are messages as they came into an outbox.
type Appended struct {
	Messages []Message
	// IDs are their places and Behind is that of the entry before them, as in Outcome.
	IDs    []string
	Behind string
}

// Engine scores. Process, Sweep, Assign and Checkpoint are for one goroutine.
type Engine struct {
	store   Store
	aliases Aliases
	encoder Encoder
	hooks   Hooks
	outage  outage
	metrics *Metrics

	model  *scoring.Model // in force
	models models
	lanes  []*lane
	// ends are the offsets up to which everything was processed.
	ends map[Partition]int64
	// loose is true while an input that came with a domain only is stored in its
	// shard, but not every shard's position is past it.
	loose bool
	// ragged is true while an input is stored in its shard, but not every shard's
	// position is past it.
	ragged    bool
	moved     map[string]went // merged accounts
	waiting   []string        // those whose estates no heir has yet
	learned   bool            // moved was read anew, and may have circles
	watermark int64
	level     int64 // the latest time of an input

	// Where Reap stands: so many shards behind the first, at a cursor.
	reapFrom, reaping int
	cursor            uint64

	walk    walk         // where Rescore stands
	adopted atomic.Int64 // accounts that were put under the model in force
}

// New makes an engine. All arguments but the hooks are required.
func New(c Config, m *scoring.Model, s Store, a Aliases, enc Encoder, h Hooks, metrics *Metrics, log zerolog.Logger) (*Engine, error) {
	if m == nil || s == nil || a == nil || enc == nil || metrics == nil {
		return nil, errors.New("engine: model, store, aliases, encoder and metrics are required")
	}
	if c.Lanes <= 0 {
		c.Lanes = 2 * runtime.GOMAXPROCS(0)
	}
	c.Lanes = min(c.Lanes, s.Shards())
	metrics.hold(m.HoldRules())
	e := &Engine{
		store: s, aliases: a, encoder: enc, hooks: h, outage: outage{log: log}, metrics: metrics, model: m, models: models{now: m},
		ends: map[Partition]int64{}, moved: map[string]went{}, watermark: UnknownWatermark, level: UnknownWatermark,
		reapFrom: rand.IntN(s.Shards()),
	}
	for i := range c.Lanes {
		e.lanes = append(e.lanes, newLane(e, i, c.Lanes, max(c.Accounts/c.Lanes, 1)))
	}
	return e, nil
}

// Model is the model in force.
func (e *Engine) Model() *scoring.Model { return e.model }

// Process applies a round and commits it: on return every input is part of the
// stored state. It retries what can heal until ctx ends; an error other than
// that of ctx, or ErrRewound, can't heal.
func (e *Engine) Process(ctx context.Context, r Round) error {
	if err := e.bequeathAll(ctx); err != nil {
		return err
	}
	rest := r.Inputs
	if err := e.mark(ctx, rest); err != nil {
		return err
	}
	for {
		p, err := e.part(ctx, rest)
		if err != nil {
			return err
		}
		if p.n == len(rest) {
			break
		}
		if p.joins {
			if err := e.identify(ctx, &rest[0], r.Until); err != nil {
				e.Forget()
				return err
			}
			continue
		}
		ends := endsOf(rest, p.n)
		if p.loose {
			ends = e.allEnds(ends)
		}
		part := Round{Inputs: rest[:p.n], Ends: ends, Everywhere: p.loose, Watermark: UnknownWatermark, Until: r.Until, Behind: true}
		if err := e.run(ctx, part); err != nil {
			return err
		}
		rest = rest[p.n:]
	}
	r.Inputs = rest
	if err := e.run(ctx, r); err != nil {
		return err
	}
	if r.Watermark != UnknownWatermark {
		e.watermark = r.Watermark
	}
	return nil
}

// Ends are the offsets up to which everything was processed.
func (e *Engine) Ends() map[Partition]int64 { return maps.Clone(e.ends) }

// allEnds are the positions of all partitions after those that moved to ends.
func (e *Engine) allEnds(ends map[Partition]int64) map[Partition]int64 {
	all := maps.Clone(e.ends)
	maps.Copy(all, ends)
	return all
}

// endsOf are the positions after the first n inputs of a round. A record that is
// only partly among them is read again: memory of identities makes that harmless.
func endsOf(inputs []Input, n int) map[Partition]int64 {
	ends := map[Partition]int64{}
	for _, in := range inputs[:n] {
		ends[in.Partition] = in.Offset + 1
	}
	if next := inputs[n]; ends[next.Partition] == next.Offset+1 {
		ends[next.Partition] = next.Offset
	}
	return ends
}

// run takes a round through the lanes.
func (e *Engine) run(ctx context.Context, r Round) error {
	var late []*Input
	for i := range r.Inputs {
		in := &r.Inputs[i]
		if !in.placed {
			in.placed, in.watermark = true, max(e.watermark, min(e.level, r.Until))
			if r.Until != UnknownWatermark {
				e.level = max(e.level, in.Event.Time)
			}
		}
		if e.forward(in); in.late && !in.done {
			late = append(late, in)
		}
	}
	if err := e.runLate(ctx, late, &r); err != nil {
		return err
	}
	for i := range r.Inputs {
		e.take(&r.Inputs[i])
	}
	again, err := e.runLanes(ctx, &r)
	if err != nil {
		return err
	}
	if len(again) > 0 {
		if err := e.untangle(ctx); err != nil {
			return err
		}
		r.Inputs = again
		return e.run(ctx, r)
	}
	// Only now: no account may live past an input that it still waits for.
	if err := e.sweep(ctx, &r); err != nil {
		return err
	}
	e.past(&r)
	return nil
}

// take gives an input to the lane of its account, unless it was applied before the
// others, and tells the shard of the name that it came with to move past it.
func (e *Engine) take(in *Input) {
	if !in.late && !in.done {
		shard := ShardOf(in.Event.Account, e.store.Shards())
		e.laneOf(shard).take(shard, in)
	}
	if name := in.name(); name != "" {
		s := e.shardOf(name)
		s.passing = append(s.passing, in.Partition)
	}
}

// smallRound is up to how many inputs a round is scored by one goroutine, whose commit has
// the steps of all lanes: for a few inputs more trips to the store would cost more than
// cores that score at the same time gain.
const smallRound = 256

// runLanes has the lanes do what they took. It returns the inputs of shards that did
// nothing, as they name accounts which another instance merged meanwhile.
func (e *Engine) runLanes(ctx context.Context, r *Round) (again []Input, err error) {
	if len(r.Inputs) <= smallRound {
		err = e.runSome(ctx, e.lanes, r)
	} else {
		group, ctx := errgroup.WithContext(ctx)
		for i := range e.lanes {
			group.Go(func() error { return e.runSome(ctx, e.lanes[i:i+1], r) })
		}
		err = group.Wait()
	}
	if err == nil {
		again = e.held()
	}
	for _, l := range e.lanes {
		l.end()
	}
	if err != nil {
		e.Forget()
	}
	return again, err
}

// sweep has the lanes advance what is due by the end of a round.
func (e *Engine) sweep(ctx context.Context, r *Round) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range e.lanes {
		if l.due(r) {
			group.Go(func() error { return l.runDue(ctx, r) })
		}
	}
	err := group.Wait()
	if err != nil {
		e.Forget()
	}
	return err
}

// past takes note of a round that is stored.
func (e *Engine) past(r *Round) {
	for p, end := range r.Ends {
		e.ends[p] = max(e.ends[p], end)
	}
	if len(r.Inputs) > 0 {
		e.ragged = true
	}
	if r.Everywhere {
		e.loose = false
		e.ragged = false
		for p, end := range e.ends {
			e.ragged = e.ragged || r.Ends[p] < end
		}
	}
}

// Forget drops all that is remembered of accounts, so that it is loaded again.
func (e *Engine) Forget() {
	for _, l := range e.lanes {
		l.forgetAll()
	}
}

// NextDue is the earliest instant at which an account of an owned shard may
// cross by time alone, as far as is known; NoDue for none.
func (e *Engine) NextDue() int64 {
	due := NoDue
	for _, l := range e.lanes {
		due = min(due, l.nextDue())
	}
	return due
}

// Overdue reports whether accounts are left that the latest round should have
// swept, had it had the time: another round should follow at once.
func (e *Engine) Overdue() bool {
	for _, l := range e.lanes {
		for n, s := range l.shards {
			if s.due <= e.watermark && e.owns(n) {
				return true
			}
		}
	}
	return false
}

// RefreshDue looks the due instants of all shards up in the store, where others
// may have put earlier ones, or did before this instance owned them.
func (e *Engine) RefreshDue(ctx context.Context) error {
	shards := make([]int, e.store.Shards())
	for i := range shards {
		shards[i] = i
	}
	due, err := e.store.NextDue(ctx, shards)
	if err != nil {
		return fmt.Errorf("next due instants: %w", err)
	}
	for i, s := range shards {
		e.laneOf(s).shards[s].due = due[i]
	}
	return nil
}

func (e *Engine) owns(shard int) bool { return e.hooks.Owns == nil || e.hooks.Owns(shard) }
