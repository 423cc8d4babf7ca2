package redis

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
	"tidemark/pkg/failpoint"
	"tidemark/pkg/store"
)

// errBehind is the cause of a step that was not tried because one before it in
// the same shard has no outcome.
var errBehind = errors.New("an earlier step of the shard has no outcome")

// pendingAttempt is an attempt whose outcome is unknown: the same step, repeated,
// takes its number again, so that the server can tell.
type pendingAttempt struct {
	number uint64
	token  string
	digest [sha256.Size]byte
}

// attempt is one step on its way. All its sendings carry the same number and token.
type attempt struct {
	step    int // its place in the call
	moves   []engine.Move
	turn    *turn
	encoded *encoder
	number  uint64
	token   string
	again   bool // it was sent in an earlier call
	sent    bool
	settled bool
	check   bool  // Step.Check
	err     error // of the last sending
	header  [headerSize]string
}

// turn is one shard's part of a call of Commit.
type turn struct {
	shard    int
	state    *shardState
	attempts []*attempt
	// disturbed: a step of this call ended otherwise than plainly stored. What
	// comes after it is checked account by account, in this call and the next.
	disturbed bool
}

// Commit implements engine.Store. All steps go in one pipelined round trip; those
// of one shard take effect in their order. After an error that may heal the steps
// without an outcome are sent again, Config.Retries times and while ctx lasts.
func (s *Store) Commit(ctx context.Context, steps []engine.Step) []engine.Outcome {
	outcomes := make([]engine.Outcome, len(steps))
	turns := s.begin(steps, outcomes)
	defer s.end(turns, outcomes)
	if err := s.prepare(ctx, turns, steps); err != nil {
		for _, t := range turns {
			for _, a := range t.attempts {
				a.fail(outcomes, err)
			}
		}
		return outcomes
	}
	send := s.plainly
	for tries := 0; ; {
		batch := nextBatch(turns)
		if len(batch) == 0 {
			return outcomes
		}
		heals := send(ctx, batch, outcomes)
		send = s.round
		if heals == None {
			continue
		}
		if !s.again(ctx, heals, tries) {
			giveUp(turns, outcomes)
			return outcomes
		}
		tries++
	}
}

// begin groups the steps by shard and locks the shards.
func (s *Store) begin(steps []engine.Step, outcomes []engine.Outcome) []*turn {
	byShard := map[int]*turn{}
	var turns []*turn
	for i, step := range steps {
		if _, err := s.shard(step.Shard); err != nil {
			outcomes[i] = engine.Outcome{Result: engine.Failed, Err: fmt.Errorf("commit: %w", err)}
			continue
		}
		if err := store.CheckStep(step); err != nil {
			outcomes[i] = engine.Outcome{Result: engine.Failed, Err: &Error{Op: "commit", Class: Other, Err: err}}
			continue
		}
		t := byShard[step.Shard]
		if t == nil {
			t = &turn{shard: step.Shard, state: &s.states[step.Shard]}
			byShard[step.Shard] = t
			turns = append(turns, t)
		}
		t.attempts = append(t.attempts, &attempt{step: i, turn: t, check: step.Check})
	}
	slices.SortFunc(turns, func(a, b *turn) int { return a.shard - b.shard })
	for _, t := range turns {
		t.state.mu.Lock()
	}
	return turns
}

// prepare encodes the steps and numbers them.
func (s *Store) prepare(ctx context.Context, turns []*turn, steps []engine.Step) error {
	if err := s.upToDate(ctx); err != nil {
		return err
	}
	listed, err := s.listedTiers(ctx, steps)
	if err != nil {
		return err
	}
	made := strconv.FormatInt(time.Now().UnixMilli(), 10)
	for _, t := range turns {
		for _, a := range t.attempts {
			a.moves = steps[a.step].Moves
			a.encoded = t.state.encoder()
			a.encoded.encode(steps[a.step], s.keys.shards[t.shard], t.state, listed[t.shard])
			a.number, a.token = t.state.numberFor(a.encoded)
			if a.again = a.token != ""; !a.again {
				a.token = s.process + ":" + strconv.FormatUint(a.number, 10) + ":" + made
			}
		}
	}
	return nil
}

// numberFor gives a repeated step the number and the token that it had, and any other a
// new number. Numbers grow in the order of sending: after the first difference nothing is a
// repeat.
func (st *shardState) numberFor(e *encoder) (number uint64, token string) {
	if len(st.pending) > 0 {
		if first := st.pending[0]; first.digest == e.digest() {
			st.pending = st.pending[1:]
			return first.number, first.token
		}
		st.pending = nil
	}
	st.number++
	return st.number, ""
}

