package scoring_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/modelfile"
	"tidemark/scoring"
	"tidemark/scoring/naive"
)

// example is a folder of testdata/examples: events and profiles in, and what a
// slow, literal reading of SPEC 3 and 4 makes of them.
type example struct {
	folder, model, until string
}

var examples = []example{
	{"stories", "model.yaml", "2026-12-31T00:00:00Z"},
	{"random", "model.yaml", "2026-06-15T00:00:00Z"},
	{"edges", "model-edges.yaml", "2026-06-15T00:00:00Z"},
}

// change is a line of expected-changes.jsonl.
type change struct {
	Account  string    `json:"account"`
	Seq      uint64    `json:"seq"`
	Time     time.Time `json:"time"`
	From, To string
	Score    float64 `json:"score"`
	Cause    string  `json:"cause"`
}

// standing is a line of expected-scores.jsonl.
type standing struct {
	Account string
	Score   float64
	Tier    string
	Seq     uint64
}

func TestExamples(t *testing.T) {
	t.Parallel()
	for _, x := range examples {
		model, _ := x.models(t)
		t.Run(x.folder, func(t *testing.T) {
			t.Parallel()
			accounts := map[string]*scoring.Account{}
			account := func(id string) *scoring.Account {
				if accounts[id] == nil {
					accounts[id] = new(scoring.Account)
					model.Open(accounts[id])
				}
				return accounts[id]
			}
			var changes []change
			record := func(id string, out scoring.Outcome) {
				for _, c := range out.Crossings {
					changes = append(changes, change{id, c.Seq, time.UnixMilli(c.At), c.From, c.To, c.Score, string(c.Cause.Kind)})
				}
			}
			x.play(t, func(e *scoring.Event, watermark int64) {
				record(e.Account, model.Apply(account(e.Account), e, watermark))
			})
			var standings []standing
			for id, a := range accounts {
				record(id, model.Advance(a, x.end(t)))
				if a.Known() {
					standings = append(standings, standing{id, model.Score(a, x.end(t)), model.Tier(a), a.Seq})
				}
			}
			x.check(t, changes, standings)
		})
	}
}

// TestExamplesByTwin holds the naive twin to the same expectations, so that its
// word counts in the other tests.
func TestExamplesByTwin(t *testing.T) {
	t.Parallel()
	for _, x := range examples {
		_, model := x.models(t)
		t.Run(x.folder, func(t *testing.T) {
			t.Parallel()
			accounts := map[string]*naive.Account{}
			var changes []change
			record := func(id string, crossings []naive.Crossing) {
				for _, c := range crossings {
					changes = append(changes, change{id, c.Seq, time.UnixMilli(c.At), c.From, c.To, c.Score, string(c.Cause)})
				}
			}
			x.play(t, func(e *scoring.Event, watermark int64) {
				if accounts[e.Account] == nil {
					accounts[e.Account] = model.Account()
				}
				record(e.Account, accounts[e.Account].Apply(e, watermark))
			})
			var standings []standing
			for id, a := range accounts {
				record(id, a.Advance(x.end(t)))
				if a.Known() {
					standings = append(standings, standing{id, a.Read(x.end(t)).Score, a.Tier(), a.Seq})
				}
			}
			x.check(t, changes, standings)
		})
	}
}

func (x example) path(name string) string {
	return filepath.Join("testdata", "examples", x.folder, name)
}

func (x example) models(t *testing.T) (*scoring.Model, *naive.Model) {
	t.Helper()
	file, err := modelfile.Load(filepath.Join("testdata", "examples", x.model))
	if err != nil {
		t.Fatal(err)
	}
	model, err := scoring.Compile(file.Spec, file.Hash, modelfile.Conditions(), scoring.NewNames(file.Spec.Names()))
	if err != nil {
		t.Fatal(file.Explain(err))
	}
	twin, err := naive.New(file.Spec, modelfile.Conditions())
	if err != nil {
		t.Fatal(err)
	}
	return model, twin
}

func (x example) end(t *testing.T) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, x.until)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

// play hands the events over in the file's order, the latest time read before as
// their arrival and watermark. A profile takes effect at its own time or at its
// account's first event, whichever is earlier.
func (x example) play(t *testing.T, do func(e *scoring.Event, watermark int64)) {
	t.Helper()
	profiles := map[string]*scoring.Event{}
	for _, e := range readEvents(t, x.path("profiles.jsonl")) {
		profiles[e.Account] = e
	}
	latest := int64(math.MinInt64)
	for _, e := range readEvents(t, x.path("events.jsonl")) {
		if e.Time > x.end(t) {
			continue
		}
		watermark := latest
		if latest == math.MinInt64 {
			watermark = e.Time
		}
		if p := profiles[e.Account]; p != nil {
			delete(profiles, e.Account)
			early := *p
			early.Time = min(p.Time, e.Time)
			early.Arrived = early.Time
			do(&early, early.Time)
		}
		e.Arrived = watermark
		do(e, watermark)
		latest = max(latest, e.Time)
	}
	for _, p := range profiles {
		do(p, p.Time)
	}
}

