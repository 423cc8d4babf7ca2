package redis_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"tidemark/deploy/testenv"
	"tidemark/pkg/follow"
	"tidemark/pkg/store/redis"
	"tidemark/pkg/webhook"
)

// What subscribers keep does the same on the in-process server, on Redis and on a cluster.
func TestSubscribersOnAllServers(t *testing.T) {
	t.Parallel()
	mini, single, cluster := startMini(t), testenv.StartRedisFor(t), testenv.StartRedisClusterFor(t)
	for name, config := range map[string]func(t *testing.T) redis.Config{
		"miniredis": func(t *testing.T) redis.Config {
			cfg := testConfig(t, mini.Addr())
			cfg.Embedded = true
			return cfg
		},
		"redis":   func(t *testing.T) redis.Config { return testConfig(t, single.Addr()) },
		"cluster": func(t *testing.T) redis.Config { return testConfig(t, cluster.Addrs()...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("ledger", func(t *testing.T) { t.Parallel(); testLedger(t, config(t)) })
			t.Run("queues", func(t *testing.T) { t.Parallel(); testQueues(t, config(t)) })
			t.Run("audiences", func(t *testing.T) { t.Parallel(); testAudiences(t, config(t)) })
		})
	}
}

func testLedger(t *testing.T, cfg redis.Config) {
	ctx := t.Context()
	s := open(t, cfg)
	l := s.HookLedger("tier-changes")
	if at, err := l.Positions(ctx); at != nil || err != nil {
		t.Fatalf("new: %v %v", at, err)
	}
	seen := map[string]uint64{}
	for n := range 600 {
		seen[fmt.Sprintf("firm-%d.example", n)] = uint64(n + 1)
	}
	queued := map[string][]webhook.Entry{"crm": {{Topic: "tier-changes", Key: "a", Seq: 1, Value: []byte("one")}}}
	if err := l.TakeQueued(ctx, follow.Step{Seen: seen, Positions: map[int]int64{0: 7, 11: 1 << 60}}, 5, queued); err != nil {
		t.Fatal(err)
	}
	got, err := l.Seen(ctx, []string{"firm-599.example", "nobody", "firm-0.example"})
	if err != nil || !reflect.DeepEqual(got, []uint64{600, 0, 1}) {
		t.Errorf("seen %v, %v", got, err)
	}
	// Another process takes over: the first one's step is refused, whole.
	other := open(t, cfg).HookLedger("tier-changes")
	at, err := other.Positions(ctx)
	if err != nil || !reflect.DeepEqual(at, map[int]int64{0: 7, 11: 1 << 60}) {
		t.Errorf("positions %v, %v", at, err)
	}
	if err := other.TakeQueued(ctx, follow.Step{Positions: map[int]int64{0: 8}}, 5, nil); err != nil {
		t.Fatal(err)
	}
	if err := l.TakeQueued(ctx, follow.Step{Positions: map[int]int64{0: 9}}, 5, queued); !errors.Is(err, follow.ErrTakenOver) {
		t.Errorf("the step of the former owner gives %v", err)
	}
	if at, err = l.Positions(ctx); err != nil || at[0] != 8 {
		t.Errorf("positions %v, %v", at, err)
	}
	if depths, err := s.Hooks().Depths(ctx, []string{"crm"}); err != nil || depths[0] != (webhook.Depth{Queued: 1, Next: 5}) {
		t.Errorf("depths %v, %v", depths, err)
	}
}

