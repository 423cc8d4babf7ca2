package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/bench"
)

// zeros are the figures that may be zero; all others must be there and positive.
var zeros = []string{
	"catch-up/differences from the offline history", "catch-up/differences from the first round's history",
	"catch-up/others' cores",
	"latency/at 500/s: cpu redis", "sweep/cpu redis", "sweep/cpu serve", "sweep/cpu kafka",
}

// mayBeZero reports whether a figure may be zero: those of zeros, commits that nobody
// overtook, and processor time of what takes less than the kernel's unit of it.
func mayBeZero(section, name string) bool {
	return slices.Contains(zeros, name) || strings.Contains(name, ": cpu ") || strings.HasSuffix(name, ": overtaken commits") ||
		section == bench.SectionTime && strings.HasPrefix(name, "time/the same crossings")
}

// Every section on real servers, a few thousand events: all figures are there, and
// what was published is what the offline score makes of the same log.
func TestBenchMeasuresEverything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "figures.json")
	cmd := exec.CommandContext(t.Context(), binary, "bench", "--events=4000", "--accounts=400", "--rounds=1", "--verify", "--load-for=3s",
		"--rates=500", "--rate=500", "--due=200", "--quiet=2000", "--crossing=50", "--growth=100,2000", "--idle-for=1s", "--json="+path)
	cmd.Env = append(os.Environ(), "TIDEMARK_ENGINE_CHECKPOINT_INTERVAL=200ms") // what the bench waits for most
	var progress bytes.Buffer
	cmd.Stderr = &progress
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, progress.Bytes(), out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	sections := map[string]bool{}
	for _, f := range report.Figures {
		name := f.Section + "/" + f.Name
		if f.Quantile != "" {
			name += " " + f.Quantile
		}
		got[name] = f.Value
		sections[f.Section] = true
		if f.Value < 0 || f.Value == 0 && !mayBeZero(f.Section, name) {
			t.Errorf("%s: %v %s", name, f.Value, f.Unit)
		}
	}
	if want := bench.Sections(); !slices.Equal(slices.Sorted(maps.Keys(sections)), slices.Sorted(slices.Values(want))) {
		t.Errorf("sections %v, want %v", sections, want)
	}
	for _, name := range append(zeros,
		"catch-up/floor before", "catch-up/catch-up", "catch-up/ratio to the floor", "catch-up/decode only", "catch-up/cpu serve",
		"catch-up/allocations", "catch-up/rss peak", "catch-up/tier changes", "latency/at 500/s: input read back p50",
		"latency/at 500/s: tier change p99.9", "state/redis memory", "rescore/rate", "rescore/meanwhile: tier change p99",
		"sweep/from due to the last one read", "sweep/meanwhile: tier change p99", "sweep/demotion p50",
		"offline/score", "time/2,000 accounts at rest: cpu serve and redis", "time/200 accounts, 50 cross: cpu of one crossing",
		"growth/2,000 accounts, same events: to the least", "growth/2,000 accounts, of any account: cpu kafka",
		"instances/one instance: catch-up", "instances/2 instances: cpu serve 2", "instances/Redis Cluster of 3: cpu redis 3",
	) {
		if _, ok := got[name]; !ok {
			t.Errorf("no figure %s", name)
		}
	}
	if got["rescore/accounts rescored"] < 2000 {
		t.Errorf("%v accounts rescored, want those at rest and some more", got["rescore/accounts rescored"])
	}
	for _, a := range report.Aims {
		if peers := a.Section == bench.SectionPeers; peers != (a.Verdict == bench.NotMeasured) || !a.Smaller {
			t.Errorf("aim %s: %s, in a smaller run: %v", a.What, a.Verdict, a.Smaller)
		}
	}
	for _, name := range zeros[:2] {
		if got[name] != 0 {
			t.Errorf("%s: %v", name, got[name])
		}
	}
	if !strings.Contains(string(out), "floor before") || !strings.Contains(string(out), "4000 events, 400 accounts") ||
		!strings.Contains(string(out), "in a smaller run") {
		t.Errorf("no table:\n%s", out)
	}
}

func TestBenchRefusesWrongUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--rounds=0":                            "--rounds: 0",
		"--only=speed":                          `--only: "speed" is not one of catch-up`,
		"--zipf=0.5 --events=0":                 "--zipf: 0.5",
		"--peers=storm":                         `--peers: "storm" is not one of streams`,
		"--peers=flink --peers-dir=/nowhere":    "make bench-peers",
		"--rates=0":                             "--rates and --rate: 0",
		"--load-for=1ms":                        "--load-for: 1ms",
		"--kafka=nowhere":                       "kafka.brokers",
		"--growth=100,10 --quiet=0":             "--growth: 10 after 100",
		"--quiet=0 --crossing=0":                "--quiet: 0",
		"--config=" + "/nowhere/tidemark.yaml":  "/nowhere/tidemark.yaml",
		"--idle-for=0s --due=0 --partitions=-1": "--due: 0",
	} {
		var out, errs bytes.Buffer
		s := &streams{ctx: t.Context(), in: strings.NewReader(""), out: &out, err: &errs}
		if code := run(s, append([]string{"bench"}, strings.Fields(args)...)); code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit code %d, %s; want %d and %q", args, code, errs.String(), exitUsage, want)
		}
	}
}

// A bench that is interrupted ends what it started and says that it is not complete.
func TestInterruptedBenchEndsInOrder(t *testing.T) {
	t.Parallel()
	w := servers.Kafka(t)
	cmd := exec.Command(binary, "bench", "--kafka="+w.Addr(), "--redis="+servers.Redis(t).Addr(), "--only=latency", "--rates=100", "--load-for=10m")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	loading := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for open := true; ; {
			n, err := stderr.Read(buf)
			said.Write(buf[:n])
			if open && strings.Contains(said.String(), "100 events/s for") {
				open = false
				close(loading)
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case <-loading:
	case <-read:
	case <-time.After(time.Minute):
	}
	signalErr := cmd.Process.Signal(os.Interrupt)
	<-read
	err = cmd.Wait()
	if signalErr != nil || cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(said.String(), "interrupted: the figures are incomplete") {
		t.Fatal(fmt.Errorf("%w, %w: %s", signalErr, err, said.String()))
	}
	if strings.Contains(said.String(), "remove") {
		t.Errorf("not everything was removed: %s", said.String())
	}
}