func (x example) check(t *testing.T, changes []change, standings []standing) {
	t.Helper()
	want := readLines[change](t, x.path("expected-changes.jsonl"))
	byAccount := func(a, b change) int {
		if a.Account != b.Account {
			return strings.Compare(a.Account, b.Account)
		}
		return int(a.Seq) - int(b.Seq)
	}
	slices.SortFunc(changes, byAccount)
	slices.SortFunc(want, byAccount)
	if len(changes) != len(want) {
		t.Errorf("%d changes, want %d", len(changes), len(want))
	}
	for i := range min(len(changes), len(want)) {
		got, want := changes[i], want[i]
		if got.Account != want.Account || got.Seq != want.Seq || got.From != want.From || got.To != want.To || got.Cause != want.Cause ||
			got.Time.Sub(want.Time).Abs() > time.Second || math.Abs(got.Score-want.Score) > 1e-6 {
			t.Errorf("change %+v, want %+v", got, want)
		}
	}
	expected := readLines[standing](t, x.path("expected-scores.jsonl"))
	slices.SortFunc(standings, func(a, b standing) int { return strings.Compare(a.Account, b.Account) })
	if len(standings) != len(expected) {
		t.Fatalf("%d scores, want %d", len(standings), len(expected))
	}
	for i, want := range expected {
		got := standings[i]
		if math.Abs(got.Score-want.Score) > 1e-6 || got.Account != want.Account || got.Tier != want.Tier || got.Seq != want.Seq {
			t.Errorf("score %+v, want %+v", got, want)
		}
	}
}

func readLines[T any](t *testing.T, path string) (out []T) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read from
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var x T
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, x)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// wireEvent is as much of a CloudEvent as the examples and scenarios use.
type wireEvent struct {
	ID      string    `json:"id"`
	Source  string    `json:"source"`
	Type    string    `json:"type"`
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
	Data    *struct {
		Contact    scoring.Map    `json:"contact"`
		Strength   *float64       `json:"strength"`
		Properties scoring.Map    `json:"properties"`
		Attributes map[string]any `json:"attributes"`
	} `json:"data"`
}

func readEvents(t *testing.T, path string) (out []*scoring.Event) {
	t.Helper()
	for i, w := range readLines[wireEvent](t, path) {
		e, err := w.event()
		if err != nil {
			t.Fatalf("%s:%d: %v", path, i+1, err)
		}
		out = append(out, e)
	}
	return out
}

// event is a plain decoder for tests: just enough of SPEC 1. A tombstone is
// written as type "tombstone".
func (w wireEvent) event() (*scoring.Event, error) {
	e := &scoring.Event{
		ID: w.ID, Source: w.Source, Type: w.Type, Account: w.Subject,
		Time: w.Time.UnixMilli(), Arrived: w.Time.UnixMilli(), Strength: 1,
	}
	if w.Type == "tombstone" {
		e.Kind = scoring.KindTombstone
		return e, nil
	}
	if w.Data == nil {
		return nil, errors.New("no data")
	}
	text := func(key string) string {
		s, _ := w.Data.Contact[key].(string)
		return s
	}
	switch {
	case w.Type == "account.profile":
		e.Kind, e.Profile = scoring.KindProfile, &scoring.Profile{Attributes: w.Data.Attributes}
	case w.Type == "contact.erased":
		e.Kind, e.Order = scoring.KindErasure, &scoring.Order{}
		for _, who := range []string{text("id"), strings.ToLower(text("email"))} {
			if who != "" {
				e.Order.Erased = append(e.Order.Erased, who)
			}
		}
	case strings.HasPrefix(w.Type, "outcome."):
		e.Kind = scoring.KindOutcome
	case len(w.Data.Contact) > 0:
		e.Contact = &scoring.Contact{
			ID: text("id"), Email: text("email"), Title: text("title"),
			Seniority: text("seniority"), Role: text("role"), Fields: w.Data.Contact,
		}
	}
	if w.Data.Strength != nil {
		e.Strength = *w.Data.Strength
	}
	e.Properties = w.Data.Properties
	if e.ID == "" || e.Source == "" {
		return nil, fmt.Errorf("%s at %s has no id or source", w.Type, w.Time)
	}
	return e, nil
}
