package engine_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

// merged says that an account went into another.
func merged(p engine.Partition, offset int64, account, into string, at int64) engine.Input {
	return input(p, offset, &scoring.Event{Kind: scoring.KindMerge, Type: "account.merged", Account: account, Order: &scoring.Order{Into: into}, Time: at})
}

// Merges and late identification end as in one file too, whatever fails on the way.
func TestTwoEnginesMergeAsOneFileDoes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 12))
			log := drawMerges(r, drawLog(r, 150+r.IntN(250)))
			s := spec()
			s.Identity.Late = seed%2 == 0
			endAsOneFileDoes(t, r, s, log, log[len(log)-1].Event.Time+12*day)
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

// drawMerges turns some of a log's inputs into merges, and gives some profiles domains.
func drawMerges(r *rand.Rand, log []engine.Input) []engine.Input {
	firm := func() string { return fmt.Sprintf("firm%d.example", r.IntN(14)) }
	for i := range log {
		e := log[i].Event
		switch {
		case e.Kind == scoring.KindProfile && r.IntN(2) == 0:
			e.Profile.Domains = []string{firm(), firm()}
		case r.IntN(25) == 0:
			in := merged(log[i].Partition, log[i].Offset, e.Account, firm(), e.Time)
			if in.Event.Into() == in.Event.Account { // never comes from the codec
				in.Event.Order = &scoring.Order{Into: "other.example"}
			}
			in.Event.Arrived = e.Arrived
			log[i] = in
		}
	}
	return log
}

// Where the engines do not hear of each other's merges at once, an event may come late to
// its heir, so crossings may differ: but every event counts, and once.
func TestTwoEnginesThatHearLateOfMergesCountTheSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 13))
			log := drawMerges(r, drawLog(r, 150+r.IntN(250)))
			until := log[len(log)-1].Event.Time
			_, scores := score(t, spec(), log, until)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, r, spec(), log)
				w.live(until)
				for name, s := range scores {
					wantScore(t, w.memory, name, until, s.Score)
				}
			})
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

// A merge across shards is whole wherever a crash cuts it.
func TestAMergeIsWholeWhereverItIsCut(t *testing.T) {
	t.Parallel()
	names := apart(2)
	loser, heir := names[0], names[1]
	log := []engine.Input{
		demo(web, 0, loser, start), visit(web, 1, heir, start), merged(web, 2, loser, heir, start+hour), visit(web, 3, loser, start+2*hour),
	}
	ended := false
	for n := 0; !ended; n++ {
		for _, kind := range []faultKind{diesBefore, diesAfter} {
			s := memory.New(shards)
			var steps atomic.Int64 // asked by all lanes
			dying := setup{memory: s, store: &faulty{Store: s, step: func(engine.Step) faultKind {
				if steps.Add(1) == int64(n+1) {
					return kind
				}
				return fine
			}}}.engine(t)
			_, err := dying.Assign(t.Context(), nil, whole(web))
			if err == nil {
				err = dying.Process(t.Context(), round(clones(log)...))
			}
			ended = err == nil
			e := setup{memory: s.Peer()}.engine(t)
			from := assign(t, e, web)[web]
			process(t, e, round(clones(log[from:])...))
			want := 50*math.Exp2(-3.0/6) + 20*math.Exp2(-3.0/24) + 20*math.Exp2(-1.0/24)
			wantScore(t, s, heir, start+3*hour, want)
			wantScore(t, s, loser, start+3*hour, 0)
			if got := path(outbox(t, s)[loser]); got != "C>B event B>C merge " {
				t.Errorf("cut at step %d: the loser went %s", n, got)
			}
			if t.Failed() {
				return
			}
		}
	}
}

// A merge that can't be is refused once, before its position moves.
func TestARefusedMergeIsToldOnce(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	var told []string
	hooks := engine.Hooks{Refuse: func(_ context.Context, in *engine.Input, why string) error {
		told = append(told, fmt.Sprint(in.Offset, " ", why))
		return nil
	}}
	e := setup{memory: s, hooks: hooks}.engine(t)
	assign(t, e, web)
	log := []engine.Input{
		visit(web, 0, "a", start), merged(web, 1, "a", "b", start), merged(web, 2, "b", "a", start), merged(web, 3, "a", "b", start),
		merged(web, 4, "a", "c", start), merged(web, 5, "x", "a", start), visit(web, 6, "x", start),
	}
	process(t, e, round(clones(log)...))
	process(t, e, round(clones(log)...))
	if len(told) != 2 || !strings.HasPrefix(told[0], "2 data.into") || !strings.HasPrefix(told[1], "4 subject") {
		t.Errorf("got %q, want the cycle and the second way", told)
	}
	wantScore(t, s, "b", start, 40)
}

