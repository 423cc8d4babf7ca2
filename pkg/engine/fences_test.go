package engine_test

import (
	"maps"
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
)

// An account that is set back is there again, and its heir, which was not, has handed on
// what it left. What names the loser is read only once its merge is.
func TestMergesAreReadAgainFirst(t *testing.T) {
	t.Parallel()
	names := apart(3)
	loser, heir, last := names[0], names[1], names[2]
	merges := []engine.Input{merged(profiles, 0, loser, heir, start+1), merged(profiles, 1, heir, last, start+2)}
	late := []engine.Input{visit(web, 0, loser, start)}
	s := memory.New(shards)
	first := setup{memory: s, store: s.Peer()}.engine(t)
	assign(t, first, profiles, web)
	back := setsBack(s, loser, last)
	process(t, first, round(clones(merges)...))
	checkpoint(t, first)
	e := setup{memory: s, store: s.Peer()}.engine(t)
	assign(t, e, web)
	process(t, e, round(clones(late)...))
	wantNear(t, s, last, start, 20)
	back()

	reader, other := setup{memory: s, store: s.Peer()}.engine(t), setup{memory: s, store: s.Peer()}.engine(t)
	from := assign(t, reader, profiles)
	assign(t, other, web)
	for _, e := range []*engine.Engine{reader, other} {
		if got, want := e.Fences(), map[engine.Partition]int64{profiles: 2}; !maps.Equal(got, want) {
			t.Fatalf("got fences %v, want %v: both merges are to be done again, and are done on the heir's side", got, want)
		}
	}
	wantPast := func(want bool) {
		t.Helper()
		if past, err := other.PastFences(t.Context(), other.Fences()); past != want || err != nil {
			t.Errorf("past the fences: got %v (%v), want %v", past, err, want)
		}
	}
	wantPast(false)
	process(t, reader, round(clones(merges[from[profiles]:])...))
	checkpoint(t, reader)
	wantPast(true)
	process(t, other, round(clones(late)...))
	wantNear(t, s, last, start, 20)
	wantNear(t, s, loser, start, 0)
	wantNear(t, s, heir, start, 0)
	assign(t, other, web)
	if got := other.Fences(); len(got) > 0 {
		t.Errorf("got fences %v when all is read again, want none", got)
	}
}
