package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

// start is when the tests' histories begin: 2026-03-01T00:00:00Z.
const start = int64(1772323200000)

const (
	shards = 8
	hour   = scoring.Hour
	day    = scoring.Day
)

// conditions knows one expression: large.
type conditions struct{}

func (conditions) Profile(string) (func(map[string]any) scoring.Truth, error) {
	return func(attributes map[string]any) scoring.Truth {
		if attributes["large"] == true {
			return scoring.True
		}
		return scoring.False
	}, nil
}

func (conditions) Event(expr string) (func(*scoring.Event) scoring.Truth, error) {
	return nil, fmt.Errorf("%q: the tests' models have no where", expr)
}

func ptr[T any](x T) *T { return &x }

// spec is a model with three tiers: a visit earns 20 points that halve in a day,
// a demo 50 that halve in six hours, a large account 15 for ever.
func spec() scoring.Spec {
	return scoring.Spec{
		Name: "test", Version: 1,
		Fit:    scoring.FitSpec{Rules: []scoring.FitRuleSpec{{Name: "large", When: "large", Points: 15}}},
		Groups: []scoring.GroupSpec{{Name: "web", Cap: ptr(90.0)}},
		Signals: []scoring.SignalSpec{
			{Name: "visit", Group: "web", Type: "web.visit", Points: 20, HalfLife: day},
			{Name: "demo", Group: "web", Type: "web.demo", Points: 50, HalfLife: 6 * hour},
		},
		Committee: &scoring.CommitteeSpec{Window: 2 * day, PointsPerRole: 5},
		Tiers: []scoring.TierSpec{
			{Name: "A", Min: ptr(70.0), MQA: true, Hysteresis: 5},
			{Name: "B", Min: ptr(30.0), MinDwell: 2 * hour, Cooldown: hour},
			{Name: "C"},
		},
	}
}

