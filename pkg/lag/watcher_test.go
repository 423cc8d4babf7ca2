package lag

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/scoring"
)

var part = engine.Partition{Topic: "engagement", ID: 0}

// world is a log of one partition and a store of two shards.
type world struct {
	records   []Record
	first     int64
	committed Commit
	shards    []map[engine.Partition]int64
	model     *scoring.Model
	due       []int64
	waiting   [2]int64
	down      atomic.Bool // the store does not answer
	gone      error       // of the log
	now       int64
}

func (w *world) fault() error {
	if w.down.Load() {
		return errors.New("refused")
	}
	return nil
}

func (w *world) Partitions(context.Context) ([]engine.Partition, []string, error) {
	return []engine.Partition{part}, nil, w.gone
}

func (w *world) Bounds(context.Context, []engine.Partition) (map[engine.Partition]engine.Bounds, error) {
	return map[engine.Partition]engine.Bounds{part: {First: w.first, End: int64(len(w.records))}}, nil
}

func (w *world) Committed(context.Context, []engine.Partition) (map[engine.Partition]Commit, error) {
	return map[engine.Partition]Commit{part: w.committed}, nil
}

func (w *world) Read(_ context.Context, _ engine.Partition, from int64, take func(Record) error) error {
	for _, r := range w.records[max(from, w.first):] {
		if err := take(r); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) Positions(context.Context) ([]map[engine.Partition]int64, error) {
	return w.shards, w.fault()
}
func (w *world) NextDue(context.Context, []int) ([]int64, error) { return w.due, w.fault() }
func (w *world) Load(_ context.Context, wanted ...engine.Wanted) ([]engine.Record, error) {
	var out []engine.Record
	for _, n := range wanted {
		for _, a := range n.Accounts {
			out = append(out, engine.Record{Account: a})
		}
	}
	return out, w.fault()
}

func (w *world) ResolveAliases(_ context.Context, domains []string) (map[string]string, error) {
	out := map[string]string{}
	for _, d := range domains {
		if d == "alias.example" {
			out[d] = account(1)
		}
	}
	return out, w.fault()
}

func (w *world) Waiting(context.Context) (entries, oldest int64, err error) {
	return w.waiting[0], w.waiting[1], w.fault()
}
func (w *world) Stored(context.Context) (int64, bool, error) { return 1500, true, w.fault() }
func (w *world) Model(context.Context) (*scoring.Model, engine.Past, error) {
	return w.model, engine.Past{}, w.fault()
}

// account is one of the shard.
func account(shard int) string {
	for i := 0; ; i++ {
		if name := fmt.Sprintf("a%d.example", i); engine.ShardOf(name, 2) == shard {
			return name
		}
	}
}

// oneVisit is a model in which one visit makes an MQA.
func oneVisit(t *testing.T) *scoring.Model {
	t.Helper()
	spec := scoring.Spec{
		Name: "one-visit", Version: 1,
		Groups:  []scoring.GroupSpec{{Name: "g"}},
		Signals: []scoring.SignalSpec{{Name: "visit", Group: "g", Type: "visit", Points: 90, HalfLife: scoring.Day}},
		Tiers:   []scoring.TierSpec{{Name: "hot", MQA: true}, {Name: "cold"}},
	}
	least := 80.0
	spec.Tiers[0].Min = &least
	m, err := scoring.Compile(spec, "h", nil, scoring.NewNames(spec.Names()))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// halfway is a world whose instance died in the middle of a round: shard 0 stored up to
// offset 6, shard 1 up to 2. The accounts of records take turns.
func halfway(t *testing.T) *world {
	t.Helper()
	w := &world{
		committed: Commit{Offset: 2, At: 90_000}, now: 100_000, model: oneVisit(t), due: []int64{engine.NoDue, engine.NoDue},
		shards: []map[engine.Partition]int64{{part: 6}, {part: 2}},
	}
	for i := range int64(10) {
		at := 60_000 + i*1000
		event := &scoring.Event{ID: fmt.Sprint(i), Source: "/t", Type: "visit", Time: at, Arrived: at, Account: account(int(i % 2)), Strength: 1}
		w.records = append(w.records, Record{Offset: i, Time: at, Events: []*scoring.Event{event}})
	}
	return w
}

func (w *world) report(t *testing.T, sample int64) *Report {
	t.Helper()
	watcher := &Watcher{Log: w, State: w, Now: func() int64 { return w.now }}
	r, err := watcher.Report(t.Context(), Options{Group: "g", Checkpoint: 2 * time.Second, Sample: sample})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What some shards stored and others did not is told record by record.
func TestARoundThatWasCutOff(t *testing.T) {
	t.Parallel()
	w := halfway(t)
	r := w.report(t, 100)
	// Shard 1 misses 3 and 5, both miss 6 to 9.
	if r.Records != 6 || r.Partitions[0].Position != 6 || *r.Partitions[0].Seconds != 37 || r.Status != Stop {
		t.Errorf("got %d records from %d on for %v s, %s; want 6, 6, 37, STOP", r.Records, r.Partitions[0].Position, *r.Partitions[0].Seconds, r.Status)
	}
	if r.Risk.Accounts != 2 || r.Risk.Events != 6 || r.Risk.Read != 6 || r.Risk.Waiting != 6 {
		t.Errorf("at risk: %+v, want two accounts of 6 records", r.Risk)
	}
	// A sample that ends between the two counts what is behind all shards.
	r = w.report(t, 2)
	if r.Risk.Read != 1 || r.Records != 5 {
		t.Errorf("a sample read %d and counts %d, want 1 (of offset 3) and 5", r.Risk.Read, r.Records)
	}
	if r = w.report(t, 0); *r.Partitions[0].Seconds <= 0 {
		t.Errorf("without a sample the age is %v", *r.Partitions[0].Seconds)
	}
}

func TestRecordsWithoutEvents(t *testing.T) {
	t.Parallel()
	w := halfway(t)
	for i := range w.records {
		w.records[i].Events = nil
	}
	if r := w.report(t, 100); r.Records != 4 || r.Risk.Accounts != 0 {
		t.Errorf("got %d records and %+v, want the 4 that no shard is past", r.Records, r.Risk)
	}
}

func TestAnEventFindsItsAccountByItsDomain(t *testing.T) {
	t.Parallel()
	w := halfway(t)
	for i := range w.records {
		w.records[i].Events[0].Account, w.records[i].Events[0].Domain = "", "alias.example"
	}
	if r := w.report(t, 100); r.Records != 8 || len(r.Risk.Names) != 1 || r.Risk.Names[0] != account(1) {
		t.Errorf("got %d records and %+v, want 8 of shard 1's account", r.Records, r.Risk)
	}
}

// The next step is that of the gravest thing.
func TestTheNextStep(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		change  func(w *world)
		late    bool
		heading string
	}{
		{"nobody works", func(*world) {}, true, "TidemarkDown"},
		{"nothing waits", func(w *world) {
			w.records = w.records[:0]
			w.committed.Offset = 0
			w.shards = []map[engine.Partition]int64{{part: 0}, {part: 0}}
		}, false, ""},
		{"somebody works", func(w *world) { w.committed.At = w.now }, false, ""},
		{"it is catching up", func(w *world) { w.committed.At = w.now; w.records[3].Time = 0 }, true, "Behind and not catching up"},
		{"redis is away", func(w *world) { w.down.Store(true) }, true, "TidemarkNothingStored"},
		{"redis was set back", func(w *world) { w.committed.Offset = 4 }, true, "TidemarkRewound"},
		{"redis is empty", func(w *world) { w.shards = []map[engine.Partition]int64{{}, {}} }, true, "Redis after a power cut"},
		{"a shard is empty", func(w *world) { w.shards[1] = nil }, true, "TidemarkRewound"},
		{"records are gone", func(w *world) { w.first = 5 }, true, "TidemarkNotStarting"},
		{"nothing is published", func(w *world) { w.committed.At = w.now; w.waiting = [2]int64{3, 61_000} }, true, "TidemarkNothingStored"},
		{"nobody sweeps", func(w *world) { w.committed.At = w.now; w.due[1] = w.now - 61_000 }, true, "Demotions that do not come"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := halfway(t)
			row.change(w)
			r := w.report(t, 100)
			if r.Late != row.late || r.Next.Heading != row.heading {
				t.Errorf("late %v, next %+v; want %v, %q", r.Late, r.Next, row.late, row.heading)
			}
			var text bytes.Buffer
			if err := r.Write(&text); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(text.String()), "\n")
			if last := lines[len(lines)-1]; !strings.HasPrefix(last, "next: ") || !strings.Contains(last, row.heading) {
				t.Errorf("the last line is %q", last)
			}
		})
	}
}

