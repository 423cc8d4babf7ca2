package engine_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"tidemark/pkg/engine"
	"tidemark/pkg/offline"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

// partitions of the random histories; the last one is of profiles.
var partitions = []engine.Partition{{Topic: "engagement", ID: 0}, {Topic: "engagement", ID: 1}, {Topic: "intent", ID: 0}, profiles}

// Two engines share a store. Steps and reads fail before and after their effects,
// partitions go from one engine to the other and come back as zombies, engines
// crash in the middle of a round. The end is as if one program had read the
// history from a file: the same states, and every crossing once, with the same bytes.
func TestTwoEnginesEndAsOneFileDoes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 11))
			log := drawLog(r, 150+r.IntN(250))
			until := log[len(log)-1].Event.Time + 12*day
			endAsOneFileDoes(t, r, spec(), log, until)
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

func endAsOneFileDoes(t *testing.T, r *rand.Rand, s scoring.Spec, log []engine.Input, until int64) {
	changes, scores := score(t, s, log, until)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, r, s, log)
		w.told = true
		w.live(until)
		sameOutbox(t, rawOutbox(t, w.memory), changes)
		w.sameScores(scores, until)
	})
}

// drawLog draws a history in order of time, spread over the partitions.
func drawLog(r *rand.Rand, n int) []engine.Input {
	var out []engine.Input
	next := map[engine.Partition]int64{}
	at := start
	for range n {
		at += 1 + r.Int64N([]int64{1000, hour, 9 * hour, 2 * day}[r.IntN(4)])
		firm := fmt.Sprintf("firm%d.example", r.IntN(12))
		p := partitions[r.IntN(3)]
		var in engine.Input
		switch k := r.IntN(20); {
		case k == 0:
			p = profiles
			in = profile(p, next[p], firm, at)
			in.Event.Profile.Attributes = map[string]any{"large": r.IntN(2) == 0}
		case k == 1:
			p = profiles
			in = profile(p, next[p], firm, at)
			in.Event.Kind, in.Event.Profile = scoring.KindTombstone, nil
		case k == 2:
			in = input(p, next[p], &scoring.Event{Type: "other", Account: firm, Time: at})
		case k < 8:
			in = demo(p, next[p], firm, at)
		default:
			in = visit(p, next[p], firm, at)
			in.Event.Contact = &scoring.Contact{ID: fmt.Sprint(r.IntN(4)), Role: fmt.Sprint("role", r.IntN(3))}
		}
		if k := r.IntN(15); k == 0 && len(out) > 5 && in.Event.Kind == scoring.KindEvent { // the producer repeats itself
			if before := out[len(out)-1-r.IntN(5)].Event; before.Kind == scoring.KindEvent {
				in.Event.ID, in.Event.Account = before.ID, before.Account
			}
		}
		if len(out) > 0 {
			in.Event.Arrived = out[len(out)-1].Event.Time // as offline has it
		}
		next[p] += 1 + r.Int64N(2) // some offsets hold nothing
		out = append(out, in)
	}
	return out
}

