package storetest

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

func claim(t *testing.T, a Aliases, claims ...store.Alias) {
	t.Helper()
	if err := a.ClaimAliases(t.Context(), claims); err != nil {
		t.Fatal(err)
	}
}

func wantAliases(t *testing.T, a Aliases, domains []string, want map[string]string) {
	t.Helper()
	got, err := a.ResolveAliases(t.Context(), domains)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("resolve %v: got %v (%v), want %v", domains, got, err, want)
	}
}

func aliasClaims(t *testing.T, open func() Extras) {
	s := open()
	wantAliases(t, s, []string{"d1"}, nil)
	wantAliases(t, s, nil, nil)
	claim(t, s, store.Alias{Domain: "d1", Account: "a", Time: 1_700_000_000_000}, store.Alias{Domain: "d2", Account: "a b", Time: 5})
	claim(t, s, store.Alias{Domain: "d1", Account: "older", Time: 1_699_999_999_999}, store.Alias{Domain: "d2", Account: "b", Time: 5})
	wantAliases(t, s, []string{"d1", "d2", "d3"}, map[string]string{"d1": "a", "d2": "b"})
	claim(t, s, store.Alias{Domain: "d1", Account: "later", Time: 1_700_000_000_001})
	// By number, not by text: 9 is before 10.
	claim(t, s, store.Alias{Domain: "d2", Account: "c", Time: 10}, store.Alias{Domain: "d2", Account: "d", Time: 9})
	wantAliases(t, s, []string{"d1", "d2"}, map[string]string{"d1": "later", "d2": "c"})
	claim(t, s, store.Alias{Domain: "d4", Account: "with a space", Time: -3}, store.Alias{Domain: "d4", Account: "never", Time: -4})
	wantAliases(t, s, []string{"d4"}, map[string]string{"d4": "with a space"})
}

func aliasRelease(t *testing.T, open func() Extras) {
	s := open()
	claim(t, s, store.Alias{Domain: "d1", Account: "a a", Time: 1}, store.Alias{Domain: "d2", Account: "a a", Time: 1}, store.Alias{Domain: "d3", Account: "b", Time: 1})
	claim(t, s, store.Alias{Domain: "d2", Account: "b", Time: 2})
	for range 2 {
		if err := s.ReleaseAliases(t.Context(), "a a", []string{"d1", "d2", "d3", "d4"}); err != nil {
			t.Fatal(err)
		}
	}
	wantAliases(t, s, []string{"d1", "d2", "d3", "d4"}, map[string]string{"d2": "b", "d3": "b"})
}

func names(t *testing.T, open func() Extras) {
	s := open()
	for i, step := range []struct{ want, all []string }{
		{nil, nil},
		{[]string{"b", "a", "b"}, []string{"b", "a"}},
		{[]string{"a", "c", "b"}, []string{"b", "a", "c"}},
		{nil, []string{"b", "a", "c"}},
	} {
		got, err := s.Names(t.Context(), step.want)
		if err != nil || !slices.Equal(got, step.all) {
			t.Errorf("step %d: got %q (%v), want %q", i, got, err, step.all)
		}
	}
}

func namesAtOnce(t *testing.T, open func() Extras) {
	const processes, each = 4, 10
	var wg sync.WaitGroup
	for p := range processes {
		s := open()
		wg.Go(func() {
			for i := range each {
				want := fmt.Sprintf("name-%d", (i*(p+1))%each)
				if _, err := s.Names(t.Context(), []string{want}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := open().Names(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if sorted := slices.Sorted(slices.Values(got)); len(slices.Compact(sorted)) != len(got) || len(got) != each {
		t.Errorf("got %q, want %d names, each once", got, each)
	}
}

func mark(consumed, frontier int64) store.Watermark {
	return store.Watermark{Consumed: consumed, Frontier: frontier}
}

func watermarks(t *testing.T, open func() Extras) {
	one, two := open(), open()
	p1 := engine.Partition{Topic: "in", ID: 1}
	for i, step := range []struct {
		put, want map[engine.Partition]store.Watermark
	}{
		{nil, nil},
		{map[engine.Partition]store.Watermark{in: mark(1, 2), p1: mark(-3, 1<<62)}, map[engine.Partition]store.Watermark{in: mark(1, 2), p1: mark(-3, 1<<62)}},
		{map[engine.Partition]store.Watermark{in: mark(5, 0)}, map[engine.Partition]store.Watermark{in: mark(5, 0), p1: mark(-3, 1<<62)}},
	} {
		if err := one.PutWatermarks(t.Context(), step.put); err != nil {
			t.Fatal(err)
		}
		got, err := two.Watermarks(t.Context())
		if err != nil || !maps.Equal(got, step.want) {
			t.Errorf("step %d: got %v (%v), want %v", i, got, err, step.want)
		}
	}
}

func models(t *testing.T, open func() Extras) {
	s := open()
	if _, found, err := s.LatestModel(t.Context()); found || err != nil {
		t.Errorf("got a latest model (%v), want none yet", err)
	}
	m1 := store.Model{Hash: "h1", Name: "m", Version: "1", EffectiveAt: 100, Source: "name: m\nversion: 1 # ü\n"}
	m2 := store.Model{Hash: "h2", Name: "m", Version: "2", EffectiveAt: 200, Source: "x"}
	again, back := m2, m1
	again.EffectiveAt = 300 // the same model at another instance's instant
	back.EffectiveAt = 400  // the old model comes back on purpose
	back.Epoch = 1
	on := back
	on.Switched = true // others have stopped
	done := on
	done.Adopted = true // all accounts are under it
	for i, step := range []struct {
		add  store.Model
		want []store.Model
	}{
		{m1, []store.Model{m1}},
		{m1, []store.Model{m1}},
		{m2, []store.Model{m1, m2}},
		{again, []store.Model{m1, m2}},
		{m1, []store.Model{m1, m2}}, // a late repeat
		{back, []store.Model{m1, m2, back}},
		{on, []store.Model{m1, m2, back, on}},
		{on, []store.Model{m1, m2, back, on}},
		{done, []store.Model{m1, m2, back, on, done}},
		{done, []store.Model{m1, m2, back, on, done}},
	} {
		if err := s.AddModel(t.Context(), step.add); err != nil {
			t.Fatal(err)
		}
		got, err := s.Models(t.Context())
		if err != nil || !slices.Equal(got, step.want) {
			t.Errorf("step %d: got %v (%v), want %v", i, got, err, step.want)
		}
		last, found, err := s.LatestModel(t.Context())
		if want := step.want[len(step.want)-1]; err != nil || !found || last != want {
			t.Errorf("step %d: got latest %v (%v), want %v", i, last, err, want)
		}
	}
}
