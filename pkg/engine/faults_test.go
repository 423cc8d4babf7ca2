package engine_test

import (
	"context"
	"errors"

	"tidemark/pkg/engine"
)

// faultKind is how a step goes wrong.
type faultKind int

const (
	fine         faultKind = iota
	failsBefore            // Failed, and nothing was done
	failsAfter             // Failed, though it took effect
	saysStale              // Stale, and nothing was done
	saysConflict           // Conflict, and nothing was done
	diesBefore             // hopeless, and nothing was done
	diesAfter              // hopeless, though it took effect
)

// faulty is a store whose calls fail as the test says. Nil functions never fail.
type faulty struct {
	engine.Store
	// step is asked about every step of a commit. It is called by several
	// goroutines at once.
	step func(engine.Step) faultKind
	// read is asked before Load, Due, NextDue and Positions.
	read func(what string) error
}

var errFlaky = errors.New("flaky by the test")

func (f *faulty) Commit(ctx context.Context, steps []engine.Step) []engine.Outcome {
	out := make([]engine.Outcome, len(steps))
	for i, s := range steps {
		out[i] = f.commit(ctx, s)
	}
	return out
}

func (f *faulty) commit(ctx context.Context, s engine.Step) engine.Outcome {
	fault := fine
	if f.step != nil {
		fault = f.step(s)
	}
	if fault == fine || fault == failsAfter || fault == diesAfter {
		out := f.Store.Commit(ctx, []engine.Step{s})[0]
		if fault == fine || out.Result != engine.OK {
			return out
		}
	}
	switch fault {
	case saysStale:
		return engine.Outcome{Result: engine.Stale}
	case saysConflict:
		return engine.Outcome{Result: engine.Conflict, Shared: true}
	case diesBefore, diesAfter:
		return engine.Outcome{Result: engine.Failed, Err: errBroken}
	}
	return engine.Outcome{Result: engine.Failed, Err: errFlaky}
}

func (f *faulty) fails(what string) error {
	if f.read == nil {
		return nil
	}
	return f.read(what)
}

func (f *faulty) Load(ctx context.Context, wanted ...engine.Wanted) ([]engine.Record, error) {
	if err := f.fails("load"); err != nil {
		return nil, err
	}
	return f.Store.Load(ctx, wanted...)
}

func (f *faulty) Due(ctx context.Context, shards []int, upTo int64, limit int) ([]engine.DueList, error) {
	if err := f.fails("due"); err != nil {
		return nil, err
	}
	return f.Store.Due(ctx, shards, upTo, limit)
}

func (f *faulty) NextDue(ctx context.Context, shards []int) ([]int64, error) {
	if err := f.fails("next due"); err != nil {
		return nil, err
	}
	return f.Store.NextDue(ctx, shards)
}

func (f *faulty) Positions(ctx context.Context) ([]map[engine.Partition]int64, error) {
	if err := f.fails("positions"); err != nil {
		return nil, err
	}
	return f.Store.Positions(ctx)
}

// always lets every step go wrong in one way.
func always(f faultKind) func(engine.Step) faultKind {
	return func(engine.Step) faultKind { return f }
}
