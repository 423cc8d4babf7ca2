package live_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"tidemark/pkg/live"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a log in memory. Records' values are partition/offset.
type memory struct {
	mu      sync.Mutex // guards what follows
	first   []int64    // of each partition
	next    []int64
	changed chan struct{}
	follows int // calls of Follow under way, and the most there were
	most    int
	taken   int // records that Follow handed on
}

// until waits until a condition holds, which is asked under the lock.
func (m *memory) until(holds func() bool) {
	for {
		m.mu.Lock()
		done, changed := holds(), m.changed
		m.mu.Unlock()
		if done {
			return
		}
		<-changed
	}
}

func newMemory(partitions int) *memory {
	return &memory{first: make([]int64, partitions), next: make([]int64, partitions), changed: make(chan struct{})}
}

func record(p int, offset int64) live.Record {
	return live.Record{Partition: p, Offset: offset, Value: fmt.Appendf(nil, "%d/%d", p, offset)}
}

func (m *memory) publish(partition, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next[partition] += int64(n)
	m.tell()
}

// tell wakes who waits for a change. The lock is held.
func (m *memory) tell() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) Spans(context.Context) ([]live.Span, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []live.Span
	for p := range m.first {
		out = append(out, live.Span{First: m.first[p], Next: m.next[p]})
	}
	return out, nil
}

func (m *memory) Follow(ctx context.Context, from live.Position, take func(live.Record) error) error {
	m.mu.Lock()
	m.follows++
	m.most = max(m.most, m.follows)
	m.tell()
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.follows--
		m.tell()
	}()
	at := slices.Clone(from)
	for ctx.Err() == nil {
		m.mu.Lock()
		next, changed := slices.Clone(m.next), m.changed
		m.mu.Unlock()
		moved := false
		for _, p := range rand.Perm(len(next)) {
			for len(at) <= p {
				at = append(at, 0)
			}
			if at[p] < next[p] {
				if err := take(record(p, at[p])); err != nil {
					return err
				}
				at[p]++
				moved = true
				m.mu.Lock()
				m.taken++
				m.tell()
				m.mu.Unlock()
			}
		}
		if moved {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil
}

func (m *memory) Read(ctx context.Context, p int, from int64, take func(live.Record) error) error {
	m.mu.Lock()
	next := m.next[p]
	m.mu.Unlock()
	for ; from < next; from++ {
		if err := errors.Join(ctx.Err(), take(record(p, from))); err != nil {
			return err
		}
	}
	return nil
}

// collector is a listener that leaves after so many records.
type collector struct {
	mu    sync.Mutex // guards what follows
	at    live.Position
	got   []live.Record
	lost  []string
	beats int

	leave int // 0: never
	stood chan struct{}
}

var errLeft = errors.New("left")

func (c *collector) At(p live.Position) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = slices.Clone(p)
	if c.stood != nil {
		close(c.stood)
	}
	return nil
}

func (c *collector) Take(r live.Record, p live.Position) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got, c.at = append(c.got, r), slices.Clone(p)
	if c.leave > 0 && len(c.got) == c.leave {
		return errLeft
	}
	return nil
}

func (c *collector) Lost(p int, from, to int64) error {
	c.lost = append(c.lost, fmt.Sprintf("%d: %d-%d", p, from, to))
	return nil
}

func (c *collector) Beat() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beats++
	return nil
}

// running is a Hub whose Run ends with the test.
func running(t *testing.T, c live.Config) (_ *live.Hub, stop func()) {
	t.Helper()
	h := live.New(c, zerolog.Nop())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return h, stop
}

