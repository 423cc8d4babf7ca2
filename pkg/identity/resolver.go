package identity

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"tidemark/pkg/engine"
	"tidemark/scoring"
)

// Store keeps records under fingerprints.
type Store interface {
	// Load returns the records in the order asked, nil where there is none.
	Load(ctx context.Context, keys []uint64) ([][]byte, error)
	// Swap replaces each record that is still what it was, by itself, and returns the
	// places of those that were not. A record that is what it is to become already was
	// swapped before. A record goes some time after its last swap.
	Swap(ctx context.Context, swaps []Swap) (lost []int, err error)
}

// Swap is the change of one record.
type Swap struct {
	Key uint64
	Was []byte // nil: there was none
	Now []byte // nil: there is to be none
}

// Retry does f until it succeeds, or until that is hopeless.
type Retry func(ctx context.Context, what string, f func() error) error

// Resolver finds and learns. It is for one goroutine.
type Resolver struct {
	store Store
	hash  func(identity string) uint64
	retry Retry
	known map[uint64]*record // what is sure to be as in the store; see Round.Alone
}

// New makes a Resolver. hash gives the fingerprint of a person and never 0.
func New(s Store, hash func(identity string) uint64, retry Retry) *Resolver {
	return &Resolver{store: s, hash: hash, retry: retry, known: map[uint64]*record{}}
}

// Reset forgets what was read from the store. It is due at each assignment.
func (r *Resolver) Reset() { clear(r.known) }

// Round is a batch of inputs in order, and where the instance stands.
type Round struct {
	Inputs []engine.Input
	// Ends are the next offsets of this instance's partitions, before the round.
	Ends map[engine.Partition]int64
	// Settled is the offset from which on a partition of Ends may be read again.
	Settled func(engine.Partition) int64
	// Alone: nobody else reads the topics, so that what was read from the store stays so.
	Alone bool
}

// Result is what became of an input.
type Result struct {
	// Event has its account or its domain, where the input's had neither.
	Event *scoring.Event
	// Unknown: it has none, and nobody knows its user.
	Unknown bool
}

// remembered bounds the records that are kept in memory.
const remembered = 100_000

// attempts is how often another instance may be first before a round gives up.
const attempts = 100

// Resolve learns what the round's inputs teach, stores it, and returns a result for
// each input, in order; nil if none of them has anything to do with users.
func (r *Resolver) Resolve(ctx context.Context, round *Round) ([]Result, error) {
	for range attempts {
		w := r.begin(round)
		if len(w.keys) == 0 {
			return nil, nil
		}
		if err := w.load(ctx); err != nil {
			r.Reset()
			return nil, err
		}
		results := w.run()
		lost, err := w.save(ctx)
		if err != nil {
			r.Reset()
			return nil, err
		}
		if !lost {
			r.keep(w)
			return results, nil
		}
		r.Reset()
	}
	return nil, fmt.Errorf("learn users: other instances changed them %d times meanwhile", attempts)
}

// keep remembers what the store holds now.
func (r *Resolver) keep(w *work) {
	switch {
	case !w.round.Alone || len(r.known) > remembered:
		clear(r.known)
	default:
		maps.Copy(r.known, w.known)
	}
}

// work is one attempt at a round.
type work struct {
	*Resolver
	round   *Round
	names   []names // of the inputs
	keys    []uint64
	known   map[uint64]*record
	settled map[engine.Partition]int64
}

// begin notes whom the inputs name.
func (r *Resolver) begin(round *Round) *work {
	w := &work{Resolver: r, round: round, known: map[uint64]*record{}, settled: map[engine.Partition]int64{}}
	for i, in := range round.Inputs {
		switch e := in.Event; {
		case e.Kind == scoring.KindTombstone:
			w.want(r.hash(accountPrefix + e.Account))
		case e.Kind == scoring.KindErasure:
			for _, identity := range e.Erased() {
				w.want(r.persons(identity)...)
			}
		case e.Hint != nil:
			if w.names == nil {
				w.names = make([]names, len(round.Inputs))
			}
			w.names[i] = r.names(e.Hint)
			w.want(w.names[i].list()...)
			if e.Account != "" {
				w.want(r.hash(accountPrefix + e.Account))
			}
		}
	}
	return w
}

// persons are all that an identity may be the fingerprint's of.
func (r *Resolver) persons(identity string) []uint64 {
	return []uint64{r.hash(userPrefix + identity), r.hash(anonymousPrefix + identity), r.hash(emailPrefix + identity)}
}

