package redis

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
)

var partition = engine.Partition{Topic: "in"}

// increment is a step that adds one to an account, with a message that is its own.
func increment(was uint64, moves ...engine.Move) engine.Step {
	step := on("a", was)
	step.Moves = moves
	return step
}

func on(account string, was uint64) engine.Step {
	state := strconv.FormatUint(was+1, 10)
	return engine.Step{
		Writes: []engine.Write{{Account: account, Was: was, State: []byte(state), Due: engine.KeepDue}},
		Outbox: []engine.Message{{Account: account, Value: []byte(state)}},
	}
}

func say(text string) engine.Step {
	return engine.Step{Outbox: []engine.Message{{Account: "a", Value: []byte(text)}}}
}

func moved(from, to int64) engine.Move {
	return engine.Move{Partition: partition, From: from, To: to}
}

// scene is two processes on one shard; a's commits can be lost.
type scene struct {
	t      *testing.T
	a, b   *Store
	faults *faults
}

func (c scene) commit(s *Store, step engine.Step, want engine.Result) engine.Outcome {
	c.t.Helper()
	out := s.Commit(c.t.Context(), []engine.Step{step})[0]
	if out.Result != want {
		c.t.Fatalf("got result %d (%v), want %d", out.Result, out.Err, want)
	}
	return out
}

// late delivers a copy of a's commit i and wants nothing of it.
func (c scene) late(i int, want string) {
	c.t.Helper()
	if got, err := c.faults.deliver(i); got != want {
		c.t.Errorf("late copy of commit %d: got %q (%v), want %q", i, got, err, want)
	}
}

// alone has a write the shard twice: after the first it knows that nobody else did since.
func (c scene) alone() {
	c.t.Helper()
	c.commit(c.a, increment(0, moved(0, 1)), engine.OK)
	c.commit(c.a, increment(1, moved(1, 2)), engine.OK)
}

// outbox wants exactly these messages: each effect once, in order.
func (c scene) outbox(want ...string) {
	c.t.Helper()
	entries, err := c.b.Outbox(c.t.Context(), 0, "", 100)
	if err != nil {
		c.t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, string(e.Value))
	}
	if !slices.Equal(got, want) {
		c.t.Errorf("got messages %q, want %q", got, want)
	}
}

