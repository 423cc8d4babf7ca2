package engine_test

import (
	"fmt"
	"sync"
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
)

// Many accounts at once are loaded in several trips, each of which may fail and is made
// again: what was stored of every one of them goes on.
func TestManyAccountsAreLoadedInPortions(t *testing.T) {
	t.Parallel()
	const accounts = 6000
	s := memory.New(8)
	name := func(i int64) string { return fmt.Sprintf("firm%d", i) }
	all := func(e *engine.Engine, of func(i int64) engine.Input) {
		var inputs []engine.Input
		for i := range int64(accounts) {
			inputs = append(inputs, of(i))
		}
		process(t, e, round(inputs...))
	}
	first := setup{memory: s}.engine(t)
	assign(t, first, web)
	all(first, func(i int64) engine.Input {
		if i%3 == 0 {
			return demo(web, i, name(i), start)
		}
		return visit(web, i, name(i), start)
	})

	var mu sync.Mutex
	trips, failed := 0, 0
	f := &faulty{Store: s.Peer(), read: func(what string) error {
		mu.Lock()
		defer mu.Unlock()
		if what != "load" {
			return nil
		}
		if trips++; trips%2 == 1 {
			failed++
			return errFlaky
		}
		return nil
	}}
	e := setup{memory: s, store: f, lanes: 1, accounts: accounts}.engine(t)
	assign(t, e, web)
	all(e, func(i int64) engine.Input { return visit(web, accounts+i, name(i), start) })
	if trips-failed < 4 || failed == 0 {
		t.Errorf("got %d trips of which %d failed, want several portions, and failures", trips, failed)
	}
	for i := int64(0); i < accounts; i += 59 {
		want := 20.0 + 20
		if i%3 == 0 {
			want = 50 + 20
		}
		wantScore(t, s, name(i), start, want)
	}
}
