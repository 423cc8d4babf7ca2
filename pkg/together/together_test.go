package together

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What comes while calls are under way goes in one call, each piece once.
func TestWhoComesMeanwhileGoesTogether(t *testing.T) {
	t.Parallel()
	const all = 100
	begun, release := make(chan int), make(chan struct{})
	g := Group[int]{Do: func(_ context.Context, some []*int) {
		begun <- len(some)
		<-release
		for _, n := range some {
			*n++
		}
	}}
	var wait sync.WaitGroup
	done := make([]int, all)
	take := func(n *int) { wait.Go(func() { g.Take(t.Context(), n) }) }
	take(&done[0])
	if n := <-begun; n != 1 {
		t.Fatalf("the first went with %d", n)
	}
	for i := range done[1:] {
		take(&done[1+i])
	}
	for waiting := 0; waiting < all-1; {
		g.mu.Lock()
		waiting = len(g.waiting)
		g.mu.Unlock()
	}
	release <- struct{}{}
	if n := <-begun; n != all-1 {
		t.Errorf("%d went together, want all that waited", n)
	}
	release <- struct{}{}
	wait.Wait()
	for i, n := range done {
		if n != 1 {
			t.Errorf("piece %d was done %d times", i, n)
		}
	}
}

func TestNoMoreThanAllowedAreUnderWay(t *testing.T) {
	t.Parallel()
	var under, done atomic.Int32
	g := Group[int]{Abreast: 3, Do: func(_ context.Context, some []*int) {
		if under.Add(1) > 3 {
			t.Error("more than 3 calls at once")
		}
		done.Add(int32(len(some)))
		under.Add(-1)
	}}
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			for range 100 {
				g.Take(t.Context(), new(int))
			}
		})
	}
	wait.Wait()
	if done.Load() != 5000 {
		t.Errorf("%d pieces were done, want 5000", done.Load())
	}
	if g.under != 0 || len(g.waiting) != 0 {
		t.Errorf("%d under way and %d waiting at the end", g.under, len(g.waiting))
	}
}

// A context that ends cuts short only the call that has it: who asks again is served.
func TestContextIsThatOfTheFirst(t *testing.T) {
	t.Parallel()
	type key struct{}
	var seen any
	g := Group[int]{Do: func(ctx context.Context, _ []*int) { seen = ctx.Value(key{}) }}
	g.Take(context.WithValue(t.Context(), key{}, "mine"), new(int))
	if seen != "mine" {
		t.Errorf("the call had %v", seen)
	}
}

// Who comes while another one begins goes along, although more calls could be under way.
func TestWhoComesAtTheBeginningJoins(t *testing.T) {
	t.Parallel()
	g := Group[int]{Abreast: 4, Joined: true}
	first, second := &piece[int]{told: make(chan []*piece[int], 1)}, &piece[int]{told: make(chan []*piece[int], 1)}
	if !g.first(first) || g.first(second) {
		t.Fatal("the second is to go along with the first")
	}
	if rest := g.rest(); len(rest) != 1 || rest[0] != second {
		t.Fatalf("got %v, want the second", rest)
	}
	if !g.first(&piece[int]{}) {
		t.Error("the next is to go at once")
	}
}