// interleavings of a process a whose first attempt of a step times out, with a
// process b on the same shard. "executed" and "not executed" are of that attempt.
// Commits of a are numbered from 0 in the order of sending, copies included.
var interleavings = map[string]func(scene){
	"executed, repeated": func(c scene) {
		c.faults.plan(lostReply)
		c.commit(c.a, increment(0, moved(0, 1)), engine.OK)
		c.outbox("1")
	},
	"not executed, repeated, then the first arrives": func(c scene) {
		c.faults.plan(lostRequest)
		c.commit(c.a, increment(0, moved(0, 1)), engine.OK)
		c.late(0, "done!") // '!': a's first commit of all found a shard that was not its own
		c.outbox("1")
	},
	"not executed, repeated, the first arrives after a went on": func(c scene) {
		c.faults.plan(lostRequest)
		c.commit(c.a, increment(0, moved(0, 1)), engine.OK)
		c.commit(c.a, increment(1, moved(1, 2)), engine.OK)
		c.late(0, "done!")
		c.commit(c.a, increment(2, moved(2, 3)), engine.OK)
		c.outbox("1", "2", "3")
	},
	"executed, b writes, repeated": func(c scene) {
		c.faults.plan(lostReply, lostRequest, lostRequest, lostRequest)
		c.commit(c.a, increment(0), engine.Failed)
		c.commit(c.b, increment(1), engine.OK)
		if out := c.commit(c.a, increment(0), engine.OK); !out.Shared || !out.Overwritten {
			c.t.Errorf("b wrote since, but the outcome is %+v", out)
		}
		c.outbox("1", "2")
	},
	"b writes an account that a remembers, a goes on with others, then with that one": func(c scene) {
		c.commit(c.a, on("w", 0), engine.OK)
		c.commit(c.a, on("x", 0), engine.OK)
		c.commit(c.b, on("x", 1), engine.OK)
		if out := c.commit(c.a, on("w", 1), engine.OK); !out.Shared || out.Overwritten {
			c.t.Errorf("b wrote before, but the outcome is %+v", out)
		}
		c.commit(c.a, on("w", 2), engine.OK)
		old := on("x", 1)
		old.Check = true // it was read before the step that met b
		c.commit(c.a, old, engine.Conflict)
	},
	"not executed, b writes, repeated": func(c scene) {
		c.faults.plan(lostRequest, lostRequest, lostRequest, lostRequest)
		c.commit(c.a, increment(0), engine.Failed)
		c.commit(c.b, increment(0), engine.OK)
		c.commit(c.a, increment(0), engine.Conflict)
		c.late(0, "conflict")
		c.outbox("1")
	},
	"not executed, repeated, b writes, then the first arrives": func(c scene) {
		c.faults.plan(lostRequest)
		c.commit(c.a, increment(0), engine.OK)
		c.commit(c.b, increment(1), engine.OK)
		c.late(0, "done!")
		c.outbox("1", "2")
	},
	"not executed, repeated, b removes the account, then the first arrives": func(c scene) {
		c.faults.plan(lostRequest)
		c.commit(c.a, increment(0), engine.OK)
		c.commit(c.b, engine.Step{Writes: []engine.Write{{Account: "a", Was: 1}}}, engine.OK)
		c.late(0, "done!") // an erased account does not come back
		if r, err := c.b.Load(c.t.Context(), engine.Wanted{Accounts: []string{"a"}}); err != nil || r[0].Version != 0 {
			c.t.Errorf("got version %d (%v), want none", r[0].Version, err)
		}
	},
	"a message alone, executed, b writes, repeated": func(c scene) {
		c.faults.plan(lostReply, lostRequest, lostRequest, lostRequest)
		c.commit(c.a, say("a"), engine.Failed)
		c.commit(c.b, say("b"), engine.OK)
		c.commit(c.a, say("a"), engine.OK)
		c.outbox("a", "b")
		c.commit(c.a, say("a"), engine.OK) // a new one that looks the same
		c.outbox("a", "b", "a")
	},
	"given up, another step done, then the first arrives": func(c scene) {
		c.faults.plan(lostRequest, lostRequest, lostRequest, lostRequest)
		c.commit(c.a, say("given up"), engine.Failed)
		c.commit(c.a, say("other"), engine.OK)
		c.late(0, "done!")
		c.outbox("other")
	},
	"given up, then the first arrives before another step": func(c scene) {
		c.commit(c.a, increment(0, moved(0, 1)), engine.OK)
		c.faults.plan(lostRequest, lostRequest, lostRequest, lostRequest)
		c.commit(c.a, increment(1, moved(1, 2)), engine.Failed)
		c.late(1, "ok")                                        // it was a whole step and still fits
		c.commit(c.a, increment(1, moved(1, 3)), engine.Stale) // and a notices
		if out := c.commit(c.a, increment(2, moved(2, 3)), engine.OK); !out.Shared {
			c.t.Error("an attempt of unknown outcome took effect, but Shared is false")
		}
		c.outbox("1", "2", "3")
	},
	"the partition goes to b while a's step is under way": func(c scene) {
		c.faults.plan(lostRequest, lostRequest, lostRequest, lostRequest)
		c.commit(c.a, increment(0, moved(0, 10)), engine.Failed)
		c.commit(c.b, increment(0, moved(0, 7)), engine.OK)
		c.late(0, "stale!")
		c.commit(c.a, increment(0, moved(0, 10)), engine.Stale)
		c.outbox("1")
	},
	"a's step lands before b's": func(c scene) {
		c.faults.plan(lostReply, lostRequest, lostRequest, lostRequest)
		c.commit(c.a, increment(0, moved(0, 10)), engine.Failed)
		c.commit(c.b, increment(0, moved(0, 7)), engine.Stale)
		c.commit(c.b, increment(1, moved(10, 12)), engine.OK)
		c.commit(c.a, increment(0, moved(0, 10)), engine.OK)
		c.outbox("1", "2")
	},
	"two steps of one call, the reply lost": func(c scene) {
		c.faults.plan(lostReply)
		for _, out := range c.a.Commit(c.t.Context(), []engine.Step{increment(0), increment(1)}) {
			if out.Result != engine.OK {
				c.t.Errorf("got result %d (%v), want OK", out.Result, out.Err)
			}
		}
		c.outbox("1", "2")
	},
	"two steps of one call, the second arrives without the first": func(c scene) {
		c.faults.plan(lostRequest)
		out := c.a.Commit(c.t.Context(), []engine.Step{say("1"), say("2")})
		if out[0].Result != engine.OK || out[1].Result != engine.OK {
			c.t.Errorf("got %v, want OK twice", out)
		}
		c.late(1, "done!")
		c.late(0, "done!")
		c.outbox("1", "2")
	},
	"alone, not executed, repeated, then the first arrives": func(c scene) {
		c.alone()
		c.faults.plan(lostRequest)
		c.commit(c.a, increment(2, moved(2, 3)), engine.OK)
		c.late(2, "aborted")
		c.outbox("1", "2", "3")
	},
	"alone, not executed, b writes, then the first arrives": func(c scene) {
		c.alone()
		c.faults.plan(lostRequest, lostRequest, lostRequest, lostRequest)
		c.commit(c.a, increment(2), engine.Failed)
		c.commit(c.b, increment(2), engine.OK)
		c.late(2, "aborted")
		c.outbox("1", "2", "3")
	},
	"alone, given up, arrives, repeated": func(c scene) {
		c.alone()
		c.faults.plan(lostRequest, lostRequest, lostRequest, lostRequest)
		c.commit(c.a, increment(2), engine.Failed)
		c.late(2, "ok")
		c.commit(c.a, increment(2), engine.OK)
		c.outbox("1", "2", "3")
	},
	"alone when a looked, b writes the account before a does": func(c scene) {
		c.alone()
		c.faults.before = func() { c.commit(c.b, increment(2), engine.OK) }
		c.faults.plan(overtaken)
		c.commit(c.a, increment(2), engine.Conflict)
		c.outbox("1", "2", "3")
	},
	"alone when a looked, b writes another account before a does": func(c scene) {
		c.alone()
		c.faults.before = func() { c.commit(c.b, on("other", 0), engine.OK) }
		c.faults.plan(overtaken)
		if out := c.commit(c.a, increment(2), engine.OK); !out.Shared || out.Overwritten {
			c.t.Errorf("b wrote before, but the outcome is %+v", out)
		}
		c.outbox("1", "2", "1", "3")
	},
	"alone, from positions that are not those stored": func(c scene) {
		c.alone()
		c.commit(c.a, increment(2, moved(1, 3)), engine.Stale)
		c.outbox("1", "2")
	},
	"what is told of the outbox: its own entries, and behind which, where nothing lies between": func(c scene) {
		last := func() string {
			entries, err := c.b.Outbox(c.t.Context(), 0, "", 100)
			if err != nil || len(entries) == 0 {
				c.t.Fatalf("got %d entries, %v", len(entries), err)
			}
			return entries[len(entries)-1].ID
		}
		appends := func(what, behind string, step engine.Step) {
			c.t.Helper()
			out := c.commit(c.a, step, engine.OK)
			if len(out.Appended) == 0 || out.Appended[len(out.Appended)-1] != last() || out.Behind != behind {
				c.t.Errorf("%s: got %v behind %q, want those up to %q behind %q", what, out.Appended, out.Behind, last(), behind)
			}
		}
		two := say("2")
		two.Outbox = append(two.Outbox, engine.Message{Account: "a", Value: []byte("3")})
		appends("the first commit of all", "", say("1"))
		appends("two more", last(), two)
		c.commit(c.a, engine.Step{Moves: []engine.Move{moved(0, 1)}}, engine.OK)
		appends("behind a commit without messages", last(), say("4"))
		c.commit(c.b, say("5"), engine.OK)
		appends("behind another process", "", say("6"))
		appends("then", last(), say("7"))
		c.faults.plan(lostReply)
		if out := c.commit(c.a, say("8"), engine.OK); out.Appended != nil {
			c.t.Errorf("got %v from a repeat", out.Appended)
		}
		appends("behind a repeat", "", say("9"))
		c.commit(c.b, engine.Step{Moves: []engine.Move{moved(1, 2)}}, engine.OK)
		c.commit(c.a, engine.Step{Moves: []engine.Move{moved(2, 3)}}, engine.OK)
		appends("behind another process that was met before", "", say("10"))
		c.commit(c.a, engine.Step{Moves: []engine.Move{moved(0, 1)}}, engine.Stale)
		appends("behind a step that was refused", "", say("11"))
	},
}

