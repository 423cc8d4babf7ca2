package lag

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// steady is a window of looks a second apart at a consumer that commits every two
// seconds and takes 10 records a second of the 10 that come; 100 wait.
func steady() []Sample {
	var out []Sample
	for i := range int64(10) {
		at := 100_000 + i*1000
		out = append(out, Sample{
			At: at, Low: 1000 + i*10, Position: 1000 + i*10, End: 1100 + i*10, Committed: 1000 + i/2*20, CommittedAt: at - i%2*1000,
		})
	}
	return out
}

func each(change func(i int64, s *Sample)) func(w []Sample) {
	return func(w []Sample) {
		for i := range w {
			change(int64(i), &w[i])
		}
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(w []Sample)
		want   Status
	}{
		{"as many wait all the time", func([]Sample) {}, Warn},
		{"fewer wait once", func(w []Sample) { w[4].End -= 5 }, OK},
		{"more and more wait", each(func(i int64, s *Sample) { s.End += i * 10 }), Warn},
		{"fewer and fewer wait", each(func(i int64, s *Sample) { s.End -= i * 5 }), OK},
		{"nothing waits now", func(w []Sample) { w[9].End = w[9].Position }, OK},
		{"nothing waited for a moment", func(w []Sample) { w[2].End = w[2].Position }, OK},
		{"commits, and stays", each(func(_ int64, s *Sample) { s.Low, s.Position, s.Committed = 1000, 1000, 1000 }), Stall},
		{"does not commit, and stays", each(func(_ int64, s *Sample) {
			s.Low, s.Position, s.Committed, s.CommittedAt = 1000, 1000, 1000, 99_000
		}), Stop},
		{"never committed", each(func(_ int64, s *Sample) { s.Low, s.Position, s.Committed, s.CommittedAt = 0, 0, -1, 0 }), Stop},
		{"goes on, but does not commit", each(func(_ int64, s *Sample) { s.Committed, s.CommittedAt = 900, 90_000 }), Warn},
		{"ended a moment ago", func(w []Sample) {
			for i := 7; i < 10; i++ {
				w[i].Low, w[i].Position, w[i].Committed, w[i].CommittedAt = w[6].Low, w[6].Position, w[6].Committed, w[6].CommittedAt
			}
		}, Warn},
		{"went back", func(w []Sample) { w[9].Low, w[9].Position, w[9].Committed = 500, 500, 500 }, Rewind},
		{"went back and is there again", func(w []Sample) { w[3].Low, w[3].Position, w[3].Committed = 500, 500, 500 }, OK},
		{"the store stands behind the group", func(w []Sample) { w[9].Committed = w[9].Low + 1 }, Rewind},
		{"one shard stands behind the group, at the log's end", func(w []Sample) { w[9].Position, w[9].Low = w[9].End, w[9].Committed-1 }, Rewind},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			window := steady()
			row.change(window)
			if got := Evaluate(window, 2*time.Second); got != row.want {
				t.Errorf("got %s, want %s of %+v", got, row.want, window)
			}
		})
	}
}

// One look can tell what went wrong already, and nothing of how things go.
func TestStatusOfOneLook(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		sample Sample
		want   Status
	}{
		{"it waits, and somebody works", Sample{At: 10_000, Position: 5, Low: 5, End: 9, Committed: 5, CommittedAt: 9000}, OK},
		{"nobody committed for long", Sample{At: 10_000, Position: 5, Low: 5, End: 9, Committed: 5, CommittedAt: 5000}, Stop},
		{"the store is behind", Sample{At: 10_000, Position: 4, Low: 4, End: 9, Committed: 5, CommittedAt: 9000}, Rewind},
		{"nobody commits, as nothing comes", Sample{At: 10_000, Position: 9, Low: 9, End: 9, Committed: 9, CommittedAt: 5000}, OK},
	} {
		if got := Evaluate([]Sample{row.sample}, 2*time.Second); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
	if got := Evaluate(nil, time.Second); got != OK {
		t.Errorf("no look: got %s", got)
	}
}
