package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tidemark/deploy/testenv"
	"tidemark/pkg/app"
)

var (
	servers = testenv.Shared{KafkaOptions: testenv.KafkaOptions{Version: testenv.Kafka4}}
	// binary is the program under test, built once.
	binary string
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(withBinary{servers.Around(m)}) }

// withBinary builds the program before its tests and removes it after them.
type withBinary struct{ tests testenv.Runner }

func (w withBinary) Run() int {
	dir, err := os.MkdirTemp("", "tidemark-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the program under test:", err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	binary = filepath.Join(dir, "tidemark")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program under test: %v: %s\n", err, out)
		return 1
	}
	return w.tests.Run()
}

// The examples through real topics, spread over partitions by event and not by
// account, end as `score` says, crossing by crossing.
func TestServePublishesTheHistoryThatScoreDoes(t *testing.T) {
	t.Parallel()
	for _, example := range []struct{ model, dir string }{
		{"model.yaml", "stories"}, {"model.yaml", "random"}, {"model-edges.yaml", "edges"},
	} {
		t.Run(example.dir, func(t *testing.T) {
			t.Parallel()
			h := readHistory(t, example.model, example.dir).sorted(t)
			w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 4)
			w.load(h)
			i := w.serve()
			w.drained()
			w.equalScore(h)
			i.stop()
		})
	}
}

// equalScore wants what `score` makes of a history by now: the crossings that were
// published, and the standings.
func (w *world) equalScore(h history) {
	w.t.Helper()
	now := time.Now()
	want := w.score(h, now)
	w.equalHistory(w.changes(), want.changes)
	w.equalStandings(want.scores, now)
}

// equalHistory wants the same crossings, byte for byte.
func (w *world) equalHistory(got, want []change) {
	w.t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			w.t.Fatalf("missing: %s", want[i].raw)
		case i >= len(want):
			w.t.Fatalf("too much: %s", got[i].raw)
		case !bytes.Equal(got[i].raw, want[i].raw):
			w.t.Fatalf("change %d\n got %s\nwant %s", i, got[i].raw, want[i].raw)
		}
	}
}

// equalStandings wants every account to stand as `score` says at an instant.
func (w *world) equalStandings(want map[string]scoreOut, now time.Time) {
	w.t.Helper()
	for _, s := range want {
		got, err := app.Lookup(w.t.Context(), w.cfg, s.Account, now.UnixMilli())
		if err != nil {
			w.t.Error(err)
			continue
		}
		if got.Tier != s.Tier || got.Seq != s.Seq || math.Abs(got.Receipt.Score-s.Score) > 1e-6 {
			w.t.Errorf("%s: got %s seq %d score %v, want %s seq %d score %v", s.Account, got.Tier, got.Seq, got.Receipt.Score, s.Tier, s.Seq, s.Score)
		}
	}
}
