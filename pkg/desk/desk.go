package desk

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"

	"tidemark/pkg/route"
)

// Config is what a Desk is made of. All of it is required.
type Config struct {
	Plan  *route.Plan
	Store Store
	// Namespace is in the source of events: tidemark/<namespace>.
	Namespace string
	// Topic is where tier changes are read from; positions are kept under its name.
	Topic string
	// Now is the clock, Unix milliseconds.
	Now func() int64
}

// Desk is one process's view of the desk. Its methods may be called by several
// goroutines.
type Desk struct {
	cfg Config

	// mu guards what follows. It is held while waiting for the store: steps are one
	// after the other in any case.
	mu     sync.Mutex
	desk   *route.Desk // nil: to be loaded
	token  string
	mark   string
	shared []byte // as stored
	// stored are the positions as this process last knew them stored, and read those
	// that it has read up to since.
	stored, read map[string]int64
	begun        bool // positions are this process's business
}

// New makes a Desk. It reads nothing yet.
func New(c Config) (*Desk, error) {
	if c.Plan == nil || c.Store == nil || c.Now == nil || c.Namespace == "" || c.Topic == "" {
		return nil, errors.New("desk: plan, store, namespace, topic and now are required")
	}
	return &Desk{cfg: c, stored: map[string]int64{}, read: map[string]int64{}}, nil
}

// ErrRewound is returned where the store forgot positions that this process knows were
// stored: it was set back. Begin again, and read on from there.
var ErrRewound = errors.New("the store was set back")

// Begin takes the desk over: it loads it, holds it against what was published, and
// puts it under the plan. Nothing of its outbox may be published meanwhile.
func (d *Desk) Begin(ctx context.Context, b Beginning) (*Stand, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget()
	clear(d.stored)
	clear(d.read)
	d.begun = true
	mark, upheld, err := d.uphold(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("hold the desk against what was published: %w", err)
	}
	if len(d.stored) == 0 {
		starts, err := b.First(ctx)
		if err != nil {
			return nil, err
		}
		for p, offset := range starts {
			d.read[d.place(p)] = offset
		}
	}
	if err := d.adopt(ctx); err != nil {
		return nil, err
	}
	out := map[int]int64{}
	for p := range d.stored {
		if n, ours := d.partition(p); ours {
			out[n] = d.stored[p]
		}
	}
	return &Stand{Positions: out, Mark: mark, Upheld: upheld}, nil
}

// adopt puts the desk under this process's plan.
func (d *Desk) adopt(ctx context.Context) error {
	return d.step(ctx, func() (work, error) {
		return work{step: d.cfg.Plan.Adopt(d.desk, d.cfg.Now())}, nil
	})
}

// ErrPlan is returned by Do where the desk stands under another routing file: who
// routes by an older one may not know the team that an MQA waits for.
var ErrPlan = errors.New("the desk stands under another routing file than this process: give both the same file, and restart the older")

// under makes sure that the desk stands under this process's plan.
func (d *Desk) under(ctx context.Context) error {
	if d.desk.Plan == d.cfg.Plan.Hash() {
		return nil
	}
	return d.adopt(ctx)
}

func (d *Desk) place(partition int) string { return d.cfg.Topic + "/" + strconv.Itoa(partition) }

func (d *Desk) partition(place string) (int, bool) {
	rest, ours := bytes.CutPrefix([]byte(place), []byte(d.cfg.Topic+"/"))
	n, err := strconv.Atoi(string(rest))
	return n, ours && err == nil
}

// Take takes a tier change in that stands at an offset of a partition. One that was
// taken in before does nothing. Changes that are none of the desk's business move the
// position with the next step, or the next Tick.
func (d *Desk) Take(ctx context.Context, partition int, offset int64, c *route.Change) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	place := d.place(partition)
	if err := d.ready(ctx); err != nil {
		return err
	}
	if err := d.under(ctx); err != nil {
		return err
	}
	if offset < max(d.read[place], d.stored[place]) {
		return nil
	}
	if !c.MQA && d.desk.MQAs[c.Account] == nil {
		d.read[place] = offset + 1
		return nil
	}
	return d.step(ctx, func() (work, error) {
		if offset < d.stored[place] {
			return work{}, nil
		}
		past, err := d.past(ctx, c)
		if err != nil {
			return work{}, err
		}
		return work{step: d.cfg.Plan.Change(d.desk, past, c, d.cfg.Now()), read: map[string]int64{place: offset + 1}}, nil
	})
}

// Skip moves the position past a record that is no tier change.
func (d *Desk) Skip(partition int, offset int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	place := d.place(partition)
	d.read[place] = max(d.read[place], offset+1)
}

func (d *Desk) past(ctx context.Context, c *route.Change) (*route.Past, error) {
	if d.desk.MQAs[c.Account] != nil {
		return nil, nil //nolint:nilnil // nothing is remembered, and nothing went wrong
	}
	return d.remembered(ctx, c.Account)
}

// remembered is what is remembered of an account that left the desk.
func (d *Desk) remembered(ctx context.Context, account string) (*route.Past, error) {
	value, err := d.cfg.Store.DeskPast(ctx, account)
	if err != nil || value == nil {
		return nil, err
	}
	past := new(route.Past)
	if err := json.Unmarshal(value, past); err != nil {
		return nil, fmt.Errorf("what is remembered of %s: %w", account, err)
	}
	return past, nil
}

