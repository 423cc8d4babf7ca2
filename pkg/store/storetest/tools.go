package storetest

import (
	"fmt"
	"maps"
	"reflect"
	"testing"

	"tidemark/pkg/engine"
)

// in is the partition of most steps.
var in = engine.Partition{Topic: "in", ID: 0}

func move(from, to int64) []engine.Move {
	return []engine.Move{{Partition: in, From: from, To: to}}
}

func put(account string, was uint64, state string) engine.Write {
	return engine.Write{Account: account, Was: was, State: []byte(state), Due: engine.KeepDue}
}

// commit commits one step and returns its outcome.
func commit(t *testing.T, s engine.Store, step engine.Step) engine.Outcome {
	t.Helper()
	out := s.Commit(t.Context(), []engine.Step{step})
	if len(out) != 1 {
		t.Fatalf("got %d outcomes for one step", len(out))
	}
	return out[0]
}

// must commits one step that is to be OK.
func must(t *testing.T, s engine.Store, step engine.Step) engine.Outcome {
	t.Helper()
	out := commit(t, s, step)
	wantResult(t, out, engine.OK)
	return out
}

func wantResult(t *testing.T, out engine.Outcome, want engine.Result) {
	t.Helper()
	if out.Result != want {
		t.Fatalf("got result %d (%v), want %d", out.Result, out.Err, want)
	}
}

func load(t *testing.T, s engine.Store, shard int, accounts ...string) []engine.Record {
	t.Helper()
	records, err := s.Load(t.Context(), engine.Wanted{Shard: shard, Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != len(accounts) {
		t.Fatalf("got %d records, want %d", len(records), len(accounts))
	}
	return records
}

// wantRecord compares state and profile as text; "" is not stored.
func wantRecord(t *testing.T, s engine.Store, shard int, account string, version uint64, state, profile string) {
	t.Helper()
	r := load(t, s, shard, account)[0]
	if r.Account != account || r.Version != version || string(r.State) != state || string(r.Profile) != profile {
		t.Errorf("got %s version %d state %q profile %q, want %s %d %q %q",
			r.Account, r.Version, r.State, r.Profile, account, version, state, profile)
	}
	if version == 0 && r.State != nil {
		t.Errorf("state of %s is not nil but not stored", account)
	}
	if profile == "" && r.Profile != nil {
		t.Errorf("profile of %s is not nil but not stored", account)
	}
}

func wantPositions(t *testing.T, s engine.Store, shard int, want map[engine.Partition]int64) {
	t.Helper()
	got, err := s.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != s.Shards() {
		t.Fatalf("got positions of %d shards, want %d", len(got), s.Shards())
	}
	if !maps.Equal(got[shard], want) {
		t.Errorf("positions of shard %d: got %v, want %v", shard, got[shard], want)
	}
}

func wantDue(t *testing.T, s engine.Store, shard int, upTo int64, limit int, want ...engine.Due) {
	t.Helper()
	lists, err := s.Due(t.Context(), []int{shard}, upTo, limit)
	if err != nil {
		t.Fatal(err)
	}
	got := lists[0].Accounts
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("due up to %d, at most %d: got %v, want %v", upTo, limit, got, want)
	}
}

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
	return out
}
