package identity_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/identity"
	"tidemark/pkg/store"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

var (
	calls    = engine.Partition{Topic: "calls", ID: 0}
	profiles = engine.Partition{Topic: "account-profiles", ID: 1}
)

// users is the memory store as the resolver wants it.
type users struct {
	*memory.Store
	before func() // called before each swap
	loads  *int
}

func (u users) Load(ctx context.Context, keys []uint64) ([][]byte, error) {
	if u.loads != nil {
		*u.loads++
	}
	return u.LoadUsers(ctx, keys)
}

func (u users) Swap(ctx context.Context, swaps []identity.Swap) ([]int, error) {
	if u.before != nil {
		u.before()
	}
	out := make([]store.UserSwap, len(swaps))
	for i, s := range swaps {
		out[i] = store.UserSwap(s)
	}
	return u.SwapUsers(ctx, out)
}

func once(_ context.Context, _ string, f func() error) error { return f() }

// instance is a process that reads both partitions.
type instance struct {
	t       *testing.T
	r       *identity.Resolver
	ends    map[engine.Partition]int64
	settled map[engine.Partition]int64
	shares  bool // other instances read too
}

func newInstance(t *testing.T, s identity.Store) *instance {
	return &instance{
		t: t, r: identity.New(s, scoring.Person, once), settled: map[engine.Partition]int64{},
		ends: map[engine.Partition]int64{calls: 0, profiles: 0},
	}
}

func newStore() users { return users{Store: memory.New(4)} }

// round gives inputs to the resolver and moves past them; of each it says where it ended.
func (i *instance) round(inputs ...engine.Input) string {
	i.t.Helper()
	results, err := i.r.Resolve(i.t.Context(), &identity.Round{
		Inputs: inputs, Ends: maps.Clone(i.ends), Alone: !i.shares,
		Settled: func(p engine.Partition) int64 { return i.settled[p] },
	})
	if err != nil {
		i.t.Fatal(err)
	}
	var out []string
	for n, in := range inputs {
		i.ends[in.Partition] = max(i.ends[in.Partition], in.Offset+1)
		if results == nil {
			out = append(out, "-")
			continue
		}
		switch e := results[n].Event; {
		case results[n].Unknown:
			out = append(out, "?")
		case e.Account != "":
			out = append(out, e.Account)
		default:
			out = append(out, "@"+e.Domain)
		}
	}
	return strings.Join(out, " ")
}

// settle says that nothing is read again.
func (i *instance) settle() { maps.Copy(i.settled, i.ends) }

func wantPlaces(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

// call is an event of a user: "u:", "a:" and "e:" name them, "g:" the group, "d:" the
// domain, and "same" says that the names are one person's.
func call(offset, at int64, words ...string) engine.Input {
	e := &scoring.Event{Type: "t", Time: at, Hint: &scoring.Hint{}}
	for _, w := range words {
		kind, value, _ := strings.Cut(w, ":")
		*map[string]*string{"u": &e.Hint.User, "a": &e.Hint.Anonymous, "e": &e.Hint.Email, "g": &e.Account, "d": &e.Domain, "same": new(string)}[kind] = value
		e.Hint.Same = e.Hint.Same || kind == "same"
	}
	return engine.Input{Event: e, Partition: calls, Offset: offset}
}

func other(offset, at int64, kind scoring.Kind, account string, erased ...string) engine.Input {
	return engine.Input{Event: &scoring.Event{Kind: kind, Time: at, Account: account, Order: &scoring.Order{Erased: erased}}, Partition: profiles, Offset: offset}
}

func TestWhoBelongsWhereIsLearned(t *testing.T) {
	t.Parallel()
	const h = int64(60 * 60 * 1000)
	for name, row := range map[string]struct {
		inputs []engine.Input
		want   string
	}{
		"nobody knows":                       {[]engine.Input{call(0, 1, "u:u")}, "?"},
		"a group teaches":                    {[]engine.Input{call(0, 1, "u:u"), call(1, 2, "u:u", "g:acme"), call(2, 3, "u:u"), call(3, 3, "u:v")}, "? acme acme ?"},
		"the later event wins":               {[]engine.Input{call(0, 5, "u:u", "g:b"), call(1, 4, "u:u", "g:a"), call(2, 6, "u:u")}, "b a b"},
		"of equal times the later call":      {[]engine.Input{call(0, 5, "u:u", "g:b"), call(1, 5, "u:u", "g:a"), call(2, 6, "u:u")}, "b a a"},
		"a claim that is confirmed is later": {[]engine.Input{call(0, 1, "u:u", "g:a"), call(1, 2*h, "u:u", "g:a"), call(2, h, "u:u", "g:b"), call(3, 3*h, "u:u")}, "a a b a"},
		"the group goes before the domain":   {[]engine.Input{call(0, 1, "u:u", "d:acme.example"), call(1, 2, "u:u", "g:acme"), call(2, 3, "u:u", "d:acme.example")}, "@acme.example acme acme"},
		"an address at home":                 {[]engine.Input{call(0, 1, "u:u", "e:x@acme.example", "d:acme.example", "same"), call(1, 2, "u:u"), call(2, 3, "e:X@acme.example")}, "@acme.example @acme.example @acme.example"},
		"a browser before its user":          {[]engine.Input{call(0, 1, "a:a", "g:acme"), call(1, 2, "a:a", "u:u", "same"), call(2, 3, "u:u")}, "acme acme acme"},
		"a browser after its user":           {[]engine.Input{call(0, 1, "u:u", "g:acme"), call(1, 2, "a:a", "u:u", "same"), call(2, 3, "a:a")}, "acme acme acme"},
		"ids of two kinds are two":           {[]engine.Input{call(0, 1, "u:x", "g:acme"), call(1, 2, "a:x"), call(2, 3, "e:x")}, "acme ? ?"},
		"two users of one browser": {[]engine.Input{
			call(0, 1, "a:a", "u:u", "same"), call(1, 2, "u:u", "a:a", "g:acme"), call(2, 3, "a:a", "u:v", "same"), call(3, 4, "u:v"), call(4, 5, "u:u"), call(5, 6, "a:a"),
		}, "? acme ? ? acme ?"},
		"an erased account": {[]engine.Input{
			call(0, 1, "u:u", "g:acme"), other(0, 2, scoring.KindTombstone, "acme"), call(1, 3, "u:u"), call(2, 4, "u:u", "g:acme"), call(3, 5, "u:u"),
		}, "acme acme ? acme acme"},
		"an erased person": {[]engine.Input{
			call(0, 1, "u:u", "a:a", "e:x@acme.example", "g:acme", "same"), other(0, 2, scoring.KindErasure, "acme", "u"), call(1, 3, "u:u"), call(2, 3, "a:a"), call(3, 3, "e:x@acme.example"),
		}, "acme acme ? ? ?"},
		"nothing of users": {[]engine.Input{other(0, 1, scoring.KindProfile, "acme")}, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantPlaces(t, "in one round", newInstance(t, newStore()).round(row.inputs...), row.want)
			// Each in a round of its own, by an instance that remembers and by ones that do not.
			i, s := newInstance(t, newStore()), newStore()
			var one, many []string
			ends := map[engine.Partition]int64{calls: 0, profiles: 0}
			for _, in := range row.inputs {
				one = append(one, i.round(in))
				next := newInstance(t, s)
				next.ends, next.shares = ends, true
				many = append(many, next.round(in))
			}
			if row.want != "-" && slices.Contains(one, "-") { // what teaches nothing is left alone
				t.Errorf("got %v", one)
			}
			wantPlaces(t, "one by one", strings.Join(one, " "), row.want)
			wantPlaces(t, "by others each", strings.Join(many, " "), row.want)
		})
	}
}

