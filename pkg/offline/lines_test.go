package offline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"tidemark/pkg/offline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// none is the memory of values that need none.
type none struct{}

func (none) Reset() {}

func lines(text io.Reader, limit int, value func([]byte) int, take func([]offline.Line[int]) error) *offline.Lines[none, int] {
	return &offline.Lines[none, int]{
		In: text, Limit: limit, Memory: func() none { return none{} }, Take: take,
		Value: func(_ none, line []byte) int { return value(line) },
	}
}

// read collects what Lines makes of a text, each line as number:length:value.
func read(t *testing.T, text string, limit int) ([]string, error) {
	t.Helper()
	var got []string
	err := lines(strings.NewReader(text), limit, func(line []byte) int { return bytes.Count(line, []byte("x")) },
		func(lines []offline.Line[int]) error {
			for _, l := range lines {
				got = append(got, fmt.Sprintf("%d:%d:%d", l.Number, len(l.Text), l.Value))
			}
			return nil
		}).Read(t.Context())
	return got, err
}

func TestLinesComeInOrderWithTheirNumbers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, want string }{
		{"", ""},
		{"\n\n", ""},
		{"x", "1:1:1"},
		{"x\n", "1:1:1"},
		{"ax\r\n\nxx\n", "1:2:1 3:2:2"},
		{"\nx\r", "2:1:1"},
	} {
		got, err := read(t, row.text, 100)
		if err != nil || strings.Join(got, " ") != row.want {
			t.Errorf("%q: got %v, %v, want %s", row.text, got, err, row.want)
		}
	}
}

func TestManyBlocksComeInOrder(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	var want []string
	for n := range 50_000 {
		width := n % 150
		text.WriteString(strings.Repeat("x", width) + "\n")
		if width > 0 {
			want = append(want, fmt.Sprintf("%d:%d:%d", n+1, width, width))
		}
	}
	got, err := read(t, text.String(), 200)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %d lines, %v, want %d", len(got), err, len(want))
	}
}

func TestALineLongerThanABlockIsWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5<<20)
	got, err := read(t, "a\n"+long+"\nb", 6<<20)
	if want := []string{"1:1:0", fmt.Sprintf("2:%d:%d", len(long), len(long)), "3:1:0"}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %v, %v, want %v", got, err, want)
	}
}

func TestALineAboveTheLimitIsToldWithItsNumber(t *testing.T) {
	t.Parallel()
	_, err := read(t, "a\nb\n"+strings.Repeat("x", 5<<20), 1<<20)
	if !errors.Is(err, offline.ErrLineTooLong) || !strings.Contains(err.Error(), "line 3") {
		t.Fatalf("got %v, want the line 3 to be too long", err)
	}
}

func TestLinesEndWithTheFirstFault(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	text := strings.Repeat("x\n", 3<<20)
	value := func([]byte) int { return 0 }
	err := lines(strings.NewReader(text), 10, value, func([]offline.Line[int]) error { return broken }).Read(t.Context())
	if !errors.Is(err, broken) {
		t.Errorf("take fails: got %v", err)
	}
	err = lines(iotest.ErrReader(broken), 10, value, func([]offline.Line[int]) error { return nil }).Read(t.Context())
	if !errors.Is(err, broken) {
		t.Errorf("reading fails: got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	err = lines(strings.NewReader(text), 10, value, func([]offline.Line[int]) error { cancel(broken); <-ctx.Done(); return nil }).Read(ctx)
	if !errors.Is(err, broken) {
		t.Errorf("cancelled: got %v", err)
	}
}

// counter is memory whose values are good until it is Reset.
type counter struct{ made []*int }

func (c *counter) Reset() {
	for _, n := range c.made {
		*n = -1
	}
	c.made = c.made[:0]
}

// Memory is used again, but not before who takes has done with it.
func TestMemoryIsUsedAgainOnceItIsTaken(t *testing.T) {
	t.Parallel()
	var memories atomic.Int32
	sum, n := 0, 0
	reader := offline.Lines[*counter, *int]{
		In: strings.NewReader(strings.Repeat("xxx\n", 5<<20)), Limit: 10,
		Memory: func() *counter { memories.Add(1); return &counter{} },
		Value: func(c *counter, text []byte) *int {
			n := len(text)
			c.made = append(c.made, &n)
			return &n
		},
		Take: func(lines []offline.Line[*int]) error {
			for _, l := range lines {
				sum += *l.Value + len(l.Text)
				n++
			}
			return nil
		},
	}
	if err := reader.Read(t.Context()); err != nil || sum != 6*n || n != 5<<20 {
		t.Fatalf("got %d of %d lines, %v", sum, n, err)
	}
	if got := int(memories.Load()); got > 4*runtime.GOMAXPROCS(0)+4 {
		t.Errorf("got %d memories", got)
	}
}