func TestInterleavings(t *testing.T) {
	t.Parallel()
	mini, server := miniredis.RunT(t), testenv.StartRedisFor(t)
	for name, config := range map[string]func() Config{
		"miniredis": func() Config { return miniConfig(mini, nextNamespace()) },
		"redis": func() Config {
			cfg := miniConfig(mini, nextNamespace())
			cfg.Addrs, cfg.Embedded = []string{server.Addr()}, false
			return cfg
		},
	} {
		for story, play := range interleavings {
			t.Run(name+"/"+story, func(t *testing.T) {
				t.Parallel()
				cfg := config()
				cfg.Retries = 3
				a, f := openFaulty(t, cfg)
				b, _ := openFaulty(t, cfg)
				closing(t, a, b)
				play(scene{t, a, b, f})
			})
		}
	}
}

// TestSecondStepWaitsForTheFirst: of two steps in one shard the second must not
// take effect where the first did not, even if only the second arrives.
func TestSecondStepWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	cfg := miniConfig(miniredis.RunT(t), "tm")
	cfg.Retries = 0
	a, f := openFaulty(t, cfg)
	closing(t, a)
	f.plan(lostRequest)
	a.Commit(t.Context(), []engine.Step{say("1"), say("2")})
	if got, err := f.deliver(1); got != "skip" {
		t.Errorf("the second alone: got %q (%v), want skip", got, err)
	}
	for i, want := range []string{"ok!", "ok!"} { // '!' of the second: its predecessor met a shard that was not its own
		if got, err := f.deliver(i); got != want {
			t.Errorf("commit %d: got %q (%v), want %q", i, got, err, want)
		}
	}
	if depth, err := a.OutboxDepth(context.Background()); depth != 2 || err != nil {
		t.Errorf("got %d messages (%v), want 2", depth, err)
	}
}
