package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// bundle is commands that go to a server in one transaction, and come back as one reply:
// neither costs memory for each of them, since all of it is used again. go-redis writes and
// reads one command at a time and makes values of all it reads; what it sends as is are
// the arguments, and a raw reply is what it leaves to us.
type bundle struct {
	cmds []queued
	err  error // the first of those that were refused as they were queued

	// What arguments point to. It may move as it grows: what they point to stays.
	args    []any
	numbers []int64
	texts   []octets
	letters []byte

	wire   []goredis.Cmder
	answer [len("QUEUED") + len("\r\n")]byte
}

// queued is one command of a bundle. go-redis has it read the server's "QUEUED" into memory
// of ours, which costs none.
type queued struct {
	*goredis.ZeroCopyStringCmd
	of       *bundle
	args     []any // if nil, those of the bundle
	from, to int
}

// Args implements goredis.Cmder.
func (c *queued) Args() []any {
	if c.args != nil {
		return c.args
	}
	return c.of.args[c.from:c.to]
}

// Name implements goredis.Cmder.
func (c *queued) Name() string {
	name, _ := c.Args()[0].(string)
	return strings.ToLower(name)
}

// SetErr implements goredis.Cmder: the bundle's first error counts.
func (c *queued) SetErr(err error) {
	if c.of.err == nil {
		c.of.err = err
	}
}

// Err implements goredis.Cmder.
func (c *queued) Err() error { return c.of.err }

// octets are bytes as an argument that costs no memory: a pointer to them does.
type octets []byte

// MarshalBinary implements encoding.BinaryMarshaler.
func (o *octets) MarshalBinary() ([]byte, error) { return *o, nil }

// add has a command sent. Its arguments are pointers, or constants.
func (b *bundle) add(args ...any) {
	from := len(b.args)
	b.args = append(b.args, args...)
	b.cmds = append(b.cmds, queued{of: b, from: from, to: len(b.args)})
}

// also adds texts to the command that was added last.
func (b *bundle) also(texts []string) {
	b.args = pointers(b.args, texts)
	b.cmds[len(b.cmds)-1].to = len(b.args)
}

// addAs has a command sent whose arguments are the caller's until it was.
func (b *bundle) addAs(args []any) { b.cmds = append(b.cmds, queued{of: b, args: args}) }

// text is an argument that consists of some texts.
func (b *bundle) text(parts ...string) any {
	from := len(b.letters)
	for _, part := range parts {
		b.letters = append(b.letters, part...)
	}
	b.texts = append(b.texts, b.letters[from:])
	return &b.texts[len(b.texts)-1]
}

// number is an argument that says n.
func (b *bundle) number(n int64) any {
	b.numbers = append(b.numbers, n)
	return &b.numbers[len(b.numbers)-1]
}

// free forgets the commands, for others to come.
func (b *bundle) free() {
	clear(b.args)
	clear(b.cmds)
	clear(b.wire)
	*b = bundle{cmds: b.cmds[:0], args: b.args[:0], numbers: b.numbers[:0], texts: b.texts[:0], letters: b.letters[:0], wire: b.wire[:0]}
}

// multi begins a transaction.
var multi = []any{"multi"}

// transact sends the commands in one transaction and gives the replies of all, in order.
// Where it was not executed, as what the connection watches had changed, the error is
// goredis.TxFailedErr.
func (b *bundle) transact(ctx context.Context, p goredis.Pipeliner) (answers, error) {
	b.err = nil
	reading := goredis.NewZeroCopyStringCmd(ctx, b.answer[:])
	exec := goredis.NewRawCmd(ctx, "exec")
	b.wire = append(b.wire[:0], &queued{ZeroCopyStringCmd: reading, of: b, args: multi})
	for i := range b.cmds {
		b.cmds[i].ZeroCopyStringCmd = reading
		b.wire = append(b.wire, &b.cmds[i])
	}
	b.wire = append(b.wire, exec)
	_ = p.BatchProcess(ctx, b.wire...) // it cannot fail
	_, err := p.Exec(ctx)
	if err == nil {
		err = exec.Err()
	}
	if err != nil {
		return answers{}, err
	}
	r := answers{exec.Val()}
	n, err := r.array()
	switch {
	case errors.Is(err, goredis.Nil):
		return r, goredis.TxFailedErr
	case err != nil && b.err != nil:
		return r, b.err // it says why the transaction was given up
	case err == nil && n != len(b.cmds):
		return r, unexpected(fmt.Sprintf("%d replies to %d commands", n, len(b.cmds)))
	}
	return r, err
}

// lend gives an empty bundle, until it is given back.
func (s *Store) lend() *bundle {
	if b, ok := s.bundles.Get().(*bundle); ok {
		return b
	}
	return &bundle{}
}

func (s *Store) giveBack(b *bundle) {
	if cap(b.args) <= 2*mostKept {
		b.free()
		s.bundles.Put(b)
	}
}

// ask sends the commands, which must be safe to repeat, as often as try says: where it can
// in one transaction.
func (s *Store) ask(ctx context.Context, op string, b *bundle) (r answers, err error) {
	if len(b.cmds) == 0 {
		return r, nil
	}
	err = s.try(ctx, op, func() (err error) {
		if _, single := s.client.(*goredis.Client); single {
			r, err = b.transact(ctx, s.client.Pipeline())
		} else {
			r, err = b.apart(ctx, s.client.Pipeline())
		}
		return err
	})
	return r, err
}
