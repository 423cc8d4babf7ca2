package follow_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"tidemark/pkg/follow"
)

// ledger is a subscriber: it writes down what it takes. Its memory survives crashes,
// and now and then it crashes before or after a step.
type ledger struct {
	positions map[int]int64
	seen      map[string]uint64
	taken     map[string][]uint64 // by key, in order
	caught    map[string]uint64   // what was taken from the compacted topic
	missed    uint64
	crash     func() bool
}

var errCrash = errors.New("crash")

func (l *ledger) Positions(context.Context) (map[int]int64, error) {
	return maps.Clone(l.positions), nil
}

func (l *ledger) Seen(_ context.Context, keys []string) ([]uint64, error) {
	out := make([]uint64, len(keys))
	for i, key := range keys {
		out[i] = l.seen[key]
	}
	return out, nil
}

func (l *ledger) Take(_ context.Context, step follow.Step) error {
	if l.crash() {
		return errCrash
	}
	for _, e := range step.Events {
		l.taken[e.Key] = append(l.taken[e.Key], e.Seq)
		if step.Why != follow.Begun {
			l.missed += e.Missed
		}
		if e.Caught {
			l.caught[e.Key]++
		}
	}
	maps.Copy(l.seen, step.Seen)
	if step.Positions != nil {
		if l.positions == nil {
			l.positions = map[int]int64{}
		}
		maps.Copy(l.positions, step.Positions)
	}
	if l.crash() {
		return errCrash
	}
	return nil
}

// topics are a log of some partitions and what its compaction would keep.
type topics struct {
	log     map[int][]follow.Record // the first may have any offset
	next    map[int]int64
	present map[string][]byte
}

func (l *topics) Spans(context.Context) (map[int]follow.Span, error) {
	out := map[int]follow.Span{}
	for p, next := range l.next {
		span := follow.Span{First: next, Next: next}
		if len(l.log[p]) > 0 {
			span.First = l.log[p][0].Offset
		}
		out[p] = span
	}
	return out, nil
}

func (l *topics) Present(_ context.Context, use func([]byte) error) error {
	for _, key := range slices.Sorted(maps.Keys(l.present)) {
		if err := use(l.present[key]); err != nil {
			return err
		}
	}
	return nil
}

func (l *topics) append(partition int, value []byte) {
	l.log[partition] = append(l.log[partition], follow.Record{Partition: partition, Offset: l.next[partition], Value: value})
	l.next[partition]++
}

func event(key string, seq int) []byte { return fmt.Appendf(nil, `{"id":"%s/%d"}`, key, seq) }

// The log repeats events, old ones too, and loses its beginning now and then while the
// subscriber is away; the subscriber crashes at random. It takes each event once, or was
// told that it is missing, and ends where each key stands.
func TestEachEventOnceOrToldMissing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		dice := rand.New(rand.NewPCG(seed, 1))
		l := &topics{log: map[int][]follow.Record{}, next: map[int]int64{0: 0, 1: 0, 2: 0}, present: map[string][]byte{}}
		s := &ledger{seen: map[string]uint64{}, taken: map[string][]uint64{}, caught: map[string]uint64{}, crash: func() bool { return dice.IntN(12) == 0 }}
		seqs := map[string]int{}
		gaps := 0
		cfg := follow.Config{State: s, Log: l, FromBeginning: seed%2 == 0, Lost: func(*follow.GapError) error { gaps++; return nil }}
		losses := seed%4 >= 2
		for range 40 {
			for range dice.IntN(20) {
				n := dice.IntN(9)
				key := fmt.Sprintf("acme/%d.example", n)
				if seqs[key] > 0 && dice.IntN(4) == 0 {
					l.append(n%3, event(key, 1+dice.IntN(seqs[key])))
					continue
				}
				seqs[key]++
				l.append(n%3, event(key, seqs[key]))
				l.present[key] = event(key, seqs[key])
			}
			if losses && dice.IntN(5) == 0 {
				p := dice.IntN(3)
				l.log[p] = l.log[p][dice.IntN(len(l.log[p])+1):]
			}
			run(t, cfg, l, dice, 3)
		}
		s.crash = func() bool { return false }
		run(t, cfg, l, dice, 1<<20)
		for key, last := range seqs {
			if s.seen[key] != uint64(last) {
				t.Errorf("seed %d: %s stands at %d, want %d", seed, key, s.seen[key], last)
			}
			if !slices.IsSorted(s.taken[key]) || len(slices.Compact(slices.Clone(s.taken[key]))) != len(s.taken[key]) {
				t.Errorf("seed %d: %s was taken as %v", seed, key, s.taken[key])
			}
			if full := len(s.taken[key]) == last; !full && !losses && cfg.FromBeginning {
				t.Errorf("seed %d: %s was taken as %v, want 1 to %d", seed, key, s.taken[key], last)
			}
		}
		if !losses && s.missed > 0 {
			t.Errorf("seed %d: %d events are said to be missing, %d gaps, and nothing was lost", seed, s.missed, gaps)
		}
	}
}

