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
	turn    *turn
	encoded *encoder
	number  uint64
	token   string
	again   bool // it was sent in an earlier call
	sent    bool
	settled bool
	check   bool     // Step.Check
	err     error    // of the last sending
	checked bool     // its versions are to be compared
	after   *attempt // the step before it, where that has no outcome yet
	header  [headerSize]string
}

// turn is one shard's part of a call of Commit. Its memory is the shard's, for one call
// after the other.
type turn struct {
	shard    int
	state    *shardState
	attempts []attempt
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
			for i := range t.attempts {
				t.attempts[i].fail(outcomes, err)
			}
		}
		return outcomes
	}
	batch := make([]*attempt, 0, len(steps))
	send := s.plainly
	for tries := 0; ; {
		batch = nextBatch(batch[:0], turns)
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
	shards := make([]int, 0, len(steps))
	for i := range steps {
		step := &steps[i]
		if _, err := s.shard(step.Shard); err != nil {
			outcomes[i] = engine.Outcome{Result: engine.Failed, Err: fmt.Errorf("commit: %w", err)}
			continue
		}
		if err := store.CheckStep(*step); err != nil {
			outcomes[i] = engine.Outcome{Result: engine.Failed, Err: &Error{Op: "commit", Class: Other, Err: err}}
			continue
		}
		shards = append(shards, step.Shard)
	}
	slices.Sort(shards)
	shards = slices.Compact(shards)
	turns := make([]*turn, len(shards))
	for i, shard := range shards {
		state := &s.states[shard]
		state.mu.Lock()
		turns[i] = &state.turn
		state.turn = turn{shard: shard, state: state, attempts: state.turn.attempts[:0]}
	}
	for i := range steps {
		if outcomes[i].Err == nil {
			t := &s.states[steps[i].Shard].turn
			t.attempts = append(t.attempts, attempt{step: i, turn: t, check: steps[i].Check})
		}
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
	now := time.Now().UnixMilli()
	var token [64]byte
	for _, t := range turns {
		for i := range t.attempts {
			a := &t.attempts[i]
			a.encoded = s.encoder()
			a.encoded.encode(&steps[a.step], &s.keys.shards[t.shard], t.state, listed[t.shard])
			a.number, a.token = t.state.numberFor(a.encoded)
			if a.again = a.token != ""; !a.again {
				text := append(append(token[:0], s.process...), ':')
				text = append(strconv.AppendUint(text, a.number, 10), ':')
				a.token = string(strconv.AppendInt(text, now, 10))
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
	for i := range steps {
		if removes(&steps[i]) {
			replies[steps[i].Shard] = nil
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

// removes reports whether a step removes accounts.
func removes(step *engine.Step) bool {
	for i := range step.Writes {
		if step.Writes[i].State == nil {
			return true
		}
	}
	return false
}

// nextBatch is what is still without an outcome.
func nextBatch(batch []*attempt, turns []*turn) []*attempt {
	for _, t := range turns {
		var after *attempt
		check := t.state.check || t.disturbed
		for i := range t.attempts {
			a := &t.attempts[i]
			if a.settled {
				continue
			}
			check = check || a.check
			a.after, a.checked = after, check
			batch = append(batch, a)
			after = a
		}
	}
	return batch
}

// head is what the script is told before the step itself.
func (a *attempt) head() [headerSize]string {
	out := [headerSize]string{argNumber: strconv.FormatUint(a.number, 10), argOurs: a.turn.state.token, argToken: a.token}
	if a.after != nil {
		out[argAfter], out[argOurs] = strconv.FormatUint(a.after.number, 10), a.after.token
	}
	if a.checked {
		out[argCheck] = "1"
	}
	return out
}

// round sends a batch once and settles what got an answer. It returns the class
// of an error after which the rest may be sent again, or None.
func (s *Store) round(ctx context.Context, batch []*attempt, outcomes []engine.Outcome) Class {
	p := s.client.Pipeline()
	replies := make([]*goredis.Cmd, len(batch))
	for i, a := range batch {
		a.sent = true
		a.header = a.head()
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
		a.encoded.moved()
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
		for i := range t.attempts {
			a := &t.attempts[i]
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
		for i := range t.attempts {
			if a := &t.attempts[i]; a.sent && outcomes[a.step].Result == engine.Failed {
				unknown = append(unknown, pendingAttempt{a.number, a.token, a.encoded.digest()})
			}
		}
		for i := range t.attempts {
			if e := t.attempts[i].encoded; e != nil && e.free() {
				s.encoders.Put(e)
			}
		}
		if len(unknown) > 0 {
			t.state.pending = append(unknown, t.state.pending...)
		}
		t.state.check = t.disturbed
		clear(t.attempts)
		t.state.mu.Unlock()
	}
	s.stats.committed(outcomes)
}

// unexpected is the error for an answer that commit.lua never gives.
func unexpected(reply string) error {
	return &Error{Op: "read the answer", Class: Other, Err: fmt.Errorf("unexpected %q", reply)}
}
