package app

import (
	"context"
	"fmt"
	"slices"

	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/identity"
	"tidemark/pkg/store"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/sink"
	"tidemark/streams/source"
)

// UserStore is the store's side of what is known of users.
type UserStore interface {
	LoadUsers(ctx context.Context, users []uint64) ([][]byte, error)
	SwapUsers(ctx context.Context, swaps []store.UserSwap) (lost []int, err error)
}

// users is a UserStore as the resolver wants it.
type users struct{ UserStore }

// Load implements identity.Store.
func (u users) Load(ctx context.Context, keys []uint64) ([][]byte, error) {
	return u.LoadUsers(ctx, keys)
}

// Swap implements identity.Store.
func (u users) Swap(ctx context.Context, swaps []identity.Swap) ([]int, error) {
	out := make([]store.UserSwap, len(swaps))
	for i, s := range swaps {
		out[i] = store.UserSwap(s)
	}
	return u.SwapUsers(ctx, out)
}

// knowsUsers reports whether a topic has a format that names users.
func knowsUsers(c config.Config) bool {
	return slices.ContainsFunc(c.Kafka.Inputs, func(in config.Input) bool { return in.Format != config.FormatCloudEvents })
}

// newResolver makes what learns of users, nil where no topic names any.
func newResolver(c config.Config, s UserStore, who people, e *engine.Engine) *identity.Resolver {
	if !knowsUsers(c) {
		return nil
	}
	return identity.New(users{s}, who.hash, e.Retry)
}

// place finds the accounts of the batch's events that came without, by their users,
// and learns from those that name users. What nobody knows becomes a dead letter, and
// notices are done with.
func (p *pump) place(ctx context.Context, session *source.Session, batch *source.Batch) error {
	if p.users == nil {
		return nil
	}
	parts := session.Partitions()
	inputs := make([]engine.Input, 0, len(batch.Inputs))
	at := make([]int, 0, len(batch.Inputs))
	for i, in := range batch.Inputs {
		if in.Event != nil {
			inputs = append(inputs, engine.Input{Event: in.Event, Partition: parts[in.Part], Offset: in.Offset})
			at = append(at, i)
		}
	}
	results, err := p.users.Resolve(ctx, &identity.Round{
		Inputs: inputs, Ends: p.engine.Ends(), Settled: p.engine.Settled, Alone: p.tide.alone(),
	})
	if err != nil {
		return err
	}
	unknown := unknowns{}
	for i, r := range results {
		in := &batch.Inputs[at[i]]
		switch {
		case r.Event.Kind == scoring.KindNotice:
			in.Event, in.Dead = nil, nil
		case r.Unknown:
			in.Event, in.Dead = nil, unknown.letter(r.Event, inputs[i])
		default:
			in.Event = r.Event
		}
	}
	if results != nil {
		batch.Inputs = slices.DeleteFunc(batch.Inputs, func(in source.Input) bool { return in.Event == nil && in.Dead == nil })
	}
	return nil
}

// unknowns counts the letters of each record: as many as one record may have.
type unknowns map[place]*count

type count struct {
	letters, beyond int
	last            *sink.DeadLetter
	message         string // of last, before others were counted in it
}

// mostLetters bounds the dead letters of one record, each of which holds all of it.
const mostLetters = 64

// letter is the dead letter of an event whose user nobody knows, nil where its record
// has too many; the last of them speaks for those.
func (u unknowns) letter(e *scoring.Event, in engine.Input) any {
	at := place{in.Partition, in.Offset}
	n := u[at]
	if n == nil {
		n = &count{}
		u[at] = n
	}
	letter := e.Hint.Otherwise.(*sink.DeadLetter)
	if n.letters < mostLetters {
		n.letters++
		n.last, n.message = letter, letter.Message
		return letter
	}
	n.beyond++
	n.last.Message = fmt.Sprintf("%s; %d more events behind it have no dead letter of their own", n.message, n.beyond)
	return nil
}

// keepUnknown makes letters of what is to become of events whose users nobody knows.
func keepUnknown(r *source.Record, events []*scoring.Event) {
	var of []*scoring.Event
	var faults []*codec.Bad
	for _, e := range events {
		if e.Hint == nil {
			continue
		}
		if fault, ok := e.Hint.Otherwise.(*codec.Bad); ok {
			of, faults = append(of, e), append(faults, fault)
		}
	}
	for i, letter := range keep(r, faults) {
		of[i].Hint.Otherwise = letter
	}
}

// onlyTaught is what a record says of its users and nothing else: it was a dead
// letter before, as nobody knew its user.
func onlyTaught(events []*scoring.Event) (out []*scoring.Event) {
	for _, e := range events {
		if e.Hint != nil && e.Hint.Otherwise != nil {
			notice := *e
			notice.Kind = scoring.KindNotice
			out = append(out, &notice)
		}
	}
	return out
}