// score is what a sequential run over the history gives.
func score(t *testing.T, s scoring.Spec, log []engine.Input, until int64) (changes map[string][]string, scores map[string]offline.Score) {
	t.Helper()
	spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close() //nolint:errcheck // a temporary file
	runner := offline.New(compile(t, s), until, lines{}, spool)
	for _, in := range log {
		if err := runner.Event(in.Event); err != nil && !errors.As(err, new(*offline.Refusal)) {
			t.Fatal(err)
		}
	}
	changes, scores = map[string][]string{}, map[string]offline.Score{}
	_, err = runner.Finish(func(value []byte) error {
		var l line
		if err := unmarshal(value, &l); err != nil {
			return err
		}
		changes[l.Account] = append(changes[l.Account], string(value))
		return nil
	}, func(s offline.Score) error {
		scores[s.Account] = s
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for account := range changes {
		slices.SortFunc(changes[account], func(a, b string) int { return cmp.Compare(seqOf(t, a), seqOf(t, b)) })
	}
	return changes, scores
}

// world is two engines on one store and the log that they read.
type world struct {
	t      *testing.T
	r      *rand.Rand
	log    []engine.Input
	memory *memory.Store
	model  *scoring.Model
	past   engine.Past

	engines [2]*engine.Engine
	stores  [2]*faulty
	owner   map[engine.Partition]int
	done    int  // inputs of the log that are stored
	odds    int  // a call in so many fails
	calm    bool // no more faults
	told    bool // an engine knows at once of what the other merged
	losing  bool // a node is set back now and then
	setBack func()
	changes []change // of the model, still to come
	still   bool     // all stand still until each account is under the new one
	lost    bool
	dice    sync.Mutex
}

func newWorld(t *testing.T, r *rand.Rand, s scoring.Spec, log []engine.Input) *world {
	w := &world{t: t, r: r, log: log, memory: memory.New(shards), model: compile(t, s), owner: map[engine.Partition]int{}, odds: 8 + r.IntN(30)}
	for _, p := range partitions {
		w.owner[p] = r.IntN(2)
	}
	for i := range w.engines {
		w.boot(i)
		w.takeOver(i)
	}
	return w
}

// boot makes engine i anew, as after a crash.
func (w *world) boot(i int) {
	w.stores[i] = &faulty{Store: w.memory.Peer(), step: func(engine.Step) faultKind { return w.fault() }, read: func(string) error {
		if w.one(w.odds) {
			return errFlaky
		}
		return nil
	}}
	w.engines[i] = setup{
		memory: w.memory, store: w.stores[i], model: w.model, lanes: 1 + i, accounts: 4,
		// Now and then both own a shard, or none.
		hooks: engine.Hooks{Owns: func(int) bool { return !w.one(3) }},
	}.engine(w.t)
	w.engines[i].Inherit(w.past)
}

// one is true once in n times, and never in calm. Lanes roll at the same time, so
// a seed draws the same log but not the same faults.
func (w *world) one(n int) bool {
	w.dice.Lock()
	defer w.dice.Unlock()
	return !w.calm && w.r.IntN(n) == 0
}

func (w *world) fault() faultKind {
	w.dice.Lock()
	defer w.dice.Unlock()
	if w.calm || w.r.IntN(w.odds) > 0 {
		return fine
	}
	return faultKind(1 + w.r.IntN(int(diesAfter)))
}

// live reads the log to its end and sweeps until an instant.
func (w *world) live(until int64) {
	for w.done < len(w.log) {
		if w.losing {
			w.lose()
		}
		if len(w.changes) > 0 && w.done >= w.changes[0].after {
			w.change()
		}
		switch {
		case w.one(25):
			w.rebalance()
		case w.one(25):
			i := w.r.IntN(2)
			w.boot(i)
			w.takeOver(i)
		case w.one(12):
			w.checkpoint(w.r.IntN(2))
		case w.past.Epoch > 0 && w.one(3):
			w.rescore(w.r.IntN(2))
		case w.one(12):
			w.sweep(w.r.IntN(2), w.log[max(w.done-1, 0)].Event.Time)
		default:
			w.step()
		}
	}
	w.calm = true
	for i := range w.engines {
		w.takeOver(i)
		w.survive(i, rescore(w.engines[i], w.memory))
		if err := w.engines[i].RefreshDue(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.sweep(i, until)
	}
}

// step lets the owner of the next input apply it, with those behind it that are
// its own too.
func (w *world) step() {
	owner := w.owner[w.log[w.done].Partition]
	most := w.upTo(w.done + 1 + w.r.IntN(20))
	end := w.done + 1
	for end < most && w.owner[w.log[end].Partition] == owner {
		end++
	}
	r := w.round(w.log[w.done:end])
	r.Everywhere = w.one(10)
	if w.told {
		if err := w.engines[owner].Learn(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.done = end // an engine that dies of it reads up to here again
	w.survive(owner, w.engines[owner].Process(w.t.Context(), r))
}

// survive boots an engine that died, and lets it do again what is its own.
func (w *world) survive(i int, err error) {
	for attempt := 0; err != nil; attempt++ {
		if !fatal(err) || attempt > 100 {
			w.t.Fatalf("engine %d: %v", i, err)
		}
		w.boot(i)
		err = w.again(i)
	}
}

func (w *world) takeOver(i int) { w.survive(i, w.again(i)) }

// again assigns to an engine what it owns and lets it read from there to where
// the log is done.
func (w *world) again(i int) error {
	e := w.engines[i]
	bounds := map[engine.Partition]engine.Bounds{}
	for _, p := range partitions {
		if w.owner[p] == i {
			bounds[p] = engine.Bounds{End: math.MaxInt64}
		}
	}
	from, err := e.Assign(w.t.Context(), nil, bounds)
	if err != nil {
		return err
	}
	var inputs []engine.Input
	for _, in := range w.log[:w.done] {
		if first, ours := from[in.Partition]; ours && in.Offset >= first {
			inputs = append(inputs, in)
		}
	}
	if len(inputs) == 0 {
		return nil
	}
	return e.Process(w.t.Context(), w.round(inputs))
}

// rebalance gives a partition to the other engine, while the one before is in the
// middle of a round of it, and still tries to finish that.
func (w *world) rebalance() {
	p := partitions[w.r.IntN(len(partitions))]
	before := w.owner[p]
	w.owner[p] = 1 - before
	zombie := w.engines[before]
	end := w.done
	for end < w.upTo(w.done+10) && w.log[end].Partition == p {
		end++
	}
	late := w.log[max(w.done-5, 0):end]
	late = slices.DeleteFunc(slices.Clone(late), func(in engine.Input) bool { return in.Partition != p })
	finish := func() {
		if w.told && zombie.Learn(w.t.Context()) != nil {
			return
		}
		if len(late) > 0 {
			// Whatever comes of it: the process ends or the assignment does.
			_ = zombie.Process(w.t.Context(), w.round(late))
			_, _ = zombie.Checkpoint(w.t.Context(), nil)
		}
	}
	if w.one(2) {
		finish()
		w.takeOver(1 - before)
	} else {
		w.takeOver(1 - before)
		finish()
	}
	w.boot(before)
	w.takeOver(before)
}

func (w *world) checkpoint(i int) {
	_, err := w.engines[i].Checkpoint(w.t.Context(), nil)
	w.survive(i, err)
}

func (w *world) rescore(i int) {
	_, err := w.engines[i].Rescore(w.t.Context(), w.memory)
	w.survive(i, err)
}

func (w *world) sweep(i int, watermark int64) {
	w.survive(i, w.engines[i].Process(w.t.Context(), engine.Round{Watermark: w.level(watermark)}))
}

func (w *world) round(inputs []engine.Input) engine.Round {
	r := round(clones(inputs)...)
	r.Watermark = w.level(r.Watermark)
	return r
}

// upTo bounds how much of the log is applied under the present model.
func (w *world) upTo(end int) int {
	if len(w.changes) > 0 {
		end = min(end, w.changes[0].after)
	}
	return min(end, len(w.log))
}

// level is a watermark that does not pass the instant of a change of the model to come.
func (w *world) level(watermark int64) int64 {
	if len(w.changes) > 0 {
		return min(watermark, w.changes[0].at)
	}
	return watermark
}

// sameScores wants every account to stand as a sequential run left it.
func (w *world) sameScores(want map[string]offline.Score, until int64) {
	w.t.Helper()
	for name, s := range want {
		a := account(w.t, w.memory, w.model, name)
		if a == nil {
			w.t.Errorf("%s is not stored, want %+v", name, s)
			continue
		}
		if got := w.model.Score(a, until); w.model.Tier(a) != s.Tier || a.Seq != s.Seq || a.Clock != s.Clock || math.Abs(got-s.Score) > 1e-9 {
			w.t.Errorf("%s: got %s seq %d score %v clock %d, want %+v", name, w.model.Tier(a), a.Seq, got, a.Clock, s)
		}
	}
}
