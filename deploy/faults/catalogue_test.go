package faults

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fault is one entry of the catalogue.
type fault struct {
	name   string
	quick  bool // part of every `go test`; the others are for `make test-faults`
	expect string
	run    func(t *testing.T, seen *seen)
}

// seen is what a run of a fault showed, for the table.
type seen struct {
	recovered time.Duration // from the fault's end until fresh events are scored
	figures   []string
}

func (s *seen) figure(format string, args ...any) {
	s.figures = append(s.figures, fmt.Sprintf(format, args...))
}

// Variables that choose what runs. All begin so that serve leaves them alone.
const (
	everythingVariable = "TIDEMARK_TEST_FAULTS"       // all: the whole catalogue
	tableVariable      = "TIDEMARK_TEST_FAULTS_TABLE" // a file that the table is written to
	soakVariable       = "TIDEMARK_TEST_SOAK"         // how long random faults go on, such as 30m
	seedVariable       = "TIDEMARK_TEST_SEED"         // of the random faults
)

func everything() bool { return os.Getenv(everythingVariable) == "all" }

// TestFaults runs the catalogue: on every machine what is quick, the rest when asked.
func TestFaults(t *testing.T) {
	t.Parallel()
	var (
		mu   sync.Mutex // guards rows
		rows []string
	)
	t.Cleanup(func() { writeTable(t, rows) })
	for n, f := range catalogue() {
		if !f.quick && !everything() {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var s seen
			begun := time.Now()
			f.run(t, &s)
			if t.Failed() {
				return
			}
			t.Logf("recovered: %s; %s", recovery(s.recovered), strings.Join(s.figures, "; "))
			mu.Lock()
			defer mu.Unlock()
			rows = append(rows, fmt.Sprintf("%03d|%s|%s|%s|%s|%.0f s|", n, f.name, f.expect, recovery(s.recovered),
				strings.Join(s.figures, "; "), time.Since(begun).Seconds()))
		})
	}
}

func recovery(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// writeTable writes what was seen, if somebody asks for it and all went well.
func writeTable(t *testing.T, rows []string) {
	path := os.Getenv(tableVariable)
	if path == "" || t.Failed() {
		return
	}
	slices.SortFunc(rows, cmp.Compare[string])
	var out bytes.Buffer
	out.WriteString(head)
	for _, r := range rows {
		_, r, _ = strings.Cut(r, "|")
		fmt.Fprintf(&out, "| %s\n", strings.ReplaceAll(r, "|", " | "))
	}
	out.WriteString(foot)
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Error(err)
	}
}

const head = `<!-- Written by ` + "`make test-faults`" + `. Do not edit. -->
# Faults

What each fault of the catalogue does to a deployment on real servers, as seen in the latest run. After each one everything that was
published and stored was held against the specification (deploy/faults/verify): no event lost, none counted twice, no seq with two
meanings. Where one process read the whole input and Redis was not set back, its counters were held against Kafka too:
records read = counted + duplicate + unmatched + outdated + unscored + dead letters. A process that dies takes its counters along, so
across crashes only the verifier counts.

Recovered is the time from the fault's end until a fresh event's score is stored; the consumer group's session time-out was 4 s (the
default is 10 s). Two shared cores, up to four faults at a time; every figure is of one run.

| fault | what happens | recovered | seen | took |
|---|---|---|---|---|
`

const foot = `
Not in the table:

- An invalid configuration on reload: there is no reload. Configuration and model are read at the start; an invalid one is refused
  with exit code 2, and what runs goes on.
- A full disk: Redis out of memory and MISCONF stand for it; Kafka ends by itself, as when it is killed.
- Power loss with unsynced caches, bit rot, partitions among several brokers, failures of a site: one machine cannot show them.
  A tail cut off Redis's append-only file stands for what a power cut loses.
`

func catalogue() []fault {
	return slices.Concat(crashes(), models(), merges(), recoveries(), groups(), redisFaults(), kafkaFaults(), dataFaults(), upgrades())
}
