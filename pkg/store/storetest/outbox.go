package storetest

import (
	"context"
	"slices"
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
)

// wantOutbox compares the values in the outbox, where the store has one to read.
func wantOutbox(t *testing.T, s engine.Store, shard int, want ...string) {
	t.Helper()
	o, readable := s.(Outbox)
	if !readable {
		return
	}
	if got := values(outbox(t, o, shard, "", 1000)); !slices.Equal(got, want) {
		t.Errorf("outbox of shard %d: got %q, want %q", shard, got, want)
	}
}

func outbox(t *testing.T, o Outbox, shard int, after string, limit int) []store.Entry {
	t.Helper()
	got, err := o.Outbox(t.Context(), shard, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func values(entries []store.Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, string(e.Value))
	}
	return out
}

func messages(account string, values ...string) []engine.Message {
	var out []engine.Message
	for _, v := range values {
		out = append(out, engine.Message{Account: account, Value: []byte(v)})
	}
	return out
}

func outboxOrder(t *testing.T, open func() Extras) {
	one, two := open(), open()
	must(t, one, engine.Step{Shard: 1, Outbox: []engine.Message{{Account: "a", Appended: 1_700_000_000_123, Trace: "00-1-2-01 a=b"}, {Account: "a"}}})
	timed := outbox(t, two, 1, "", 100)
	if len(timed) != 2 || timed[0].Appended != 1_700_000_000_123 || timed[1].Appended != 0 {
		t.Errorf("got %+v, want the first with its time and the second without", timed)
	}
	if timed[0].Trace != "00-1-2-01 a=b" || timed[1].Trace != "" {
		t.Errorf("got %+v, want the first with its trace and the second without", timed)
	}
	must(t, one, engine.Step{Outbox: messages("b", "1", "2", "3")})
	must(t, two, engine.Step{Outbox: messages("a", "4")})
	must(t, one, engine.Step{Outbox: append(messages("c", "5\x00\xff"), messages("a", "")...)})
	must(t, one, engine.Step{Shard: 1, Outbox: messages("x", "other")})
	got := outbox(t, two, 0, "", 100)
	if want := []string{"1", "2", "3", "4", "5\x00\xff", ""}; !slices.Equal(values(got), want) {
		t.Errorf("got %q, want %q", values(got), want)
	}
	var accounts []string
	for _, e := range got {
		accounts = append(accounts, e.Account)
	}
	if want := []string{"b", "b", "b", "a", "c", "a"}; !slices.Equal(accounts, want) {
		t.Errorf("got accounts %q, want %q", accounts, want)
	}
}

func outboxPages(t *testing.T, open func() Extras) {
	s := open()
	must(t, s, engine.Step{Outbox: messages("a", "1", "2", "3", "4", "5")})
	first := outbox(t, s, 0, "", 2)
	rest := outbox(t, s, 0, first[1].ID, 100)
	if got := append(values(first), values(rest)...); !slices.Equal(got, []string{"1", "2", "3", "4", "5"}) {
		t.Errorf("got %q in pages", got)
	}
	if got := outbox(t, s, 0, rest[2].ID, 100); len(got) != 0 {
		t.Errorf("got %q after the last", values(got))
	}
	for _, want := range []int{2, 0} { // a repeat is no error
		if removed, err := s.Trim(t.Context(), 0, []string{first[0].ID, rest[0].ID}); err != nil || removed != want {
			t.Fatalf("removed %d entries (%v), want %d", removed, err, want)
		}
	}
	wantOutbox(t, s, 0, "2", "4", "5")
	if _, err := s.Trim(t.Context(), 0, nil); err != nil {
		t.Errorf("trim of nothing: %v", err)
	}
	if _, err := s.Trim(t.Context(), 0, []string{first[1].ID, rest[1].ID, rest[2].ID}); err != nil {
		t.Fatal(err)
	}
	// What comes after an outbox was empty still comes after what was read.
	must(t, s, engine.Step{Outbox: messages("a", "6")})
	if got := values(outbox(t, s, 0, rest[2].ID, 100)); !slices.Equal(got, []string{"6"}) {
		t.Errorf("got %q after an outbox was emptied, want 6", got)
	}
}

func outboxDepth(t *testing.T, open func() Extras) {
	s := open()
	want := func(depth int64, pending ...int) {
		t.Helper()
		got, err := s.OutboxDepth(t.Context())
		if err != nil || got != depth {
			t.Errorf("got depth %d (%v), want %d", got, err, depth)
		}
		shards, err := s.PendingShards(t.Context(), []int{3, 0, 1})
		if err != nil || !slices.Equal(shards, pending) {
			t.Errorf("got pending %v (%v), want %v", shards, err, pending)
		}
	}
	want(0)
	must(t, s, engine.Step{Shard: 0, Outbox: messages("a", "1", "2")})
	must(t, s, engine.Step{Shard: 2, Outbox: messages("a", "1")}) // not asked for
	must(t, s, engine.Step{Shard: 3, Outbox: messages("a", "1")})
	want(4, 3, 0)
	if _, err := s.Trim(t.Context(), 3, []string{outbox(t, s, 3, "", 1)[0].ID}); err != nil {
		t.Fatal(err)
	}
	want(3, 0)
}

func wakes(t *testing.T, open func() Extras) {
	one, two := open(), open()
	a, endA := one.Wakes(t.Context())
	b, endB := two.Wakes(t.Context())
	defer endB()
	defer endA()
	for _, listener := range []<-chan int{a, b} {
		eventually(t, "a wake", func() bool { // the first ones may come before the subscription
			if err := two.Wake(t.Context(), 3); err != nil {
				t.Fatal(err)
			}
			select {
			case shard := <-listener:
				if shard != 3 {
					t.Fatalf("got shard %d, want 3", shard)
				}
				return true
			default:
				return false
			}
		})
	}
	for range one.Shards() * 4 { // nobody reads: Wake must not block
		if err := one.Wake(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
}

func wakesEnd(t *testing.T, open func() Extras) {
	s := open()
	drained := func(c <-chan int) {
		for range c { // until it is closed
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	byContext, end := s.Wakes(ctx)
	cancel()
	drained(byContext)
	end()
	end()
	byCall, end := s.Wakes(t.Context())
	end()
	drained(byCall)
}

// outboxDrops: a step takes entries out together with what it writes, or not at all.
func outboxDrops(t *testing.T, open func() Extras) {
	s, other := open(), open()
	must(t, s, engine.Step{Outbox: messages("a", "1", "2", "3")})
	got := outbox(t, s, 0, "", 100)
	refused := engine.Step{Drop: []string{got[0].ID}, Writes: []engine.Write{put("a", 7, "s")}}
	wantResult(t, commit(t, other, refused), engine.Conflict)
	want := func(want ...string) {
		t.Helper()
		if got := values(outbox(t, s, 0, "", 100)); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	want("1", "2", "3")
	must(t, s, engine.Step{Drop: []string{got[0].ID, got[2].ID}, Outbox: messages("a", "4")})
	want("2", "4")
	must(t, s, engine.Step{Drop: []string{got[0].ID}})
	want("2", "4")
}
