package storetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"tidemark/pkg/desk"
	"tidemark/pkg/store"
)

// Desk is a desk.Store with its outbox.
type Desk interface {
	desk.Store
	ForgetDesk(ctx context.Context, before int64) (int, error)
}

// RunDesk checks the contract of desk.Store. fresh makes an empty namespace, and what
// it returns opens one more Store on it.
func RunDesk(t *testing.T, fresh func(t *testing.T) func() Desk) {
	for name, test := range map[string]func(*testing.T, func() Desk){
		"an empty desk":                        emptyDesk,
		"a commit is whole":                    wholeCommit,
		"another in between is a conflict":     deskConflict,
		"a repeated commit is done once":       deskRepeated,
		"the outbox keeps its order":           deskOutbox,
		"the mark is held":                     deskMark,
		"accounts that left long ago are gone": deskForgets,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

func emptyDesk(t *testing.T, open func() Desk) {
	d := open()
	s, err := d.LoadDesk(t.Context())
	if err != nil || s.Token != "" || s.Shared != nil || len(s.MQAs)+len(s.Positions) != 0 {
		t.Errorf("got %v, %v", s, err)
	}
	past, err := d.DeskPast(t.Context(), "a")
	answer, err2 := d.DeskAnswer(t.Context(), "k")
	token, err3 := d.DeskToken(t.Context())
	if past != nil || answer != nil || token != "" || errors.Join(err, err2, err3) != nil {
		t.Errorf("got %q, %q, %q, %v", past, answer, token, errors.Join(err, err2, err3))
	}
}

// firstCommit writes a bit of everything.
func firstCommit() desk.Commit {
	return desk.Commit{
		To: "t1", Shared: []byte("{}"), Put: map[string][]byte{"a/x": []byte("1"), "b": {0, 255}},
		Past: map[string]desk.Past{"p": {At: 100, Value: []byte("gone")}}, Positions: map[string]int64{"changes/0": 0, "changes/1": 7},
		Outbox: []desk.Message{{Account: "a/x", Value: []byte("e1")}, {Account: "b", Value: []byte("e2")}},
		Answer: &desk.Answer{Key: "k", Value: []byte("yes"), TTL: time.Hour},
	}
}

func commitDesk(t *testing.T, d Desk, c desk.Commit) {
	t.Helper()
	if err := d.CommitDesk(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func wholeCommit(t *testing.T, open func() Desk) {
	commitDesk(t, open(), firstCommit())
	d := open()
	commitDesk(t, d, desk.Commit{From: "t1", To: "t2", Shared: []byte("{2}"), Put: map[string][]byte{"b": []byte("2")}, Drop: []string{"a/x"}, Positions: map[string]int64{"changes/1": 8}})
	s, err := open().LoadDesk(t.Context())
	if err != nil || s.Token != "t2" || string(s.Shared) != "{2}" || len(s.MQAs) != 1 || string(s.MQAs["b"]) != "2" ||
		!maps.Equal(s.Positions, map[string]int64{"changes/0": 0, "changes/1": 8}) {
		t.Errorf("got %v, %v", s, err)
	}
	past, err := d.DeskPast(t.Context(), "p")
	answer, err2 := d.DeskAnswer(t.Context(), "k")
	if string(past) != "gone" || string(answer) != "yes" || errors.Join(err, err2) != nil {
		t.Errorf("got %q, %q, %v", past, answer, errors.Join(err, err2))
	}
}

func deskConflict(t *testing.T, open func() Desk) {
	d := open()
	commitDesk(t, d, firstCommit())
	for _, from := range []string{"", "t0"} {
		err := d.CommitDesk(t.Context(), desk.Commit{From: from, To: "t3", Shared: []byte("{3}"), Drop: []string{"b"}, Outbox: []desk.Message{{Account: "b", Value: []byte("e3")}}})
		if !errors.Is(err, desk.ErrConflict) {
			t.Errorf("from %q: got %v, want a conflict", from, err)
		}
	}
	s, err := d.LoadDesk(t.Context())
	if err != nil || s.Token != "t1" || len(s.MQAs) != 2 || string(s.Shared) != "{}" {
		t.Errorf("got %v, %v", s, err)
	}
	wantEvents(t, d, "e1", "e2")
}

func deskRepeated(t *testing.T, open func() Desk) {
	d := open()
	commitDesk(t, d, firstCommit())
	commitDesk(t, d, firstCommit())
	wantEvents(t, d, "e1", "e2")
}

func deskOutbox(t *testing.T, open func() Desk) {
	d := open()
	commitDesk(t, d, firstCommit())
	commitDesk(t, d, desk.Commit{From: "t1", To: "t2", Shared: []byte("{}"), Outbox: []desk.Message{{Account: "a/x", Value: []byte("e3")}}})
	entries := wantEvents(t, d, "e1", "e2", "e3")
	if few, mark, err := d.DeskOutbox(t.Context(), "", 2); err != nil || len(few) != 2 || few[0].Account != "a/x" || mark != "" {
		t.Errorf("got %v, %q, %v", few, mark, err)
	}
	if rest, _, err := d.DeskOutbox(t.Context(), entries[0].ID, 2); err != nil || len(rest) != 2 || rest[0].ID != entries[1].ID {
		t.Errorf("got %v, %v", rest, err)
	}
	for range 2 { // the second finds it done
		if err := d.TrimDesk(t.Context(), []string{entries[0].ID, entries[1].ID}, "", "m1"); err != nil {
			t.Fatal(err)
		}
	}
	wantEvents(t, d, "e3")
}

// Nothing is trimmed, or committed with a mark, beside another mark than was seen; and
// what is gone already tells that the store was set back.
func deskMark(t *testing.T, open func() Desk) {
	d := open()
	commitDesk(t, d, firstCommit())
	entries := wantEvents(t, d, "e1", "e2")
	first, second := entries[0].ID, entries[1].ID
	if err := d.TrimDesk(t.Context(), []string{first}, "", "m1"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ id, from string }{{second, ""}, {second, "m0"}, {first, "m1"}} {
		if err := d.TrimDesk(t.Context(), []string{c.id}, c.from, "m2"); !errors.Is(err, desk.ErrConflict) {
			t.Errorf("trim %v: got %v, want a conflict", c, err)
		}
	}
	err := d.CommitDesk(t.Context(), desk.Commit{From: "t1", To: "t2", Shared: []byte("{}"), Trim: []string{second}, Mark: &desk.MarkMove{From: "m0", To: "m2"}})
	if !errors.Is(err, desk.ErrConflict) {
		t.Errorf("commit: got %v, want a conflict", err)
	}
	wantEvents(t, d, "e2")
	commitDesk(t, d, desk.Commit{
		From: "t1", To: "t2", Shared: []byte("{}"), Trim: []string{second}, Mark: &desk.MarkMove{From: "m1", To: "m2"},
		Outbox: []desk.Message{{Account: "b", Value: []byte("e4")}},
	})
	wantEvents(t, d, "e4")
	if s, err := open().LoadDesk(t.Context()); err != nil || s.Mark != "m2" {
		t.Errorf("got %v, %v", s, err)
	}
}

func wantEvents(t *testing.T, d Desk, want ...string) []store.Entry {
	t.Helper()
	entries, _, err := d.DeskOutbox(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, string(e.Value))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the outbox holds %q, want %q", got, want)
	}
	return entries
}

func deskForgets(t *testing.T, open func() Desk) {
	d := open()
	c := firstCommit()
	c.Past["q"] = desk.Past{At: 200, Value: []byte("later")}
	commitDesk(t, d, c)
	if n, err := d.ForgetDesk(t.Context(), 200); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", n, err)
	}
	for account, want := range map[string]string{"p": "", "q": "later"} {
		if got, err := d.DeskPast(t.Context(), account); string(got) != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", account, got, err, want)
		}
	}
}
