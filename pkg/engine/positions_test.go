package engine_test

import (
	"errors"
	"maps"
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
)

// A new partition is read from where its log begins, and every shard knows it.
func TestAFreshPartitionBeginsWhereItsLogDoes(t *testing.T) {
	t.Parallel()
	for _, first := range []int64{0, 100} {
		s := memory.New(shards)
		e := setup{memory: s}.engine(t)
		bounds := map[engine.Partition]engine.Bounds{web: {First: first, End: 1000}}
		from, err := e.Assign(t.Context(), map[engine.Partition]int64{web: -1}, bounds)
		if err != nil || from[web] != first {
			t.Fatalf("got %v, %v; want %d", from, err, first)
		}
		process(t, e, round(visit(web, first, "acme.example", start)))
		again := setup{memory: s.Peer()}.engine(t)
		if from, err = again.Assign(t.Context(), nil, bounds); err != nil || from[web] != first {
			t.Errorf("got %v, %v; want %d again, as most shards saw nothing", from, err, first)
		}
		checkpoint(t, e)
		if from, err = again.Assign(t.Context(), nil, bounds); err != nil || from[web] != first+1 {
			t.Errorf("got %v, %v; want %d after a checkpoint", from, err, first+1)
		}
	}
}

// Whoever takes over does again what only some shards stored, and nothing else.
func TestTakingOverRepeatsNothing(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	firms := apart(4)
	var inputs []engine.Input
	for i := range int64(12) {
		inputs = append(inputs, visit(web, i, firms[i%4], start))
	}
	f := &faulty{Store: s}
	e := setup{memory: s, store: f}.engine(t)
	assign(t, e, web)
	process(t, e, round(inputs[:4]...))
	f.step = func(step engine.Step) faultKind {
		if step.Shard%2 == 0 {
			return diesBefore
		}
		return fine
	}
	_ = e.Process(t.Context(), round(inputs[4:8]...)) // whether it fails is up to where the firms lie
	next := setup{memory: s.Peer()}.engine(t)
	from := assign(t, next, web)
	process(t, next, round(inputs[from[web]:]...))
	for _, name := range firms {
		wantScore(t, s, name, start, 60)
	}
	outbox(t, s)
}

// A log that no longer holds what is next, or ends before it, is refused.
func TestALogThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s}.engine(t)
	assign(t, e, web)
	process(t, e, round(visit(web, 49, "acme.example", start)))
	checkpoint(t, e)
	for _, c := range []struct {
		bounds engine.Bounds
		want   error
	}{
		{engine.Bounds{First: 51, End: 90}, engine.ErrGap},
		{engine.Bounds{First: 0, End: 49}, engine.ErrRecreated},
		{engine.Bounds{First: 50, End: 50}, nil},
	} {
		_, err := e.Assign(t.Context(), nil, map[engine.Partition]engine.Bounds{web: c.bounds})
		if !errors.Is(err, c.want) {
			t.Errorf("%+v: got %v, want %v", c.bounds, err, c.want)
		}
	}
}

// A store that knows nothing is refused where the group has read before: the seqs
// would begin again. One that only misses a new partition is not.
func TestAnEmptyStoreIsRefused(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s}.engine(t)
	_, err := e.Assign(t.Context(), map[engine.Partition]int64{web: 7}, whole(web))
	if !errors.Is(err, engine.ErrWiped) {
		t.Errorf("got %v, want %v", err, engine.ErrWiped)
	}
	// All that was read is gone from the log by now.
	_, err = e.Assign(t.Context(), map[engine.Partition]int64{web: 7}, map[engine.Partition]engine.Bounds{web: {First: 7, End: 7}})
	if !errors.Is(err, engine.ErrWiped) {
		t.Errorf("got %v, want %v", err, engine.ErrWiped)
	}
	assign(t, e, web)
	from, err := e.Assign(t.Context(), map[engine.Partition]int64{web: 0, profiles: -1}, whole(web, profiles))
	if err != nil || from[profiles] != 0 {
		t.Errorf("got %v, %v; want 0", from, err)
	}
}