// run follows until it has read so many batches, or all there is, or crashes.
func run(t *testing.T, cfg follow.Config, l *topics, dice *rand.Rand, batches int) {
	t.Helper()
	f, err := follow.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	at, err := f.Begin(t.Context())
	for ; err == nil && batches > 0; batches-- {
		var batch []follow.Record
		for p := range 3 {
			n := 1 + dice.IntN(5)
			for _, r := range l.log[p] {
				if r.Offset >= at[p] && n > 0 {
					batch = append(batch, r)
					at[p] = r.Offset + 1
					n--
				}
			}
		}
		if len(batch) == 0 {
			return
		}
		err = f.Take(t.Context(), batch)
	}
	if err != nil && !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
}

func newLedger() *ledger {
	return &ledger{seen: map[string]uint64{}, taken: map[string][]uint64{}, caught: map[string]uint64{}, crash: func() bool { return false }}
}

func newTopics() *topics {
	return &topics{log: map[int][]follow.Record{}, next: map[int]int64{0: 0}, present: map[string][]byte{}}
}

func TestJumpIsToldAndCaughtUp(t *testing.T) {
	t.Parallel()
	l, s := newTopics(), newLedger()
	var gaps []error
	f, err := follow.New(follow.Config{State: s, Log: l, FromBeginning: true, Lost: func(g *follow.GapError) error { gaps = append(gaps, g); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.append(0, event("a", 1))
	l.append(0, event("b", 1))
	l.append(0, event("a", 4))
	l.append(0, event("a", 5))
	l.present["a"], l.present["b"] = event("a", 5), event("b", 3) // two of b are missing too, and nothing in the log shows it
	if err := f.Take(t.Context(), l.log[0]); err != nil {
		t.Fatal(err)
	}
	if len(gaps) != 1 || gaps[0].Error() != "a: the events 2 to 3 are missing" {
		t.Errorf("got gaps %v", gaps)
	}
	if !slices.Equal(s.taken["a"], []uint64{1, 5}) || !slices.Equal(s.taken["b"], []uint64{1, 3}) || s.missed != 4 {
		t.Errorf("got %v, %d missed", s.taken, s.missed)
	}
	var gap *follow.GapError
	refuse := follow.Config{State: newLedger(), Log: l, FromBeginning: true, Lost: func(g *follow.GapError) error { return g }}
	if f, err = follow.New(refuse); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Take(t.Context(), l.log[0]); !errors.As(err, &gap) || gap.Key != "a" || gap.From != 2 || gap.Upto != 3 {
		t.Errorf("got %v", err)
	}
}

// A log that begins behind the position was cut: what is silent since may have changed.
func TestCutLogIsCaughtUp(t *testing.T) {
	t.Parallel()
	l, s := newTopics(), newLedger()
	s.positions = map[int]int64{0: 3}
	l.next[0] = 10
	l.present["a"] = event("a", 7)
	var gaps []error
	f, err := follow.New(follow.Config{State: s, Log: l, Lost: func(g *follow.GapError) error { gaps = append(gaps, g); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	at, err := f.Begin(t.Context())
	if err != nil || at[0] != 10 || s.positions[0] != 10 || s.seen["a"] != 7 {
		t.Errorf("begins at %v (%v), stored %v, a at %d", at, err, s.positions, s.seen["a"])
	}
	if len(gaps) != 1 || gaps[0].Error() != "partition 0: the log holds nothing of the offsets 3 to 9 any more" {
		t.Errorf("got gaps %v", gaps)
	}
}

func TestUnreadableIsPassedOver(t *testing.T) {
	t.Parallel()
	l, s := newTopics(), newLedger()
	for _, value := range []string{`{"id":"a"}`, `{"id":"a/0"}`, `{"id":"/1"}`, `{"id":"a/b"}`, `[]`, ``, `{"id":"a/1"}`} {
		l.append(0, []byte(value))
	}
	bad := 0
	f, err := follow.New(follow.Config{State: s, Log: l, FromBeginning: true, Unreadable: func(follow.Record, error) { bad++ }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Take(t.Context(), l.log[0]); err != nil {
		t.Fatal(err)
	}
	if bad != 6 || s.positions[0] != 7 || !slices.Equal(s.taken["a"], []uint64{1}) {
		t.Errorf("%d unreadable, at %d, took %v", bad, s.positions[0], s.taken)
	}
}
