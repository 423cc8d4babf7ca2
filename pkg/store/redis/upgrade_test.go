package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
)

// TestUpgradeOfLayout1 has a namespace as the version before wrote it: nothing is read
// past it, nothing written, and after Upgrade every account is due and listed where it was.
func TestUpgradeOfLayout1(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t)
	cfg := testConfig(t, r.Addr())
	shard := cfg.Namespace + ":{000}:"
	do := func(args ...string) any {
		t.Helper()
		got, err := r.Do(args...)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	open(t, cfg)
	const hot, warm, dueOnly = 1200, 3, 700
	do("HSET", cfg.Namespace+":meta", "layout", "1")
	do("SADD", shard+"tiers", "hot", "warm")
	for i := range hot {
		do("ZADD", shard+"tier:hot", "0", fmt.Sprintf("h%04d", i))
		if i%2 == 0 {
			do("ZADD", shard+"due", fmt.Sprint(1_700_000_000_000+i), fmt.Sprintf("h%04d", i))
		}
	}
	for i := range warm {
		do("ZADD", shard+"tier:warm", "0", fmt.Sprint("w", i))
	}
	for i := range dueOnly {
		do("ZADD", shard+"due", fmt.Sprint(1_600_000_000_000+i), fmt.Sprintf("d%04d", i))
	}

	s := open(t, cfg)
	const why = "stop all instances of the older version first"
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: got %v, want an error with %q", what, err, why)
		}
	}
	_, err := s.NextDue(t.Context(), []int{0})
	refused("next due", err)
	_, err = s.Due(t.Context(), []int{0}, 1, 1)
	refused("due", err)
	_, _, err = s.AccountsByTier(t.Context(), "hot", "", 1)
	refused("a listing", err)
	out := s.Commit(t.Context(), []engine.Step{{Writes: []engine.Write{{Account: "a", State: []byte("A"), Due: 1}}}})
	refused("a commit", out[0].Err)

	other := open(t, cfg) // looks on
	for range 2 {
		if err := s.Upgrade(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, store := range []*redis.Store{s, other} {
		lists, err := store.Due(t.Context(), []int{0}, engine.NoDue-1, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		due := lists[0].Accounts
		if len(due) != dueOnly+hot/2 || lists[0].Next != engine.NoDue {
			t.Fatalf("%d accounts are due, then at %d, want %d", len(due), lists[0].Next, dueOnly+hot/2)
		}
		for i, want := range map[int]engine.Due{
			0: {Account: "d0000", At: 1_600_000_000_000}, dueOnly - 1: {Account: "d0699", At: 1_600_000_000_699},
			dueOnly: {Account: "h0000", At: 1_700_000_000_000, Tier: "hot"}, len(due) - 1: {Account: "h1198", At: 1_700_000_001_198, Tier: "hot"},
		} {
			if due[i] != want {
				t.Errorf("due account %d: got %+v, want %+v", i, due[i], want)
			}
		}
		for tier, want := range map[string]int{"hot": hot, "warm": warm} {
			listed, _, err := store.AccountsByTier(t.Context(), tier, "", 10_000)
			slices.Sort(listed)
			if err != nil || len(slices.Compact(listed)) != want {
				t.Errorf("tier %s lists %d accounts (%v), want %d", tier, len(listed), err, want)
			}
		}
	}
	if left := do("EXISTS", shard+"due", shard+"tier:hot", shard+"tier:warm"); left != int64(0) {
		t.Errorf("%v keys of layout 1 are left", left)
	}

	// Somebody of the older version was still there: the next start finds what it wrote.
	do("ZADD", shard+"due", "5", "d0001", "6", "late")
	if err := open(t, cfg).Upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	lists, err := s.Due(t.Context(), []int{0}, 10, 10)
	if want := []engine.Due{{Account: "d0001", At: 5}, {Account: "late", At: 6}}; err != nil || !slices.Equal(lists[0].Accounts, want) {
		t.Errorf("got %v (%v), want %v", lists[0].Accounts, err, want)
	}
}
