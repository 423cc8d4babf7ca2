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

// failure is the first error among replies that is more than an answer of nil.
func failure(cmds []goredis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, goredis.Nil) {
			return err
		}
	}
	return nil
}
