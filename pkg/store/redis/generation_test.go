package redis_test

import (
	"testing"
	"time"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
)

// testGenerations builds a state beside the live one, switches and drops the old.
func testGenerations(t *testing.T, cfg redis.Config) {
	ctx := t.Context()
	live := open(t, cfg)
	write(t, live, "acme.example", "old")

	var g redis.Generations
	for range 2 { // begun again, it goes on with the same
		var err error
		if g, err = live.BeginGeneration(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if want := (redis.Generations{Live: 1, Next: 2}); g != want {
		t.Fatalf("got %+v, want %+v", g, want)
	}
	beside := cfg
	beside.Generation, beside.Shards = g.Next, 4 // another number of shards
	next := open(t, beside)
	if got := read(t, next, "acme.example"); got != "" {
		t.Errorf("the new generation begins with %q", got)
	}
	write(t, next, "acme.example", "new")

	if err := next.DropOutbox(ctx); err != nil {
		t.Fatal(err)
	}
	if depth, err := next.OutboxDepth(ctx); err != nil || depth != 0 {
		t.Errorf("dropped: %d entries, %v", depth, err)
	}
	if depth, err := live.OutboxDepth(ctx); err != nil || depth != 1 {
		t.Errorf("the live outbox has %d entries, %v, want 1", depth, err)
	}
	testSwitch(t, cfg, live)

	cfg.Shards = 4
	now := open(t, cfg)
	if got := read(t, now, "acme.example"); got != "new" || now.Generation() != 2 {
		t.Errorf("live is generation %d with %q, want 2 with the new state", now.Generation(), got)
	}
	if err := live.DropGeneration(ctx, 2); err == nil {
		t.Error("the live generation was dropped")
	}
	for range 2 {
		if err := now.DropGeneration(ctx, 1); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, live, "acme.example"); got != "" {
		t.Errorf("dropped, it still holds %q", got)
	}
	if got := read(t, now, "acme.example"); got != "new" {
		t.Errorf("dropping the old left %q in the new", got)
	}
	if g, err := now.BeginGeneration(ctx); err != nil || g != (redis.Generations{Live: 2, Next: 3}) {
		t.Errorf("got %+v, %v: a number came twice", g, err)
	}
	if err := now.DropGeneration(ctx, 3); err != nil {
		t.Error(err)
	}
	if g, err := now.Generations(ctx); err != nil || g != (redis.Generations{Live: 2}) {
		t.Errorf("given up: got %+v, %v", g, err)
	}
}

// testSwitch switches generation 1 to 2: by who holds the right to, and once.
func testSwitch(t *testing.T, cfg redis.Config, s *redis.Store) {
	ctx := t.Context()
	must := func(what string, want, got bool, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Fatalf("%s: got %t, %v, want %t", what, got, err, want)
		}
	}
	done, err := s.Switch(ctx, "a", 2)
	must("switch by nobody", false, done, err)
	done, err = s.HoldSwitch(ctx, "a", time.Millisecond)
	must("a holds", true, done, err)
	for held := true; held; { // until it has run out
		g, err := s.Generations(ctx)
		if err != nil {
			t.Fatal(err)
		}
		held = g.Held
	}
	done, err = s.HoldSwitch(ctx, "b", time.Minute)
	must("b holds", true, done, err)
	done, err = s.HoldSwitch(ctx, "a", time.Minute)
	must("a holds too", false, done, err)
	done, err = s.Switch(ctx, "a", 2)
	must("a switches", false, done, err)
	done, err = s.Switch(ctx, "b", 3)
	must("switch to what is not built", false, done, err)
	if err := s.DropGeneration(ctx, 2); err == nil {
		t.Error("dropped during a switch")
	}
	if err := s.ReleaseSwitch(ctx, "a"); err != nil {
		t.Error(err)
	}
	if g, err := s.Generations(ctx); err != nil || !g.Held {
		t.Errorf("got %+v, %v: a released what b holds", g, err)
	}
	for range 2 { // the second is the repeat after a lost answer
		done, err = s.Switch(ctx, "b", 2)
		must("b switches", true, done, err)
	}
	old := cfg
	old.Generation, old.Shards, old.AnyShards = 1, 3, true
	if got := open(t, old); got.Shards() != cfg.Shards || read(t, got, "acme.example") != "old" {
		t.Errorf("the old one is not there as it was: %d shards", got.Shards())
	}
}

func write(t *testing.T, s *redis.Store, account, state string) {
	t.Helper()
	shard := engine.ShardOf(account, s.Shards())
	step := engine.Step{
		Shard:  shard,
		Moves:  []engine.Move{{Partition: engine.Partition{Topic: "intent-events"}, To: 1}},
		Writes: []engine.Write{{Account: account, State: []byte(state), Due: 5, Tier: "B"}},
		Outbox: []engine.Message{{Account: account, Value: []byte(state)}},
	}
	if o := s.Commit(t.Context(), []engine.Step{step}); o[0].Result != engine.OK {
		t.Fatalf("%+v", o[0])
	}
}

func read(t *testing.T, s *redis.Store, account string) string {
	t.Helper()
	records, err := s.Load(t.Context(), engine.WantedOf([]string{account}, s.Shards())...)
	if err != nil {
		t.Fatal(err)
	}
	return string(records[0].State)
}
