package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"tidemark/pkg/engine"
	"tidemark/scoring"
)

// Two engines read within a lead of each other, each merging its own partitions by time,
// while half of the shards are set back among merges, or nothing is, and engines die in the
// middle of their rounds. Merges come in a topic of their own, as they do with profiles.
func TestMergesOutliveASetBackWhereEnginesLead(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 14))
			log := amongProfiles(treeOfMerges(r, drawLog(r, 100+r.IntN(120))))
			until := log[len(log)-1].Event.Time
			s := faint()
			s.Identity.Late = false
			_, scores := score(t, s, log, until)
			synctest.Test(t, func(t *testing.T) {
				w := &readers{world: newWorld(t, r, s, log), read: map[engine.Partition]int{}, lead: scoring.Hour / 2}
				w.losing = seed%4 > 0
				w.live(until)
				w.countedAll(scores, until)
			})
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

// amongProfiles moves the merges of a log into the partition of profiles.
func amongProfiles(log []engine.Input) []engine.Input {
	next := map[engine.Partition]int64{}
	for i := range log {
		in := &log[i]
		if in.Event.Kind == scoring.KindMerge {
			in.Partition = profiles
		}
		in.Offset = next[in.Partition]
		next[in.Partition]++
	}
	return log
}

// readers is a world whose engines read on their own, as instances do.
type readers struct {
	*world
	lead  int64
	read  map[engine.Partition]int      // from where in the log on it is not read
	ahead [2]map[engine.Partition]int64 // fences that an engine waits for
}

// live reads the log to its end and sweeps until an instant.
func (w *readers) live(until int64) {
	for w.waits() {
		i := w.r.IntN(2)
		switch {
		case w.losing && w.one(6):
			w.setBack = w.memory.Save(node...)
		case w.losing && w.setBack != nil && w.one(40):
			w.setBack()
			w.losing = false
			w.begin(0)
			w.begin(1)
		case w.one(40):
			w.begin(i)
		case w.one(12):
			w.checkpoint(i)
		default:
			w.step(i)
		}
	}
	w.calm = true
	for i, e := range w.engines {
		w.survive(i, e.Process(w.t.Context(), engine.Round{Watermark: until}))
	}
}

// waits reports whether something is to be read. No engine dies over the last of it.
func (w *readers) waits() bool {
	left := 0
	for i := range w.engines {
		if w.next(i, nil) < len(w.log) {
			left++
		}
	}
	w.calm = w.calm || left == 0
	return left > 0
}

// begin has an engine begin anew, as after a crash.
func (w *readers) begin(i int) {
	w.boot(i)
	bounds := map[engine.Partition]engine.Bounds{}
	for _, p := range partitions {
		if w.owner[p] == i {
			bounds[p] = engine.Bounds{End: math.MaxInt64}
		}
	}
	from, err := w.engines[i].Assign(w.t.Context(), nil, bounds)
	if err != nil {
		w.survive(i, err)
		return
	}
	w.ahead[i] = w.engines[i].Fences()
	for p, at := range from {
		for k, in := range w.log[:w.read[p]] {
			if in.Partition == p && in.Offset >= at {
				w.read[p] = k
				break
			}
		}
	}
}

func (w *readers) survive(i int, err error) {
	switch {
	case err == nil:
	case fatal(err):
		w.begin(i)
	default:
		w.t.Fatalf("engine %d: %v", i, err)
	}
}

func (w *readers) checkpoint(i int) {
	_, err := w.engines[i].Checkpoint(w.t.Context(), nil)
	w.survive(i, err)
}

// next is the first input of an engine's partitions that is not read, of those only that
// are fenced if any are.
func (w *readers) next(i int, fences map[engine.Partition]int64) int {
	first := len(w.log)
	for _, p := range partitions {
		if w.owner[p] != i || len(fences) > 0 && fences[p] == 0 {
			continue
		}
		k := w.read[p]
		for k < len(w.log) && w.log[k].Partition != p {
			k++
		}
		first = min(first, k)
	}
	return first
}

// fences are those that an engine still waits for.
func (w *readers) fences(i int) map[engine.Partition]int64 {
	if past, err := w.engines[i].PastFences(w.t.Context(), w.ahead[i]); past && err == nil {
		w.ahead[i] = nil
	}
	return w.ahead[i]
}

// step lets an engine read on, as far as the other one lets it.
func (w *readers) step(i int) {
	fences, limit := w.fences(i), int64(math.MaxInt64)
	if k := w.next(1-i, w.fences(1-i)); k < len(w.log) {
		limit = w.log[k].Event.Time + w.lead
	}
	var inputs []engine.Input
	for most := 1 + w.r.IntN(20); len(inputs) < most; {
		k := w.next(i, fences)
		if k == len(w.log) || w.log[k].Event.Time > limit {
			break
		}
		inputs = append(inputs, w.log[k])
		w.read[w.log[k].Partition] = k + 1
	}
	if len(inputs) == 0 {
		w.checkpoint(i)
		return
	}
	r := w.round(inputs)
	r.Watermark, r.Everywhere = engine.UnknownWatermark, w.one(10)
	err := w.engines[i].Learn(w.t.Context())
	if err == nil {
		err = w.engines[i].Process(w.t.Context(), r)
	}
	w.survive(i, err)
}