// A first assignment that ended in the middle is finished by the next.
func TestAFirstAssignmentMayEndInTheMiddle(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	bounds := map[engine.Partition]engine.Bounds{web: {First: 100, End: 1000}}
	f := &faulty{Store: s, step: func(step engine.Step) faultKind {
		if step.Shard > 3 {
			return diesBefore
		}
		return fine
	}}
	if _, err := (setup{memory: s, store: f}).engine(t).Assign(t.Context(), nil, bounds); err == nil {
		t.Fatal("got no error")
	}
	e := setup{memory: s.Peer()}.engine(t)
	from, err := e.Assign(t.Context(), nil, bounds)
	if err != nil || from[web] != 100 {
		t.Fatalf("got %v, %v; want 100", from, err)
	}
	process(t, e, round(visit(web, 100, "acme.example", start)))
	if ends := checkpoint(t, e); !maps.Equal(ends, map[engine.Partition]int64{web: 101}) {
		t.Errorf("got ends %v", ends)
	}
}

// Positions that hold nothing move with a checkpoint, and dead letters are known
// to be written wherever some shard is past them.
func TestCheckpointMovesEveryShard(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s}.engine(t)
	assign(t, e, web, profiles)
	process(t, e, engine.Round{Ends: map[engine.Partition]int64{web: 7}, Watermark: engine.UnknownWatermark})
	if e.Covered(web, 6) {
		t.Error("covered before any shard moved")
	}
	if ends := checkpoint(t, e); ends[web] != 7 || ends[profiles] != 0 {
		t.Errorf("got ends %v, want 7 and 0", ends)
	}
	if !e.Covered(web, 6) || e.Covered(web, 7) {
		t.Errorf("got covered %v and %v, want 6 to be and 7 not", e.Covered(web, 6), e.Covered(web, 7))
	}
	all, err := s.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n, positions := range all {
		if positions[web] != 7 {
			t.Errorf("shard %d stands at %d, want 7", n, positions[web])
		}
	}
}

// A store that was set back under a running engine loses no event: the engine
// notices, and reads again from where the store now stands.
func TestAStoreSetBackLosesNothing(t *testing.T) {
	t.Parallel()
	live, older := memory.New(shards), memory.New(shards)
	names := apart(2)
	var inputs []engine.Input
	for i := range int64(9) {
		inputs = append(inputs, visit(web, i, names[i%2], start))
	}
	// The older store is what a replica had: the first round.
	replica := setup{memory: older}.engine(t)
	assign(t, replica, web)
	process(t, replica, round(inputs[:3]...))

	f := &faulty{Store: live}
	e := setup{memory: live, store: f}.engine(t)
	assign(t, e, web)
	process(t, e, round(inputs[:3]...))
	process(t, e, round(inputs[3:6]...))
	f.Store = older.Peer() // failover
	err := e.Process(t.Context(), round(inputs[6:]...))
	if !errors.Is(err, engine.ErrRewound) {
		t.Fatalf("got %v, want %v", err, engine.ErrRewound)
	}
	from := assign(t, e, web)
	process(t, e, round(inputs[from[web]:]...))
	wantScore(t, older, names[0], start, 90) // capped
	wantScore(t, older, names[1], start, 80)
	outbox(t, older)
}

// A store that was set back and then written by someone who had not noticed has other
// states under as many writes: who remembers an account from before must not take
// its own memory for what is stored.
func TestAStoreSetBackAndWrittenAgainIsNotTakenForTheOldOne(t *testing.T) {
	t.Parallel()
	live, older := memory.New(shards), memory.New(shards)
	name := apart(1)[0]
	first := visit(web, 0, name, start)
	replica := setup{memory: older}.engine(t)
	assign(t, replica, web)
	process(t, replica, round(first))

	f := &faulty{Store: live}
	e := setup{memory: live, store: f}.engine(t)
	assign(t, e, web)
	process(t, e, round(first))
	// Of another partition, so that no position of the first one tells.
	mail, blog := engine.Partition{Topic: "mail"}, engine.Partition{Topic: "blog"}
	assign(t, e, web, mail)
	process(t, e, round(visit(mail, 0, name, start), visit(mail, 1, name, start)))

	// Set back to after the first round, written once by another, then gone on with.
	other := setup{memory: older.Peer()}.engine(t)
	assign(t, other, blog)
	process(t, other, round(visit(blog, 0, name, start)))
	f.Store = older.Peer()
	last := visit(web, 1, name, start)
	if err := e.Process(t.Context(), round(last)); !errors.Is(err, engine.ErrRewound) {
		t.Errorf("got %v, want %v", err, engine.ErrRewound)
	}
	wantScore(t, older, name, start, 40) // the first and the other's
	assign(t, e, web, mail)
	process(t, e, round(visit(mail, 0, name, start), last))
	wantScore(t, older, name, start, 80)
}