// Whatever is read again after a crash ends where it ended, wherever the crash was and
// however much of what was learned was stored by then.
func TestWhatIsReadAgainEndsWhereItEnded(t *testing.T) {
	t.Parallel()
	inputs := []engine.Input{
		call(0, 1, "u:u"), call(1, 2, "u:u", "a:a", "same"), call(2, 3, "u:u", "g:one"), call(3, 4, "u:u"), call(4, 5, "u:u", "g:two"), call(5, 6, "a:a"),
		call(6, 7, "u:v", "e:x@acme.example", "d:acme.example", "same"), call(7, 8, "u:u", "g:one"), call(8, 9, "u:v"), call(9, 10, "u:u"), call(10, 11, "a:a"),
	}
	want := strings.Fields(newInstance(t, newStore()).round(inputs...))
	for settled := range len(inputs) + 1 {
		for crash := settled; crash <= len(inputs); crash++ {
			for again := settled; again <= crash; again++ {
				s := newStore()
				first := newInstance(t, s)
				for n, in := range inputs[:crash] {
					if n == settled {
						first.settle()
					}
					wantPlaces(t, fmt.Sprint("input ", n), first.round(in), want[n])
				}
				next := newInstance(t, s)
				next.ends[calls] = int64(again)
				wantPlaces(t, fmt.Sprintf("settled %d, crash at %d, again from %d", settled, crash, again),
					next.round(append(slices.Clone(inputs[again:]), call(100, 100, "u:none"))...), strings.Join(append(slices.Clone(want[again:]), "?"), " "))
			}
		}
	}
}

// Another instance that is first is noticed, and nothing of either is lost.
func TestTwoInstancesLearnOfOneUser(t *testing.T) {
	t.Parallel()
	s := newStore()
	one, two := newInstance(t, s), newInstance(t, s)
	delete(two.ends, calls)
	first := true
	s.before = func() {
		if first {
			first = false
			in := call(7, 9, "u:u", "g:later")
			in.Partition = engine.Partition{Topic: "calls", ID: 9}
			wantPlaces(t, "the other", two.round(in), "later")
		}
	}
	one.r = identity.New(s, scoring.Person, once)
	one.shares, two.shares = true, true
	wantPlaces(t, "the one", one.round(call(0, 5, "u:u", "g:earlier"), call(1, 10, "u:u")), "earlier later")
	wantPlaces(t, "afterwards", two.round(call(0, 11, "u:u")), "later")
}

// Alone, an instance asks the store once; a failure makes it ask again.
func TestWhatIsKnownIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	s := newStore()
	loads := 0
	s.loads = &loads
	i := newInstance(t, s)
	i.round(call(0, 1, "u:u", "g:acme"))
	before := loads
	wantPlaces(t, "remembered", i.round(call(1, 2, "u:u"), call(2, 3, "u:u", "g:acme")), "acme acme")
	if loads != before {
		t.Errorf("got %d loads more, want none", loads-before)
	}
	i.r.Reset()
	wantPlaces(t, "read", i.round(call(3, 4, "u:u")), "acme")
	if loads == before {
		t.Error("got no load after Reset, want some")
	}
}

func TestAStoreThatFailsIsTold(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := identity.New(newStore(), scoring.Person, once)
	_, err := r.Resolve(ctx, &identity.Round{Inputs: []engine.Input{call(0, 1, "u:u")}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the store's error", err)
	}
}
