package storetest

import (
	"errors"
	"slices"
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

// listed walks a whole listing in pages.
func listed(t *testing.T, l Listing, tier string, limit int) []string {
	t.Helper()
	var out []string
	for cursor := ""; ; {
		page, next, err := l.AccountsByTier(t.Context(), tier, cursor, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > limit {
			t.Fatalf("got %d accounts in a page of %d", len(page), limit)
		}
		out = append(out, page...)
		if next == "" {
			return out
		}
		cursor = next
	}
}

func wantListed(t *testing.T, l Listing, tier string, want ...string) {
	t.Helper()
	if got := listed(t, l, tier, 100); !slices.Equal(got, want) {
		t.Errorf("tier %s: got %q, want %q", tier, got, want)
	}
}

func tiers(t *testing.T, open func() Extras) {
	s := open()
	step := func(was uint64, tierWas, tier string) {
		t.Helper()
		w := put("a", was, "A")
		w.TierWas, w.Tier = tierWas, tier
		must(t, s, engine.Step{Shard: 1, Writes: []engine.Write{w}})
	}
	step(0, "", "")
	wantListed(t, s, "hot")
	step(1, "", "hot")
	wantListed(t, s, "hot", "a")
	step(2, "hot", "hot")
	step(3, "", "")
	wantListed(t, s, "hot", "a")
	step(4, "hot", "cold: 2")
	wantListed(t, s, "hot")
	wantListed(t, s, "cold: 2", "a")
	step(5, "cold: 2", "")
	wantListed(t, s, "cold: 2")
}

func tierRemoval(t *testing.T, open func() Extras) {
	one, two := open(), open()
	w := put("a", 0, "A")
	w.Tier = "hot"
	b := put("b", 0, "B")
	b.Tier = "hot"
	must(t, one, engine.Step{Writes: []engine.Write{w, b}})
	must(t, two, engine.Step{Writes: []engine.Write{{Account: "a", Was: 1}}}) // it does not say where from
	wantListed(t, two, "hot", "b")
	must(t, two, engine.Step{Writes: []engine.Write{{Account: "b", Was: 1, TierWas: "hot"}}})
	wantListed(t, two, "hot")
}

func tierPages(t *testing.T, open func() Extras) {
	s := open()
	var want []string
	for shard := range s.Shards() {
		step := engine.Step{Shard: shard}
		for _, account := range numbered(string(rune('z'-shard)), shard%4*5) {
			w := put(account, 0, "A")
			w.Tier = "hot"
			step.Writes = append(step.Writes, w)
			want = append(want, account)
		}
		must(t, s, step)
	}
	for _, limit := range []int{1, 5, 7, len(want), 1000} {
		if got := listed(t, s, "hot", limit); !slices.Equal(got, want) {
			t.Errorf("in pages of %d: got %q, want %q", limit, got, want)
		}
	}
	for _, cursor := range []string{"x", "1", "-1:a", "999:a", ":a", "1:"} {
		if _, _, err := s.AccountsByTier(t.Context(), "hot", cursor, 1); !errors.Is(err, store.ErrCursor) {
			t.Errorf("cursor %q: got %v, want ErrCursor", cursor, err)
		}
	}
	if _, _, err := s.AccountsByTier(t.Context(), "hot", "", 0); err == nil {
		t.Error("a page of 0 succeeded")
	}
}

func scan(t *testing.T, open func() Extras) {
	s := open()
	want := numbered("a", 1000)
	step := engine.Step{Shard: 2}
	for _, account := range want {
		w := put(account, 0, account)
		if account < "a0500" {
			w.Profile = []byte("p" + account)
		}
		step.Writes = append(step.Writes, w)
	}
	must(t, s, step)
	seen := map[string]bool{}
	for cursor := uint64(0); ; {
		records, next, err := s.Scan(t.Context(), 2, cursor, 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			seen[r.Account] = true
			profile := ""
			if r.Account < "a0500" {
				profile = "p" + r.Account
			}
			if r.Version != 1 || string(r.State) != r.Account || string(r.Profile) != profile {
				t.Fatalf("got %s version %d state %q profile %q", r.Account, r.Version, r.State, r.Profile)
			}
		}
		if cursor = next; next == 0 {
			break
		}
	}
	if len(seen) != len(want) {
		t.Errorf("met %d accounts, want %d", len(seen), len(want))
	}
	if records, next, err := s.Scan(t.Context(), 0, 0, 10); err != nil || len(records) != 0 || next != 0 {
		t.Errorf("empty shard: got %v, cursor %d (%v)", records, next, err)
	}
}
