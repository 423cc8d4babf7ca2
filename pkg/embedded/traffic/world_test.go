package traffic_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"tidemark/pkg/app"
	"tidemark/pkg/embedded/traffic"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/offline"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

var began = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// until are the world's events before an instant.
func until(w *traffic.World, end time.Duration) []traffic.Event {
	var out []traffic.Event
	for e := range w.Events() {
		if e.At >= end {
			break
		}
		out = append(out, e)
	}
	return out
}

func TestSameSeedSameWorld(t *testing.T) {
	t.Parallel()
	lines := func(seed uint64) string {
		w := traffic.New(seed, 30)
		var all []byte
		for _, e := range append(w.Profiles(), until(w, 30*day)...) {
			b, err := e.CloudEvent(began)
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, b...), '\n')
		}
		return string(all)
	}
	once, again := lines(7), lines(7)
	if once != again {
		t.Error("one seed gave two worlds")
	}
	if once == lines(8) {
		t.Error("two seeds gave one world")
	}
}

func TestEventsComeInOrderOfTime(t *testing.T) {
	t.Parallel()
	events := until(traffic.New(3, 200), 60*day)
	if !slices.IsSortedFunc(events, func(a, b traffic.Event) int { return int(a.At - b.At) }) {
		t.Error("events are not in order")
	}
	if len(events) < 1000 {
		t.Errorf("%d events in 60 days of 200 firms", len(events))
	}
	if events[0].At < 0 {
		t.Errorf("the first event is at %v", events[0].At)
	}
}

func TestFirmsAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range traffic.New(1, 3000).Firms() {
		if seen[f.Account] {
			t.Fatalf("%s twice", f.Account)
		}
		seen[f.Account] = true
	}
}

// change is what these tests read of a tier change.
type change struct {
	Time time.Time `json:"time"`
	Data struct {
		Account, From, To, Direction string
		MQA                          bool
		Score                        float64
		Cause                        struct{ Kind, ID, Source string }
	} `json:"data"`
}

// history scores a world under the reference model.
func history(t *testing.T, w *traffic.World, end time.Duration) []change {
	t.Helper()
	file, err := app.ReadModel("")
	if err != nil {
		t.Fatal(err)
	}
	return historyUnder(t, file, w, end)
}

func historyUnder(t *testing.T, file *modelfile.File, w *traffic.World, end time.Duration) []change {
	t.Helper()
	m, err := app.Compile(file, file.Spec.Names())
	if err != nil {
		t.Fatal(err)
	}
	spool, err := os.CreateTemp(t.TempDir(), "spool")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = spool.Close() }()
	decoder := codec.New(codec.Rules{Reads: func(string) (properties, fields bool) { return true, true }})
	decode := func(e traffic.Event) *scoring.Event {
		line, err := e.CloudEvent(began)
		if err != nil {
			t.Fatal(err)
		}
		out, bad := decoder.DecodeLine(line, 0)
		if bad != nil != e.Broken {
			t.Fatalf("%s: %v", line, bad)
		}
		return out
	}
	runner := offline.New(m, began.Add(end).UnixMilli(), codec.ChangeEncoder{Namespace: "tm"}, spool)
	for _, e := range w.Profiles() {
		runner.Profile(decode(e))
	}
	for _, e := range until(w, end) {
		if e.Broken {
			continue
		}
		if err := runner.Event(decode(e)); err != nil {
			t.Fatal(err)
		}
	}
	var out []change
	_, err = runner.Finish(func(line []byte) error {
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			return err
		}
		out = append(out, c)
		return nil
	}, func(offline.Score) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rank is how good a tier is.
func rank(tier string) int { return int('Z' - tier[0]) }

func TestPersonasRiseAsHighAsIntended(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		w := traffic.New(seed, 60)
		highest := map[string]string{}
		for _, c := range history(t, w, 100*day) {
			if now, ok := highest[c.Data.Account]; !ok || rank(c.Data.To) > rank(now) {
				highest[c.Data.Account] = c.Data.To
			}
		}
		for _, f := range w.Firms() {
			got, want := highest[f.Account], f.Persona.Highest()
			if got == "" {
				got = "C"
			}
			if got != want {
				t.Errorf("seed %d: %s firm %s rose to %s, want %s", seed, f.Persona, f.Account, got, want)
			}
		}
	}
}

// TestScannersWouldRiseUnlessHeldBack: that is what holds are for.
func TestScannersWouldRiseUnlessHeldBack(t *testing.T) {
	t.Parallel()
	file, err := app.ReadModel("")
	if err != nil {
		t.Fatal(err)
	}
	file.Spec.Holds = nil
	w, rose := traffic.New(1, 60), map[string]bool{}
	for _, c := range historyUnder(t, file, w, 60*day) {
		rose[c.Data.Account] = true
	}
	for _, f := range w.Firms() {
		if f.Persona == traffic.Scanned && !rose[f.Account] {
			t.Errorf("%s never rose, though nothing was held back", f.Account)
		}
	}
}

// TestFirstMinuteShowsEverything is the demo's promise at its default speed: six
// hours a second.
func TestFirstMinuteShowsEverything(t *testing.T) {
	t.Parallel()
	const second = 6 * time.Hour
	for seed := range uint64(3) {
		w := traffic.New(seed, 60)
		personas := map[string]traffic.Persona{}
		for _, f := range w.Firms() {
			personas[f.Account] = f.Persona
		}
		first := map[string]time.Duration{}
		note := func(what string, at time.Duration) {
			if _, ok := first[what]; !ok {
				first[what] = at
			}
		}
		for _, c := range history(t, w, 75*second) {
			at := c.Time.Sub(began)
			note("change", at)
			note(c.Data.Direction+" by "+c.Data.Cause.Kind, at)
			note(personas[c.Data.Account].String()+" "+c.Data.Direction, at)
			if c.Data.MQA {
				note("MQA", at)
			}
		}
		for what, limit := range map[string]time.Duration{
			"change": 3 * second, "MQA": 15 * second, "down by decay": 45 * second, "down by event": 60 * second,
			"executive up": 30 * second, "executive down": 60 * second, "in-market down": 75 * second,
		} {
			if at, ok := first[what]; !ok || at > limit {
				t.Errorf("seed %d: the first %s comes at %v (there is one: %t), want within %v", seed, what, at, ok, limit)
			}
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	w, said := traffic.New(1, 60), map[string]int{}
	for _, e := range until(w, 40*day) {
		said[e.Words()]++
	}
	for _, want := range []string{
		"pricing page by the CFO", "case study downloaded by a Marketing Manager", "newsletter cancelled by a Product Manager",
		"research on payment fraud", "search for a competitor's product", "e-mail clicked by an Office Assistant",
	} {
		if said[want] == 0 {
			t.Errorf("nobody did %q in %v", want, said)
		}
	}
}