// compile makes a model under a dictionary that has the names of all the specs.
func compile(t testing.TB, s scoring.Spec, known ...scoring.Spec) *scoring.Model {
	t.Helper()
	var names []string
	has := map[string]bool{}
	for _, k := range append(known, s) {
		for _, n := range k.Names() {
			if !has[n] {
				has[n] = true
				names = append(names, n)
			}
		}
	}
	m, err := scoring.Compile(s, fmt.Sprintf("%s-%d", s.Name, s.Version), conditions{}, scoring.NewNames(names))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lines encodes crossings as JSON.
type lines struct{}

func (lines) Change(account string, c *scoring.Crossing) ([]byte, error) {
	return json.Marshal(map[string]any{
		"account": account, "seq": c.Seq, "at": c.At, "from": c.From, "to": c.To, "score": c.Score,
		"cause": c.Cause, "threshold": c.Threshold, "demotes_at": c.DemotesAt, "model": c.Model.Hash(),
	})
}

func (l lines) AppendChange(b []byte, account string, c *scoring.Crossing) ([]byte, error) {
	value, err := l.Change(account, c)
	return append(b, value...), err
}

// line is what the tests read of a crossing.
type line struct {
	Account  string
	Seq      uint64
	At       int64
	From, To string
	Cause    scoring.Cause
}

// aliases is a memory store as engine.Aliases.
type aliases struct{ *memory.Store }

func (a aliases) Resolve(ctx context.Context, domains []string) (map[string]string, error) {
	return a.ResolveAliases(ctx, domains)
}

func (a aliases) Claim(ctx context.Context, claims []engine.Alias) error {
	out := make([]store.Alias, len(claims))
	for i, c := range claims {
		out[i] = store.Alias(c)
	}
	return a.ClaimAliases(ctx, out)
}

func (a aliases) Release(ctx context.Context, account string, domains []string) error {
	return a.ReleaseAliases(ctx, account, domains)
}

// setup is what an engine of the tests is made of; zero fields take defaults.
type setup struct {
	memory   *memory.Store
	store    engine.Store // in place of memory, which it wraps
	model    *scoring.Model
	lanes    int
	accounts int
	hooks    engine.Hooks
}

func (s setup) engine(t testing.TB) *engine.Engine {
	t.Helper()
	if s.store == nil {
		s.store = s.memory
	}
	if s.model == nil {
		s.model = compile(t, spec())
	}
	if s.lanes == 0 {
		s.lanes = 2
	}
	if s.accounts == 0 {
		s.accounts = 1000
	}
	e, err := engine.New(engine.Config{Lanes: s.lanes, Accounts: s.accounts}, s.model, s.store, aliases{s.memory}, lines{},
		s.hooks, engine.NewMetrics(prometheus.NewRegistry()), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var (
	web      = engine.Partition{Topic: "engagement", ID: 0}
	profiles = engine.Partition{Topic: "profiles", ID: 0}
)

// whole is a log that holds everything.
func whole(partitions ...engine.Partition) map[engine.Partition]engine.Bounds {
	out := map[engine.Partition]engine.Bounds{}
	for _, p := range partitions {
		out[p] = engine.Bounds{First: 0, End: math.MaxInt64}
	}
	return out
}

// assign takes over partitions of which no offset was ever committed.
func assign(t testing.TB, e *engine.Engine, partitions ...engine.Partition) map[engine.Partition]int64 {
	t.Helper()
	committed := map[engine.Partition]int64{}
	for _, p := range partitions {
		committed[p] = -1
	}
	from, err := e.Assign(t.Context(), committed, whole(partitions...))
	if err != nil {
		t.Fatal(err)
	}
	return from
}

// visit is an event of an account at an instant; the offset identifies it.
func visit(p engine.Partition, offset int64, account string, at int64) engine.Input {
	return input(p, offset, &scoring.Event{Type: "web.visit", Account: account, Time: at})
}

func demo(p engine.Partition, offset int64, account string, at int64) engine.Input {
	return input(p, offset, &scoring.Event{Type: "web.demo", Account: account, Time: at})
}

// guest is an event without a subject.
func guest(p engine.Partition, offset int64, domain string, at int64) engine.Input {
	return input(p, offset, &scoring.Event{Type: "web.visit", Domain: domain, Time: at})
}

func profile(p engine.Partition, offset int64, account string, at int64, domains ...string) engine.Input {
	return input(p, offset, &scoring.Event{
		Kind: scoring.KindProfile, Account: account, Time: at, Profile: &scoring.Profile{Domains: domains},
	})
}

func input(p engine.Partition, offset int64, e *scoring.Event) engine.Input {
	e.ID, e.Source = fmt.Sprintf("%s-%d-%d", p.Topic, p.ID, offset), "/test"
	e.Arrived, e.Strength = e.Time, 1
	return engine.Input{Event: e, Partition: p, Offset: offset}
}

// round is a round of these inputs, at whose end the watermark is the latest time.
func round(inputs ...engine.Input) engine.Round {
	r := engine.Round{Inputs: inputs, Ends: map[engine.Partition]int64{}, Watermark: engine.UnknownWatermark}
	for _, in := range inputs {
		r.Ends[in.Partition] = in.Offset + 1
		r.Watermark = max(r.Watermark, in.Event.Time)
	}
	return r
}

func process(t testing.TB, e *engine.Engine, r engine.Round) {
	t.Helper()
	if err := e.Process(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func checkpoint(t testing.TB, e *engine.Engine) map[engine.Partition]int64 {
	t.Helper()
	ends, err := e.Checkpoint(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return ends
}

// account reads an account as stored, nil where there is none.
func account(t testing.TB, s engine.Store, m *scoring.Model, name string) *scoring.Account {
	t.Helper()
	return standing(t, s, engine.Past{}, m, name)
}

// wantScore wants an account's score at an instant; an account that is not stored has 0.
func wantScore(t testing.TB, s engine.Store, name string, at int64, want float64) {
	t.Helper()
	m, got := compile(t, spec()), 0.0
	if a := account(t, s, m, name); a != nil {
		got = m.Score(a, at)
	}
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("score of %s: got %v, want %v", name, got, want)
	}
}

// outbox is what all shards would publish, by account and in order. It wants the
// seqs of each account to be 1, 2, 3 …
func outbox(t testing.TB, s *memory.Store) map[string][]line {
	t.Helper()
	out := map[string][]line{}
	for account, values := range rawOutbox(t, s) {
		for i, v := range values {
			var l line
			if err := json.Unmarshal([]byte(v), &l); err != nil {
				t.Fatal(err)
			}
			if l.Seq != uint64(i+1) || l.Account != account {
				t.Errorf("%s: message %d is %s, want seq %d", account, i, v, i+1)
			}
			out[account] = append(out[account], l)
		}
	}
	return out
}

func rawOutbox(t testing.TB, s *memory.Store) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for n := range s.Shards() {
		entries, err := s.Outbox(t.Context(), n, "", math.MaxInt)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if engine.ShardOf(e.Account, s.Shards()) != n {
				t.Errorf("%s lies in the outbox of shard %d", e.Account, n)
			}
			out[e.Account] = append(out[e.Account], string(e.Value))
		}
	}
	return out
}

// path is the tiers an account went through, and why.
func path(changes []line) string {
	out := ""
	for _, c := range changes {
		out += fmt.Sprintf("%s>%s %s ", c.From, c.To, c.Cause.Kind)
	}
	return out
}

// broken is an error that says of itself that no repeat helps.
type broken struct{ error }

func (broken) Retryable() bool { return false }

var errBroken = broken{errors.New("broken by the test")}

// apart gives n accounts that lie in different shards.
func apart(n int) []string {
	var out []string
	used := map[int]bool{}
	for i := 0; len(out) < n; i++ {
		name := fmt.Sprintf("firm%d.example", i)
		if s := engine.ShardOf(name, shards); !used[s] {
			used[s] = true
			out = append(out, name)
		}
	}
	return out
}

func unmarshal(value []byte, l *line) error { return json.Unmarshal(value, l) }

func seqOf(t testing.TB, value string) uint64 {
	t.Helper()
	var l line
	if err := unmarshal([]byte(value), &l); err != nil {
		t.Fatal(err)
	}
	return l.Seq
}
