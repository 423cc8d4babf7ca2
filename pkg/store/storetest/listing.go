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
		w.TierWas, w.Tier, w.Due = tierWas, tier, engine.NoDue
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

// dueByTier: an account takes its due instant from tier to tier, and Due tells where it was
// found, also where it was not expected.
func dueByTier(t *testing.T, open func() Extras) {
	s := open()
	at := func(due int64, tier string) engine.Due { return engine.Due{Account: "a", At: due, Tier: tier} }
	write := func(was uint64, tierWas, tier string, due int64) {
		t.Helper()
		w := put("a", was, "A")
		w.TierWas, w.Tier, w.Due = tierWas, tier, due
		must(t, s, engine.Step{Writes: []engine.Write{w}})
	}
	write(0, "", "", 10)
	wantDue(t, s, 0, 100, 9, at(10, ""))
	write(1, "", "hot", 20)
	wantDue(t, s, 0, 100, 9, at(20, "hot"))
	write(2, "hot", "hot", engine.KeepDue)
	write(3, "hot", "warm", 15)
	wantDue(t, s, 0, 100, 9, at(15, "warm"))
	write(4, "warm", "warm", engine.NoDue)
	wantDue(t, s, 0, engine.NoDue, 9)
	wantListed(t, s, "warm", "a")
	write(5, "warm", "warm", 30)
	wantDue(t, s, 0, 100, 9, at(30, "warm"))
	write(6, "warm", "", engine.NoDue)
	wantDue(t, s, 0, engine.NoDue, 9)
	wantListed(t, s, "warm")

	w := put("a", 7, "A")
	w.Tier = "hot"
	out := commit(t, s, engine.Step{Writes: []engine.Write{w}})
	var final interface{ Retryable() bool }
	if out.Result != engine.Failed || !errors.As(out.Err, &final) || final.Retryable() {
		t.Errorf("a change of tier that keeps the due instant: got result %d (%v), want Failed for good", out.Result, out.Err)
	}
	wantRecord(t, s, 0, "a", 7, "A", "")
}

func tierRemoval(t *testing.T, open func() Extras) {
	one, two := open(), open()
	w := put("a", 0, "A")
	w.Tier, w.Due = "hot", 7
	b := put("b", 0, "B")
	b.Tier, b.Due = "hot", engine.NoDue
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
			w.Tier, w.Due = "hot", engine.NoDue
			step.Writes = append(step.Writes, w)
			want = append(want, account)
		}
		must(t, s, step)
	}
	all := listed(t, s, "hot", 1000)
	if got := slices.Sorted(slices.Values(all)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, limit := range []int{1, 5, 7, len(want)} {
		if got := listed(t, s, "hot", limit); !slices.Equal(got, all) {
			t.Errorf("in pages of %d: got %q, at once %q", limit, got, all)
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