func testQueues(t *testing.T, cfg redis.Config) {
	ctx := t.Context()
	q := open(t, cfg).Hooks()
	entry := func(key string, seq uint64) webhook.Entry {
		return webhook.Entry{Topic: "tier-changes", Key: key, Seq: seq, Value: fmt.Appendf(nil, "%s/%d", key, seq)}
	}
	odd := "a \"b\x00!"
	add := []webhook.Entry{entry("a", 10), entry("a", 9), entry("b", 1), entry(odd, 1), entry("a ", 2)}
	for range 2 { // done twice it is as done once
		if err := q.Add(ctx, "crm", 100, add); err != nil {
			t.Fatal(err)
		}
	}
	claim := func(now, until int64, want ...webhook.Entry) {
		t.Helper()
		got, err := q.Claim(ctx, "crm", now, until, 10)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]webhook.Entry{}
		for _, e := range got {
			found[e.Key] = e
		}
		for _, e := range want {
			if !reflect.DeepEqual(found[e.Key], e) {
				t.Errorf("at %d: got %+v, want %+v", now, found[e.Key], e)
			}
		}
		if len(got) != len(want) {
			t.Errorf("at %d: got %d entries, want %d", now, len(got), len(want))
		}
	}
	claim(99, 0)
	claim(100, 200, entry("a", 9), entry("b", 1), entry(odd, 1), entry("a ", 2))
	claim(199, 300) // they are in hand
	for _, e := range []webhook.Entry{entry("b", 1), entry(odd, 1), entry("a ", 2)} {
		if err := q.Done(ctx, "crm", 150, e); err != nil {
			t.Fatal(err)
		}
	}
	failed := entry("a", 9)
	failed.Attempts, failed.First = 2, 1700000000123
	if err := q.Later(ctx, "crm", 250, failed); err != nil {
		t.Fatal(err)
	}
	claim(249, 300)
	claim(250, 300, failed)
	if err := q.Done(ctx, "crm", 260, failed); err != nil {
		t.Fatal(err)
	}
	claim(260, 300, entry("a", 10)) // it waited behind
	if err := q.Done(ctx, "crm", 270, entry("a", 10)); err != nil {
		t.Fatal(err)
	}
	batches(t, q)
	if depths, err := q.Depths(ctx, []string{"crm", "other"}); err != nil || depths[0] != (webhook.Depth{}) || depths[1] != (webhook.Depth{}) {
		t.Errorf("depths %v, %v", depths, err)
	}
	want := webhook.Status{Disabled: "gone", Since: 7}
	if err := q.SetStatus(ctx, "crm", want); err != nil {
		t.Fatal(err)
	}
	if got, err := q.Statuses(ctx); err != nil || got["crm"] != want || len(got) != 1 {
		t.Errorf("statuses %v, %v", got, err)
	}
}

// What failed together is due together; others fill up, or wait.
func batches(t *testing.T, q *redis.Hooks) {
	t.Helper()
	entry := func(key string, seq uint64) webhook.Entry {
		return webhook.Entry{Topic: "tier-changes", Key: key, Seq: seq, Value: []byte(key)}
	}
	add := func(now int64, entries ...webhook.Entry) {
		t.Helper()
		if err := q.Add(t.Context(), "bulk", now, entries); err != nil {
			t.Fatal(err)
		}
	}
	claim := func(now, until int64, want ...webhook.Entry) {
		t.Helper()
		got, err := q.ClaimBatch(t.Context(), "bulk", now, until, 3, 50)
		if err != nil || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("at %d: got %+v, %v, want %+v", now, got, err, want)
		}
	}
	add(100, entry("a", 1), entry("a", 2), entry("b", 1))
	claim(149, 500) // it may fill up
	claim(150, 500, entry("a", 1), entry("b", 1))
	a, b := entry("a", 1), entry("b", 1)
	for _, e := range []*webhook.Entry{&a, &b} {
		e.Attempts, e.First, e.Batch = 1, 150, "msg_x"
	}
	if err := q.Later(t.Context(), "bulk", 300, a, b); err != nil {
		t.Fatal(err)
	}
	add(200, entry("c", 1), entry("d", 1), entry("e", 1), entry("f", 1))
	claim(210, 500, entry("c", 1), entry("d", 1), entry("e", 1)) // it is full
	claim(300, 500, a, b)                                        // these alone, and before what came earlier
	claim(301, 500, entry("f", 1))
	if err := q.Done(t.Context(), "bulk", 400, a, b, entry("c", 1), entry("d", 1), entry("e", 1), entry("f", 1)); err != nil {
		t.Fatal(err)
	}
	claim(450, 500, entry("a", 2))
	if err := q.Done(t.Context(), "bulk", 451, entry("a", 2)); err != nil {
		t.Fatal(err)
	}
	claim(1000, 2000)
}
