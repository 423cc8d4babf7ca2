package app

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/streams/source"
)

// fenced is an engine that stands before fences.
type fenced struct {
	fences, ends map[engine.Partition]int64
	past         bool
	err          error
}

func (s *fenced) Fences() map[engine.Partition]int64 { return s.fences }
func (s *fenced) Ends() map[engine.Partition]int64   { return s.ends }
func (s *fenced) PastFences(context.Context, map[engine.Partition]int64) (bool, error) {
	return s.past, s.err
}

// allowed is what was allowed last, by topic.
type allowed map[string]int

func (v allowed) Allow(topic string, records int) { v[topic] = records }

func wantAllowed(t *testing.T, got allowed, want allowed) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("got topics allowed %v, want %v", got, want)
	}
}

// The topics of merges that are read again go first, in all instances, and the others once
// every shard is past them.
func TestTopicsOfMergesGoFirst(t *testing.T) {
	t.Parallel()
	people := engine.Partition{Topic: "profiles", ID: 1}
	gone := engine.Partition{Topic: "removed", ID: 0}
	e := &fenced{fences: map[engine.Partition]int64{people: 7, gone: 9}, ends: map[engine.Partition]int64{ours: 3, people: 5}}
	f, v := &fences{engine: e, log: zerolog.Nop()}, allowed{}
	f.begin(v, []engine.Partition{people, ours, theirs}, []engine.Partition{people, ours, theirs}, true)
	wantAllowed(t, v, allowed{"profiles": source.Unlimited, "engagement": 0})
	if !f.waits() || f.due() {
		t.Error("this instance's reading stands before the fence")
	}
	e.err = errors.New("no answer")
	if err := f.look(t.Context(), v); err == nil || !f.waits() {
		t.Errorf("got %v, want the look to fail and the others to wait", err)
	}
	e.err, e.ends[people] = nil, 7
	if !f.due() || f.due() {
		t.Error("that this instance's reading is past the fence is due once")
	}
	wantAllowed(t, v, allowed{"profiles": source.Unlimited, "engagement": 0})
	e.past = true
	if err := f.look(t.Context(), v); err != nil || f.waits() {
		t.Errorf("got %v, want all to go on", err)
	}
	wantAllowed(t, v, allowed{"profiles": source.Unlimited, "engagement": source.Unlimited})
}

// Who reads none of the partitions waits, and has nothing to tell.
func TestWhoReadsNoMergesWaits(t *testing.T) {
	t.Parallel()
	people := engine.Partition{Topic: "profiles", ID: 0}
	f, v := &fences{engine: &fenced{fences: map[engine.Partition]int64{people: 1}}, log: zerolog.Nop()}, allowed{}
	f.begin(v, []engine.Partition{ours}, []engine.Partition{people, ours}, true)
	wantAllowed(t, v, allowed{"engagement": 0})
	if f.due() {
		t.Error("it is past no fence of its own")
	}
}

// Where no merge is read again no topic waits, nor for one that is gone.
func TestNothingWaitsWithoutMerges(t *testing.T) {
	t.Parallel()
	f, v := &fences{engine: &fenced{fences: map[engine.Partition]int64{theirs: 1}}, log: zerolog.Nop()}, allowed{}
	f.begin(v, []engine.Partition{ours}, []engine.Partition{ours}, true)
	if wantAllowed(t, v, allowed{}); f.waits() {
		t.Error("got a wait for a partition that is not there")
	}
}

// After a crash, and in an instance that is alone, nothing waits: it would be read in
// another order than the first time. What waits goes on waiting in the next session.
func TestNothingWaitsWithoutASetBackAmongSeveral(t *testing.T) {
	t.Parallel()
	f, v := &fences{engine: &fenced{fences: map[engine.Partition]int64{theirs: 1}}, log: zerolog.Nop()}, allowed{}
	all := []engine.Partition{ours, theirs}
	f.begin(v, all, all, false)
	if wantAllowed(t, v, allowed{}); f.waits() {
		t.Error("got a wait after a crash")
	}
	f.begin(v, all, all, true)
	f.begin(v, all, all, false)
	if !f.waits() {
		t.Error("got no wait though not all is past")
	}
}
