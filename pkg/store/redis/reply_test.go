package redis

import (
	"errors"
	"testing"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/engine"
)

// What go-redis took apart reads as what the server said.
func TestAnswersReadWhatIsSpoken(t *testing.T) {
	t.Parallel()
	refused := replyError("WRONGTYPE no")
	r := answers{spoken(nil, []any{"a\r\nb", "", nil, int64(-7), refused, []any{}, "x", "1700000000000", "y", "1e+300", "z", "inf", "w", "-7"}, nil)}
	if n, err := r.array(); n != 14 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	for _, want := range []struct {
		kind byte
		text string
		err  error
	}{{'$', "a\r\nb", nil}, {'$', "", nil}, {'$', "", goredis.Nil}, {':', "-7", nil}, {'-', "", refused}} {
		kind, text, err := r.text()
		if kind != want.kind || string(text) != want.text || !errors.Is(err, want.err) {
			t.Errorf("got %c %q %v, want %c %q %v", kind, text, err, want.kind, want.text, want.err)
		}
	}
	if n, err := r.array(); n != 0 || err != nil {
		t.Errorf("got an array of %d, %v, want an empty one", n, err)
	}
	for _, want := range []struct {
		name string
		at   int64
	}{{"x", 1_700_000_000_000}, {"y", engine.NoDue}, {"z", engine.NoDue}, {"w", -7}} {
		if name, at, err := r.scored(); string(name) != want.name || at != want.at || err != nil {
			t.Errorf("got %q due at %d, %v, want %+v", name, at, err, want)
		}
	}
	if len(r.rest) != 0 {
		t.Errorf("%q is left", r.rest)
	}
	if class := Classify(refused); class != WrongType {
		t.Errorf("got class %q of %v", class, refused)
	}
}

// A reply that is cut, or none of Redis's, is an error and not a panic.
func TestAnswersRefuse(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "\r\n", "$", "$5\r\nabc\r\n", "$5\r\nabcde", "$x\r\n", "$-2\r\n", "$99999999999999999999\r\n", "*1\r\n", ":"} {
		r := answers{[]byte(raw)}
		if _, text, err := r.text(); err == nil {
			t.Errorf("%q: got the text %q", raw, text)
		}
	}
	for _, raw := range []string{"", "*", "*x\r\n", "$1\r\na\r\n", "-ERR no\r\n", "*-1\r\n"} {
		r := answers{[]byte(raw)}
		if n, err := r.array(); err == nil {
			t.Errorf("%q: got an array of %d", raw, n)
		}
	}
	r := answers{[]byte("$1\r\na\r\n$4\r\nsoon\r\n")}
	if _, at, err := r.scored(); err == nil {
		t.Errorf("got due at %d, want an error", at)
	}
}

// Due gets on where what is noted of each place is earlier than anybody in it, and more
// places are so than it looks at.
func TestDueBehindPlacesThatAreNotedTooEarly(t *testing.T) {
	t.Parallel()
	s, _ := openFaulty(t, miniConfig(miniredis.RunT(t), "tm"))
	closing(t, s)
	const accounts = 12
	arm := func(account string, was uint64, due int64) {
		t.Helper()
		w := engine.Write{Account: account, Was: was, State: []byte("S"), Due: due}
		if out := s.Commit(t.Context(), []engine.Step{{Writes: []engine.Write{w}}})[0]; out.Result != engine.OK {
			t.Fatalf("got %+v", out)
		}
	}
	for i := range int64(accounts) {
		name := string(rune('a' + i))
		arm(name, 0, i)
		arm(name, 1, 100-i)
	}
	for i := int64(accounts - 1); i >= 0; {
		lists, err := s.Due(t.Context(), []int{0}, 200, 1)
		if err != nil {
			t.Fatal(err)
		}
		list := lists[0]
		if len(list.Accounts) == 0 {
			if list.Next > 100-i {
				t.Fatalf("nobody is due before %d, want %d", list.Next, 100-i)
			}
			continue
		}
		if want := (engine.Due{Account: string(rune('a' + i)), At: 100 - i}); list.Accounts[0] != want {
			t.Fatalf("got %+v, want %+v", list.Accounts[0], want)
		}
		arm(list.Accounts[0].Account, 2, engine.NoDue)
		i--
	}
	if next, err := s.NextDue(t.Context(), []int{0}); err != nil || next[0] != engine.NoDue {
		t.Errorf("got %v, %v, want nobody", next, err)
	}
}