// Listeners that leave and come back with their position, into a window far smaller than
// what is published, each get everything once and in order.
func TestWhoComesBackLosesNothing(t *testing.T) {
	t.Parallel()
	m := newMemory(3)
	h, _ := running(t, live.Config{Log: m, Window: 8, Catching: 2})
	const each, listeners = 400, 6
	m.publish(1, 5) // from before
	var group sync.WaitGroup
	var ready sync.WaitGroup
	ready.Add(listeners)
	for n := range listeners {
		group.Go(func() {
			from := live.From{}
			next := []int64{0, 5, 0}
			if n%2 == 0 {
				from.Beginning, next[1] = true, 0
			}
			total := 0
			for visit := 0; next[0] < each || next[1] < each+5 || next[2] < each; visit++ {
				c := &collector{leave: 1 + rand.IntN(70)}
				if visit == 0 {
					c.stood = make(chan struct{})
					go func() { <-c.stood; ready.Done() }()
				}
				if missing := int(3*each + 5 - next[0] - next[1] - next[2]); c.leave > missing {
					c.leave = missing
				}
				err := h.Listen(t.Context(), from, c)
				if !errors.Is(err, errLeft) && !errors.Is(err, live.ErrSlow) {
					t.Errorf("listener %d ended with %v", n, err)
					return
				}
				for _, r := range c.got {
					if r.Offset != next[r.Partition] || string(r.Value) != fmt.Sprintf("%d/%d", r.Partition, r.Offset) {
						t.Errorf("listener %d: got %s, want offset %d", n, r.Value, next[r.Partition])
						return
					}
					next[r.Partition]++
					total++
				}
				back, err := live.ParsePosition(c.at.String())
				if err != nil || !slices.Equal(back, next) {
					t.Errorf("listener %d stands at %v, want %v: %v", n, back, next, err)
					return
				}
				from = live.From{Position: back}
			}
		})
	}
	ready.Wait()
	for range each {
		for p := range 3 {
			m.publish(p, 1)
		}
	}
	group.Wait()
	m.until(func() bool { return m.follows == 0 }) // nobody listens
	if m.most != 1 {
		t.Errorf("the log was followed %d times at once, want once", m.most)
	}
}

func TestAListenerThatIsSlowIsCutOff(t *testing.T) {
	t.Parallel()
	m := newMemory(1)
	h, _ := running(t, live.Config{Log: m, Window: 4})
	slow := &blocked{enter: make(chan struct{}), release: make(chan struct{})}
	cut := make(chan error, 1)
	go func() { cut <- h.Listen(t.Context(), live.From{}, slow) }()
	m.until(func() bool { return m.follows > 0 }) // from here on it is in the window
	m.publish(0, 1)
	<-slow.enter
	m.publish(0, 100)
	m.until(func() bool { return m.taken == 101 })
	close(slow.release)
	if err := <-cut; !errors.Is(err, live.ErrSlow) {
		t.Errorf("the slow one: got %v, want %v", err, live.ErrSlow)
	}
}

// blocked is a listener that takes its first record for as long as it is let.
type blocked struct {
	collector
	once           sync.Once
	enter, release chan struct{}
}

func (b *blocked) Take(live.Record, live.Position) error {
	b.once.Do(func() { close(b.enter) })
	<-b.release
	return nil
}

func TestListenersHearBeatsAndTheEnd(t *testing.T) {
	t.Parallel()
	m := newMemory(1)
	h, stop := running(t, live.Config{Log: m, Beat: time.Millisecond, Listeners: 1})
	c := &collector{stood: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- h.Listen(t.Context(), live.From{}, c) }()
	<-c.stood
	if n := h.Listeners(); n != 1 {
		t.Errorf("%d listen, want 1", n)
	}
	if err := h.Listen(t.Context(), live.From{}, &collector{}); !errors.Is(err, live.ErrFull) {
		t.Errorf("one more: got %v, want %v", err, live.ErrFull)
	}
	for beats := 0; beats < 3; {
		m.publish(0, 0)
		c.mu.Lock()
		beats = c.beats
		c.mu.Unlock()
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("the end: got %v", err)
	}
	if err := h.Listen(t.Context(), live.From{}, &collector{}); !errors.Is(err, live.ErrClosed) {
		t.Errorf("after the end: got %v, want %v", err, live.ErrClosed)
	}
}

func TestWhatTheLogNoLongerHoldsIsTold(t *testing.T) {
	t.Parallel()
	m := newMemory(2)
	m.publish(0, 10)
	m.publish(1, 10)
	m.first[1] = 7
	h, _ := running(t, live.Config{Log: m})
	c := &collector{leave: 7}
	if err := h.Listen(t.Context(), live.From{Position: live.Position{6, 2}}, c); !errors.Is(err, errLeft) {
		t.Fatal(err)
	}
	if !slices.Equal(c.lost, []string{"1: 2-7"}) || c.at.String() != "10.10" {
		t.Errorf("lost %q, stands at %s", c.lost, c.at)
	}
	for _, p := range []live.Position{{11, 0}, {0, 0, 0}} {
		if err := h.Listen(t.Context(), live.From{Position: p}, &collector{}); !errors.Is(err, live.ErrElsewhere) {
			t.Errorf("%v: got %v, want %v", p, err, live.ErrElsewhere)
		}
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", "1,2", "1.", ".1", "-1", "01", "1.+2", "99999999999999999999", "1.2\n"} {
		if p, err := live.ParsePosition(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, p)
		}
	}
	if p, err := live.ParsePosition("17.0.4"); err != nil || p.String() != "17.0.4" {
		t.Errorf("got %v, %v", p, err)
	}
}
