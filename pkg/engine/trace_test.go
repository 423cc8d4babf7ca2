package engine_test

import (
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
)

func TestAMessageHasTheTraceOfTheInputThatLedToIt(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	var scored []string
	e := setup{memory: s, hooks: engine.Hooks{Scored: func(in *engine.Input, led []engine.Message) {
		scored = append(scored, in.Event.ID)
		for i := range led {
			if led[i].Appended != 0 {
				led[i].Trace = in.Letter.(string)
			}
		}
	}}}.engine(t)
	assign(t, e, web)
	first, plain, last := demo(web, 0, "acme.example", start), demo(web, 1, "other.example", start), visit(web, 2, "acme.example", start+10*day)
	first.Letter, last.Letter = "of the first", "of the last" // which comes after a demotion by time, and leads to nothing
	process(t, e, round(first))
	process(t, e, round(plain))
	r := round(last)
	r.Until = last.Event.Time
	process(t, e, r)
	if len(scored) != 2 || scored[0] != first.Event.ID || scored[1] != last.Event.ID {
		t.Errorf("got %q, want it told of the first and the last", scored)
	}
	for account, want := range map[string][]string{"acme.example": {"of the first", ""}, "other.example": {"", ""}} {
		entries, err := s.Outbox(t.Context(), engine.ShardOf(account, shards), "", 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, entry := range entries {
			if entry.Account == account {
				got = append(got, entry.Trace)
			}
		}
		if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%s: got the traces %q, want %q", account, got, want)
		}
	}
}