// listedTiers reads which tiers have listings, for the shards where an account is
// removed. Read before the commit it is complete for every account whose version
// then still holds: entering a tier is a write of the account.
func (s *Store) listedTiers(ctx context.Context, steps []engine.Step) (map[int][]string, error) {
	replies := map[int]*goredis.StringSliceCmd{}
	for _, step := range steps {
		if slices.ContainsFunc(step.Writes, func(w engine.Write) bool { return w.State == nil }) {
			replies[step.Shard] = nil
		}
	}
	if len(replies) == 0 {
		return nil, nil
	}
	err := s.pipe(ctx, "commit: read the listed tiers", func(p goredis.Pipeliner) {
		for shard := range replies {
			if k, err := s.shard(shard); err == nil {
				replies[shard] = p.SMembers(ctx, k.tiers)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	listed := map[int][]string{}
	for shard, reply := range replies {
		if reply != nil {
			listed[shard] = reply.Val()
		}
	}
	return listed, nil
}

// nextBatch is what is still without an outcome, with headers for this round.
func nextBatch(turns []*turn) []*attempt {
	var batch []*attempt
	for _, t := range turns {
		after, ours := "", t.state.token
		check := ""
		if t.state.check || t.disturbed {
			check = "1"
		}
		for _, a := range t.attempts {
			if a.settled {
				continue
			}
			if a.check {
				check = "1"
			}
			number := strconv.FormatUint(a.number, 10)
			a.header = [headerSize]string{argNumber: number, argAfter: after, argOurs: ours, argToken: a.token, argCheck: check}
			batch = append(batch, a)
			after, ours = number, a.token
		}
	}
	return batch
}

// round sends a batch once and settles what got an answer. It returns the class
// of an error after which the rest may be sent again, or None.
func (s *Store) round(ctx context.Context, batch []*attempt, outcomes []engine.Outcome) Class {
	p := s.client.Pipeline()
	replies := make([]*goredis.Cmd, len(batch))
	for i, a := range batch {
		a.sent = true
		for n := range a.header {
			a.encoded.args[n] = &a.header[n]
		}
		replies[i] = p.EvalSha(ctx, s.scripts.commit.sha, a.encoded.keys, a.encoded.args...)
	}
	failpoint.Hit(failpoint.BeforeCommit)
	_, _ = p.Exec(ctx) // each command has its own error
	failpoint.Hit(failpoint.AfterCommit)
	heals := None
	for i, a := range batch {
		reply, err := replies[i].Text()
		if err == nil {
			err = a.settle(outcomes, reply)
		}
		a.err = err
		switch class := Classify(err); {
		case class.Heals():
			heals = class
		case class != None:
			a.fail(outcomes, &Error{Op: "commit", Class: class, Err: err})
		}
	}
	return heals
}

// settle turns the script's answer into the outcome.
func (a *attempt) settle(outcomes []engine.Outcome, reply string) error {
	reply, appended, _ := strings.Cut(reply, " ")
	answer, shared := strings.CutSuffix(reply, "!")
	out := engine.Outcome{Shared: shared}
	state := a.turn.state
	behind := state.tail
	if answer != "skip" {
		state.tail = "" // unless this step tells
	}
	switch answer {
	case "skip": // the step before has no outcome, or not the one hoped for: next round
		return nil
	case "ok", "done":
		state.token = a.token
		if shared {
			state.token += "!"
		}
		out.Overwritten = shared && answer == "done"
		switch {
		case appended != "":
			out.Appended = strings.Split(appended, " ")
			if state.tail = out.Appended[len(out.Appended)-1]; !shared {
				out.Behind = behind
			}
		case answer == "ok" && !shared && a.encoded.appends == 0:
			state.tail = behind
		}
	case "moved":
		out.Shared, out.Overwritten = true, true
	case "stale":
		out.Result = engine.Stale
	case "conflict":
		out.Result, out.Shared = engine.Conflict, true
	default:
		return unexpected(reply)
	}
	if out.Result != engine.OK || out.Shared {
		a.turn.disturbed = true
		state.doubt()
	} else {
		state.moved(a.moves)
	}
	a.settled = true
	outcomes[a.step] = out
	return nil
}

// fail settles a without knowing whether it took effect.
func (a *attempt) fail(outcomes []engine.Outcome, err error) {
	a.settled, a.turn.disturbed = true, true
	a.turn.state.tail = ""
	a.turn.state.doubt()
	outcomes[a.step] = engine.Outcome{Result: engine.Failed, Err: err}
}

func giveUp(turns []*turn, outcomes []engine.Outcome) {
	for _, t := range turns {
		for _, a := range t.attempts {
			if a.settled {
				continue
			}
			err := a.err
			if err == nil {
				err = errBehind
			}
			a.fail(outcomes, &Error{Op: "commit", Class: Classify(err), Err: err})
		}
	}
}

// end remembers what the next call needs, and unlocks the shards.
func (s *Store) end(turns []*turn, outcomes []engine.Outcome) {
	for _, t := range turns {
		var unknown []pendingAttempt
		for _, a := range t.attempts {
			if a.sent && outcomes[a.step].Result == engine.Failed {
				unknown = append(unknown, pendingAttempt{a.number, a.token, a.encoded.digest()})
			}
		}
		for _, a := range t.attempts {
			if a.encoded != nil && a.encoded.free() {
				t.state.spare = a.encoded
			}
		}
		t.state.pending = append(unknown, t.state.pending...)
		t.state.check = t.disturbed
		t.state.mu.Unlock()
	}
	s.stats.committed(outcomes)
}

// unexpected is the error for an answer that commit.lua never gives.
func unexpected(reply string) error {
	return &Error{Op: "read the answer", Class: Other, Err: fmt.Errorf("unexpected %q", reply)}
}