// want asks for records, each once.
func (w *work) want(keys ...uint64) {
	for _, key := range keys {
		if w.known[key] != nil {
			continue
		}
		if held := w.Resolver.known[key]; held != nil && w.round.Alone {
			w.known[key] = held
		} else {
			w.known[key] = &record{}
		}
		w.keys = append(w.keys, key)
	}
}

// load reads the records that are wanted, then those that they point at, and what
// is known of the accounts in all of them.
func (w *work) load(ctx context.Context) error {
	done := 0
	for first := true; done < len(w.keys); first = false {
		keys := slices.DeleteFunc(slices.Clone(w.keys[done:]), func(key uint64) bool { return w.Resolver.known[key] == w.known[key] })
		next := len(w.keys)
		var stored [][]byte
		if len(keys) > 0 {
			err := w.retry(ctx, "load users", func() (err error) {
				stored, err = w.store.Load(ctx, keys)
				return err
			})
			if err != nil {
				return err
			}
		}
		for i, key := range keys {
			r, err := decode(stored[i], w.ahead)
			if err != nil {
				return err
			}
			w.known[key] = r
		}
		for _, key := range w.keys[done:next] {
			w.follow(w.known[key], first)
		}
		done = next
	}
	return nil
}

// follow asks for the records that a record points at. Who is the same as somebody
// who is the same is not looked for: find looks no further.
func (w *work) follow(r *record, others bool) {
	for _, c := range r.claims {
		switch c.kind {
		case belongs:
			w.want(w.hash(accountPrefix + c.value))
		case same:
			if !others {
				continue
			}
			one := record{claims: []claim{{kind: same, value: c.value}}}
			if key, ok := one.linked(); ok {
				w.want(key)
			}
		}
	}
}

// ahead reports whether a claim's event is still to be read again.
func (w *work) ahead(p engine.Partition, offset int64) bool {
	end, ours := w.round.Ends[p]
	return ours && offset >= end
}

// run takes the inputs in order. An event is heard before its own account is looked for.
func (w *work) run() []Result {
	out := make([]Result, len(w.round.Inputs))
	for i, in := range w.round.Inputs {
		e := in.Event
		out[i].Event = e
		at := claim{partition: in.Partition, offset: in.Offset, time: e.Time}
		switch {
		case e.Kind == scoring.KindTombstone:
			at.kind = erased
			w.known[w.hash(accountPrefix+e.Account)].add(at, true)
		case e.Kind == scoring.KindErasure:
			w.erase(e)
		case e.Hint != nil:
			w.teach(w.names[i], e, at)
			if e.Account == "" {
				out[i] = w.place(e, w.names[i])
			}
		}
	}
	return out
}

// place finds the account of an event that names none: the one that its user belongs
// to, else that of its domain, else of the user's. The event is shared, so a copy is changed.
func (w *work) place(e *scoring.Event, n names) Result {
	account, found := w.find(n, belongs)
	if !found && e.Domain != "" {
		return Result{Event: e}
	}
	out := *e
	if found {
		out.Account, out.Domain = account, ""
		return Result{Event: &out}
	}
	if out.Domain, found = w.find(n, atHome); !found {
		return Result{Event: e, Unknown: true}
	}
	return Result{Event: &out}
}

// erase forgets a person, under every name that is known.
func (w *work) erase(e *scoring.Event) {
	for _, identity := range e.Erased() {
		for _, key := range w.persons(identity) {
			if other, ok := w.known[key].linked(); ok && w.known[other] != nil {
				w.known[other].forget()
			}
			w.known[key].forget()
		}
	}
}

// save stores what changed. lost: another instance was first, and all must be done again.
func (w *work) save(ctx context.Context) (lost bool, err error) {
	var swaps []Swap
	var changed []*record
	for _, key := range w.keys {
		r := w.known[key]
		if !r.dirty {
			continue
		}
		r.prune(w.final)
		swaps = append(swaps, Swap{Key: key, Was: r.stored, Now: r.encode()})
		changed = append(changed, r)
	}
	if len(swaps) == 0 {
		return false, nil
	}
	var places []int
	err = w.retry(ctx, "learn users", func() (err error) {
		places, err = w.store.Swap(ctx, swaps)
		return err
	})
	for i, r := range changed {
		r.stored, r.dirty = swaps[i].Now, false
	}
	return len(places) > 0, err
}

// final reports whether a claim's event is never read again. Of another instance's
// partitions nobody here knows more than that it was read.
func (w *work) final(p engine.Partition, offset int64) bool {
	if _, ours := w.round.Ends[p]; !ours {
		return true
	}
	at, ok := w.settled[p]
	if !ok {
		at = w.round.Settled(p)
		w.settled[p] = at
	}
	return offset < at
}