// What came under a bare domain goes to the account whose profile declares it, where
// the model says so, and stays there.
func TestLateIdentification(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		s, spec := memory.New(shards), spec()
		spec.Identity.Late = late
		e := setup{memory: s, model: compile(t, spec)}.engine(t)
		assign(t, e, web, profiles)
		process(t, e, round(
			guest(web, 0, "acme.example", start), profile(profiles, 0, "known.example", start), visit(web, 1, "known.example", start),
			profile(profiles, 1, "acct-42", start+1, "acme.example", "known.example", "quiet.example"),
			guest(web, 2, "acme.example", start+2), profile(profiles, 2, "acct-77", start+3, "acme.example"), guest(web, 3, "acme.example", start+4),
		))
		bare, moved := 20.0, 20.0
		if late {
			bare, moved = 0, 40
		}
		at := start + 5
		wantNear(t, s, "acme.example", at, bare)
		wantNear(t, s, "acct-42", at, moved)
		wantNear(t, s, "acct-77", at, 20)
		wantNear(t, s, "known.example", at, 20)
	}
}

// wantNear is wantScore but for what fades in milliseconds.
func wantNear(t *testing.T, s engine.Store, name string, at int64, want float64) {
	t.Helper()
	m, got := compile(t, spec()), 0.0
	if a := account(t, s, m, name); a != nil {
		got = m.Score(a, at)
	}
	if math.Abs(got-want) > 1e-3 {
		t.Errorf("score of %s: got %v, want about %v", name, got, want)
	}
}

// Engines that do not hear of each other merge accounts in a circle. One of them stays an
// account, has all that they had, and takes what comes after; the merges go on to end.
func TestACircleOfMergesIsOpened(t *testing.T) {
	t.Parallel()
	for n := 2; n <= 4; n++ {
		for _, empty := range []bool{false, true} {
			names := apart(n)
			s := memory.New(shards)
			var engines []*engine.Engine
			var rounds []engine.Round
			for i := range n {
				p := engine.Partition{Topic: "engagement", ID: i}
				inputs := []engine.Input{visit(p, 0, names[i], start), merged(p, 1, names[i], names[(i+1)%n], start), visit(p, 2, names[i], start)}
				if empty {
					inputs = inputs[1:]
				}
				rounds = append(rounds, round(inputs...))
			}
			var meet sync.WaitGroup // all have looked whom their accounts went into, before any goes
			meet.Add(n)
			var done sync.WaitGroup
			for i := range n {
				var once sync.Once
				store := &faulty{Store: s.Peer(), step: func(step engine.Step) faultKind {
					if len(step.Writes) == 1 && step.Writes[0].Account == names[i] && step.Writes[0].Tier == engine.MergedListing {
						once.Do(func() { meet.Done(); meet.Wait() })
					}
					return fine
				}}
				e := setup{memory: s, store: store, model: compile(t, faint())}.engine(t)
				assign(t, e, engine.Partition{Topic: "engagement", ID: i})
				engines = append(engines, e)
			}
			for i, e := range engines {
				done.Go(func() {
					if err := e.Process(t.Context(), rounds[i]); err != nil {
						t.Error(err)
					}
				})
			}
			done.Wait()
			stays, m := slices.Min(names), compile(t, faint())
			for _, name := range names {
				if a := account(t, s, m, name); (a.Into() == "") != (name == stays) {
					t.Errorf("%d accounts: %s went into %q, want %s to stay", n, name, a.Into(), stays)
				}
			}
			want := 0.2 * float64(n)
			if empty {
				want /= 2
			}
			if got := m.Score(account(t, s, m, stays), start); math.Abs(got-want) > 1e-9 {
				t.Errorf("score of %s: got %v, want %v", stays, got, want)
			}
			outbox(t, s) // seqs have no gaps
		}
	}
}