// Tick looks for what others stored, does what is due, and stores how far tier changes
// were read. Next is when something is due again; false: nothing is.
func (d *Desk) Tick(ctx context.Context) (next int64, waits bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refresh(ctx); err != nil {
		return 0, false, err
	}
	if err := d.under(ctx); err != nil {
		return 0, false, err
	}
	if err := d.step(ctx, func() (work, error) {
		return work{step: d.cfg.Plan.Tick(d.desk, d.cfg.Now())}, nil
	}); err != nil {
		return 0, false, err
	}
	next, waits = d.desk.Next()
	return next, waits, nil
}

// Look lets see look at the desk as it is stored now, timers that are due left aside.
// What see gets is not to be kept or changed.
func (d *Desk) Look(ctx context.Context, see func(*route.Desk)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refresh(ctx); err != nil {
		return err
	}
	see(d.desk)
	return nil
}

// ready loads the desk if that has to be.
func (d *Desk) ready(ctx context.Context) error {
	if d.desk != nil {
		return nil
	}
	return d.load(ctx)
}

// refresh makes sure that the desk is what is stored.
func (d *Desk) refresh(ctx context.Context) error {
	if d.desk != nil {
		token, err := d.cfg.Store.DeskToken(ctx)
		if err != nil {
			return err
		}
		if token != d.token {
			d.forget()
		}
	}
	return d.ready(ctx)
}

func (d *Desk) forget() { d.desk = nil }

// load reads what is stored. A position that went back means that the store did.
func (d *Desk) load(ctx context.Context) error {
	s, err := d.cfg.Store.LoadDesk(ctx)
	if err != nil {
		return err
	}
	for place, offset := range d.stored {
		if d.begun && s.Positions[place] < offset {
			return ErrRewound
		}
	}
	var shared route.Shared
	if s.Shared != nil {
		if err := decode(s.Shared, &shared, "the desk"); err != nil {
			return err
		}
	}
	mqas := make([]*route.MQA, 0, len(s.MQAs))
	for account, value := range s.MQAs {
		m := new(route.MQA)
		if err := decode(value, m, "the MQA of "+account); err != nil {
			return err
		}
		mqas = append(mqas, m)
	}
	d.desk, d.token, d.mark = route.Restore(shared, mqas), s.Token, s.Mark
	maps.Copy(d.stored, s.Positions)
	if d.shared, err = json.Marshal(d.desk.Shared); err != nil {
		d.forget()
	}
	return err
}

// work is what an input comes to.
type work struct {
	step   *route.Step // nil: nothing
	read   map[string]int64
	answer *Answer
	again  []Message // to publish in front of the step's events
	trim   []string  // of the outbox
	mark   *MarkMove
}

// attempts is how often an input is taken in upon a desk that others keep changing.
const attempts = 50

// step takes an input in and stores what it did. The desk of a step that could not be
// stored is forgotten: what it became is nowhere else.
func (d *Desk) step(ctx context.Context, input func() (work, error)) error {
	for range attempts {
		if err := d.ready(ctx); err != nil {
			return err
		}
		w, err := input()
		if err != nil {
			d.forget()
			return err
		}
		err = d.store(ctx, w)
		if err == nil {
			return nil
		}
		d.forget()
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("after %d attempts: %w", attempts, ErrConflict)
}

// store commits what an input did, if it did anything.
func (d *Desk) store(ctx context.Context, w work) error {
	c := Commit{From: d.token, To: rand.Text(), Positions: map[string]int64{}, Answer: w.answer, Outbox: w.again, Trim: w.trim, Mark: w.mark}
	for _, read := range []map[string]int64{d.read, w.read} {
		for place, offset := range read {
			if stored, known := d.stored[place]; !known || offset > stored {
				c.Positions[place] = offset
			}
		}
	}
	if err := d.fill(&c, w.step); err != nil {
		return err
	}
	if bytes.Equal(c.Shared, d.shared) && len(c.Put)+len(c.Drop)+len(c.Past)+len(c.Positions)+len(c.Outbox) == 0 && c.Answer == nil && c.Mark == nil {
		return nil
	}
	if err := d.cfg.Store.CommitDesk(ctx, c); err != nil {
		return err
	}
	d.token, d.shared = c.To, c.Shared
	if c.Mark != nil {
		d.mark = c.Mark.To
	}
	maps.Copy(d.stored, c.Positions)
	clear(d.read)
	return nil
}

// fill writes a step into a commit.
func (d *Desk) fill(c *Commit, step *route.Step) (err error) {
	if c.Shared, err = json.Marshal(d.desk.Shared); err != nil || step == nil {
		return err
	}
	c.Put, c.Past, c.Drop = map[string][]byte{}, map[string]Past{}, step.Drop
	for _, account := range step.Put {
		if c.Put[account], err = json.Marshal(d.desk.MQAs[account]); err != nil {
			return err
		}
	}
	for account, past := range step.Past {
		value, err := json.Marshal(past)
		if err != nil {
			return err
		}
		c.Past[account] = Past{At: past.At, Value: value}
	}
	for i := range step.Events {
		value, err := step.Events[i].Encode(d.cfg.Namespace)
		if err != nil {
			return err
		}
		c.Outbox = append(c.Outbox, Message{Account: step.Events[i].MQA.Account, Value: value})
	}
	return nil
}

func decode(value []byte, to any, what string) error {
	if err := json.Unmarshal(value, to); err != nil {
		return fmt.Errorf("%s in the store: %w", what, err)
	}
	return nil
}