// The runbook has what a report sends people to.
func TestHeadingsAreInTheRunbook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "deploy", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range Headings() {
		if !strings.Contains(string(page), "# "+heading+"\n") {
			t.Errorf("deploy/README.md has no heading %q", heading)
		}
	}
}

// gauges are the figures of a keeper by name.
func gauges(t *testing.T, k *Keeper) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(k)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			out[strings.TrimPrefix(f.GetName(), "tidemark_")] = m.GetGauge().GetValue()
		}
	}
	return out
}

// A keeper sees what comes, and while it sees nothing what it saw grows older.
func TestKeeper(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := halfway(t)
		w.waiting, w.due[0] = [2]int64{2, 5000}, w.now-7000
		start := time.Now()
		watcher := &Watcher{Log: w, State: w, Now: func() int64 { return w.now + time.Since(start).Milliseconds() }}
		var log bytes.Buffer
		k := NewKeeper(watcher, Options{Group: "g", Checkpoint: time.Second, Every: 10 * time.Second, Sample: 10}, zerolog.New(&log))
		if got := gauges(t, k); len(got) != 0 {
			t.Errorf("before the first look: %v", got)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- k.Run(ctx) }()
		synctest.Wait()
		want := map[string]float64{
			"lag_records": 4, "lag_status": float64(Stop), "lag_seconds": 34, "lag_look_seconds": 0,
			"outbox_entries": 2, "outbox_age_seconds": 5, "sweep_delay_seconds": 7,
		}
		if got := gauges(t, k); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		w.down.Store(true)
		<-time.After(35 * time.Second)
		want["lag_seconds"], want["lag_look_seconds"], want["outbox_age_seconds"], want["sweep_delay_seconds"] = 69, 35, 40, 42
		if got := gauges(t, k); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 1 {
			t.Errorf("%d lines tell that nothing is seen, want 1\n%s", lines, log.String())
		}
		if r, err := k.Report(ctx); err != nil || r.Window != 35 || r.Status != Stop {
			t.Errorf("report: %+v, %v", r, err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
