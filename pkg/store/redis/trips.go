package redis

import (
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/together"
)

// abreast is how many shared trips may be under way at once: while the server works on
// one, the next is on its way.
const abreast = 2

// trips take what several callers ask for at the same time in one round trip. Alone
// each would have a connection, a write and a read of its own.
type trips struct{ group together.Group[passenger] }

// passenger is one caller's part of a trip.
type passenger struct {
	fill func(goredis.Pipeliner)
	err  error
}

// by has the trips go by a client.
func (t *trips) by(client goredis.UniversalClient) {
	t.group.Abreast = abreast
	t.group.Do = func(ctx context.Context, aboard []*passenger) {
		pipe := client.Pipeline()
		ends := make([]int, len(aboard))
		for i, p := range aboard {
			p.fill(pipe)
			ends[i] = pipe.Len()
		}
		cmds := pipe.Cmds()
		_, _ = pipe.Exec(ctx) // each command has its own error
		from := 0
		for i, p := range aboard {
			p.err = failure(cmds[from:ends[i]])
			from = ends[i]
		}
	}
}

// take sends what fill adds and returns the first error among its replies. A reply of
// nil is no error: fill's commands show it. fill may be called again.
func (t *trips) take(ctx context.Context, fill func(goredis.Pipeliner)) error {
	for {
		p := &passenger{fill: fill}
		t.group.Take(ctx, p)
		// A trip ends with the context of whoever made it.
		if ctx.Err() != nil || !errors.Is(p.err, context.Canceled) {
			return p.err
		}
	}
}

// reads are trips to a single server, in one transaction each.
type reads struct{ group together.Group[reader] }

// reader is one caller's part of such a trip.
type reader struct {
	fill func(*bundle)
	got  answers
	err  error
}

// by has the trips go by a store's client.
func (t *reads) by(s *Store) {
	t.group.Abreast = abreast
	t.group.Do = func(ctx context.Context, aboard []*reader) {
		b := s.lend()
		defer s.giveBack(b)
		ends := make([]int, len(aboard))
		for i, p := range aboard {
			p.fill(b)
			ends[i] = len(b.cmds)
		}
		all, err := b.transact(ctx, s.client.Pipeline())
		from := 0
		for i, p := range aboard {
			if p.err = err; err == nil {
				p.got, p.err = all.take(ends[i] - from)
			}
			from = ends[i]
		}
	}
}

// take sends what fill adds and returns the replies, among which may be errors. fill may be called again.
func (t *reads) take(ctx context.Context, fill func(*bundle)) (answers, error) {
	for {
		p := &reader{fill: fill}
		t.group.Take(ctx, p)
		// A trip ends with the context of whoever made it.
		if ctx.Err() != nil || !errors.Is(p.err, context.Canceled) {
			return p.got, p.err
		}
	}
}

// failure is the first error among replies that is more than an answer of nil.
func failure(cmds []goredis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, goredis.Nil) {
			return err
		}
	}
	return nil
}
