package redis

import (
	"context"
	"errors"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
	"tidemark/pkg/failpoint"
)

// A process that is alone with a shard need not pay for the script, most of whose time goes
// into taking arguments apart. On a single server its steps go as plain commands, those of
// all shards in one transaction, and what the script would look at is looked at one trip
// before: while the shards' tokens stay what they were then (WATCH), all of it stays true.
// Whatever is not plainly so is left to the script, which can tell how matters stand.

// plainly commits those of a batch that can go so. Steps that it leaves without an outcome
// have not taken effect unless they were sent; the class is that of an error after which
// they may be sent again.
func (s *Store) plainly(ctx context.Context, batch []*attempt, outcomes []engine.Outcome) Class {
	client, single := s.client.(*goredis.Client)
	if !single {
		return None
	}
	mine := make([]*attempt, 0, len(batch))
	for _, a := range batch {
		if a.plain() {
			mine = append(mine, a)
		}
	}
	if len(mine) == 0 {
		return None
	}
	c := client.Conn()
	defer func() { _ = c.Close() }() // gives the connection back
	failpoint.Hit(failpoint.BeforeCommit)
	class := s.transact(ctx, c, mine, outcomes)
	failpoint.Hit(failpoint.AfterCommit)
	return class
}

// plain reports whether the step can do without the script: it is the first sending of the
// only one of its shard, nobody else wrote there when we last did, and the positions that it
// moves are known to be where it expects them.
func (a *attempt) plain() bool {
	state := a.turn.state
	return len(a.turn.attempts) == 1 && !a.again && !a.check && !state.check && len(state.pending) == 0 &&
		a.encoded.stands && state.token != "" && state.token[len(state.token)-1] != '!'
}

// transact looks, and stores if all is as expected.
func (s *Store) transact(ctx context.Context, c *goredis.Conn, mine []*attempt, outcomes []engine.Outcome) Class {
	asExpected, err := s.watch(ctx, c, mine)
	if err == nil && asExpected {
		return s.store(ctx, c, mine, outcomes)
	}
	// The connection serves others next.
	if lost := c.Do(context.WithoutCancel(ctx), "UNWATCH").Err(); err == nil {
		err = lost
	}
	for _, a := range mine {
		a.err = err
	}
	if class := Classify(err); class.Heals() {
		return class
	}
	return None // the script will say it again, of what it concerns
}

// watch reports whether the shards are as our last commits left them, and has the server
// refuse the transaction that follows once they no longer are.
func (s *Store) watch(ctx context.Context, c *goredis.Conn, mine []*attempt) (bool, error) {
	p := c.Pipeline()
	watch := make([]any, 1, 1+len(mine))
	for _, a := range mine {
		watch = append(watch, &a.encoded.keys[keyToken-1])
	}
	get := slices.Clone(watch)
	watch[0], get[0] = "WATCH", "MGET"
	p.Do(ctx, watch...)
	tokens := goredis.NewRawCmd(ctx, get...)
	_ = p.Process(ctx, tokens) // it cannot fail
	for _, a := range mine {
		for _, place := range a.encoded.unseen {
			_ = p.Process(ctx, goredis.NewIntCmd(ctx, "ZCARD", &place.key)) // fails if the key is not ours
		}
	}
	if _, err := p.Exec(ctx); err != nil {
		return false, err
	}
	stored := answers{tokens.Val()}
	if n, err := stored.array(); err != nil || n != len(mine) {
		return false, err
	}
	for _, a := range mine {
		_, token, err := stored.text()
		if err != nil && !errors.Is(err, goredis.Nil) {
			return false, err
		}
		if string(token) != a.turn.state.token {
			return false, nil
		}
		for _, place := range a.encoded.unseen {
			place.seen = true
		}
	}
	return true, nil
}

// store stores the steps in one transaction.
func (s *Store) store(ctx context.Context, c *goredis.Conn, mine []*attempt, outcomes []engine.Outcome) Class {
	b := s.lend()
	defer s.giveBack(b)
	ends, tokens := make([]int, len(mine)), make([]any, 1, 1+2*len(mine))
	tokens[0] = "MSET"
	for i, a := range mine {
		a.sent = true
		a.encoded.plain(b)
		ends[i] = len(b.cmds)
		tokens = append(tokens, &a.encoded.keys[keyToken-1], &a.token)
	}
	b.addAs(tokens)
	stored, err := b.transact(ctx, c.Pipeline())
	from := 0
	for i, a := range mine {
		// Where the transaction was not executed, nothing is stored.
		if a.err = err; err == nil {
			a.finish(outcomes, &stored, ends[i]-from)
		}
		from = ends[i]
		a.encoded.unplain()
	}
	if class := Classify(err); class.Heals() && !errors.Is(err, goredis.TxFailedErr) {
		return class
	}
	return None
}

// finish settles a step that was stored, by so many replies.
func (a *attempt) finish(outcomes []engine.Outcome, stored *answers, n int) {
	var refused error
	answer := []byte("ok")
	for range n {
		kind, text, err := stored.text()
		if refused == nil {
			refused = err
		}
		if kind == '$' { // only XADD says a text
			answer = append(append(answer, ' '), text...)
		}
	}
	// What was right at our last commit no longer was: others than this program write here.
	if refused != nil {
		a.fail(outcomes, &Error{Op: "commit", Class: Classify(refused), Err: refused})
		return
	}
	if err := a.settle(outcomes, string(answer)); err != nil {
		a.fail(outcomes, err)
	}
}

// plain adds the step's commands as such. Until unplain they lie where the script's
// arguments were: each name and key right before what follows them.
func (e *encoder) plain(b *bundle) {
	accounts := &e.keys[keyAccounts-1]
	if e.sets > 0 {
		e.args[e.setsAt-2], e.args[e.setsAt-1] = "HSET", accounts
		b.addAs(e.args[e.setsAt-2 : e.setsAt+2*e.sets])
	}
	if removals := e.setsAt + 2*e.sets; e.removals > 0 {
		b.addAs(append([]any{"HDEL", accounts}, e.args[removals:removals+e.removals]...))
	}
	for _, c := range e.commands {
		e.args[c.at-2], e.args[c.at-1] = e.args[c.at-3], &e.keys[c.key-1]
		b.addAs(e.args[c.at-2 : c.at+c.n])
	}
}

// unplain puts the script's arguments back.
func (e *encoder) unplain() {
	e.args[e.setsAt-2], e.args[e.setsAt-1] = numeral(e.sets), numeral(e.removals)
	for _, c := range e.commands {
		e.args[c.at-2], e.args[c.at-1] = numeral(c.key), numeral(c.n)
	}
}
