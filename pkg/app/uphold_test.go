package app

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/store"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/relay"
	"tidemark/streams/tail"
)

// replaceable is a store that can be replaced by an older copy under its users.
type replaceable struct{ *memory.Store }

func (r *replaceable) Outbox(ctx context.Context, shard int, after string, limit int) ([]store.Entry, error) {
	return r.Store.Outbox(ctx, shard, after, limit)
}

// topic is account-tiers, with one partition.
type topic struct{ records []tail.Record }

func (l *topic) Partitions(context.Context) ([]int, error) { return []int{0}, nil }

func (l *topic) Whole(_ context.Context, _ int, from int64, use func(tail.Record) error) error {
	for _, r := range l.records[min(int(from), len(l.records)):] {
		if err := use(r); err != nil {
			return err
		}
	}
	return nil
}

// gated is a gate with an engine before it; its store can be set back.
type gated struct {
	*testing.T
	model  *scoring.Model
	store  *replaceable
	topic  *topic
	gate   *upheld
	tenure uint64
	number int
}

const gatedAccount = "acme.example"

func newGated(t *testing.T) *gated {
	t.Helper()
	file, err := modelfile.Parse("gate", []byte(`
name: gate
version: 1
groups: {g: {}}
signals: [{name: visit, group: g, match: {type: visit}, points: 10, half_life: never}]
tiers: [{name: A, min: 50}, {name: B, min: 20}, {name: C}]
`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(file, file.Spec.Names())
	if err != nil {
		t.Fatal(err)
	}
	g := &gated{T: t, model: m, store: &replaceable{memory.New(1)}, topic: &topic{}}
	g.gate = &upheld{
		outbox: g.store, states: g.store, tiers: g.topic, topic: "tiers", owns: func(int) bool { return true },
		tenure: func(int) uint64 { return g.tenure }, log: zerolog.Nop(), count: newDisputes(prometheus.NewRegistry()), shards: make([]recent, 1),
	}
	g.gate.engine = g.engine(g.store)
	return g
}

func (g *gated) engine(s engine.Store) *engine.Engine {
	g.Helper()
	e, err := engine.New(engine.Config{}, g.model, s, aliases{g.store}, codec.ChangeEncoder{Namespace: "tm"}, engine.Hooks{},
		engine.NewMetrics(prometheus.NewRegistry()), zerolog.Nop())
	if err != nil {
		g.Fatal(err)
	}
	return e
}

// setBack replaces the store by one that knows nothing.
func (g *gated) setBack() { g.store.Store = memory.New(1) }

// visit scores a visit of n times ten points, as an instance that remembers nothing.
func (g *gated) visit(n int, at int64) {
	g.Helper()
	e := g.engine(g.store.Peer())
	in := engine.Partition{Topic: fmt.Sprint("in-", g.number)}
	if _, err := e.Assign(g.Context(), nil, map[engine.Partition]engine.Bounds{in: {End: 1000}}); err != nil {
		g.Fatal(err)
	}
	g.number++
	r := engine.Round{Ends: map[engine.Partition]int64{in: 1}, Watermark: engine.UnknownWatermark, Until: engine.UnknownWatermark}
	r.Inputs = append(r.Inputs, engine.Input{Partition: in, Event: &scoring.Event{
		Type: "visit", Source: "/t", ID: fmt.Sprint(g.number), Account: gatedAccount, Time: at, Arrived: at, Strength: float64(n),
	}})
	if err := e.Process(g.Context(), r); err != nil {
		g.Fatal(err)
	}
}

// relayed publishes what the gate lets out, and returns it.
func (g *gated) relayed() (changes []codec.Published) {
	g.Helper()
	entries, err := g.gate.Outbox(g.Context(), 0, "", 100)
	if err != nil {
		g.Fatal(err)
	}
	var ids []string
	for _, e := range entries {
		g.topic.records = append(g.topic.records, tail.Record{Value: e.Value})
		p, err := codec.DecodePublished(e.Value)
		if err != nil {
			g.Fatal(err)
		}
		changes, ids = append(changes, p), append(ids, e.ID)
	}
	if err := g.gate.Trim(g.Context(), 0, ids); err != nil {
		g.Fatal(err)
	}
	return changes
}

func (g *gated) want(got []codec.Published, want ...string) {
	g.Helper()
	var text []string
	for _, p := range got {
		text = append(text, fmt.Sprintf("%d %s @%d", p.Seq, p.To, p.At))
	}
	if !slices.Equal(text, want) {
		g.Fatalf("published %q, want %q", text, want)
	}
}

// letOut is the one entry that the gate lets out now.
func (g *gated) letOut() relay.Entry {
	g.Helper()
	entries, err := g.gate.Outbox(g.Context(), 0, "", 100)
	if err != nil || len(entries) != 1 {
		g.Fatalf("got %d entries, %v, want one", len(entries), err)
	}
	return entries[0]
}

func (g *gated) wantAccount(seq uint64, tier string) {
	g.Helper()
	if a := g.account(); a == nil || a.Seq != seq || g.model.Tier(a) != tier {
		g.Errorf("the account is %+v, want seq %d in %s", a, seq, tier)
	}
}

var _ relay.Outbox = (*upheld)(nil)

const noon = int64(1_795_348_800_000)

func TestANumberIsNotGivenAgainAfterTheStoreWasSetBack(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.visit(6, noon)
	first := g.relayed()
	if len(first) != 1 || first[0].Seq != 1 || first[0].At != noon {
		t.Fatalf("got %+v, want one tier change", first)
	}
	g.setBack()
	g.visit(6, noon+scoring.Minute) // somebody who has not noticed
	g.want(g.relayed(), fmt.Sprintf("1 %s @%d", first[0].To, noon))
	a := g.account()
	if a.Seq != 1 || g.model.Tier(a) != first[0].To {
		t.Errorf("the account has seq %d in %s, want 1 in %s", a.Seq, g.model.Tier(a), first[0].To)
	}
	g.want(g.relayed())
}

func TestAnotherTierUnderTheSameNumberIsCorrectedUnderTheNext(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.visit(6, noon)
	first := g.relayed()
	g.setBack()
	g.visit(2, noon+scoring.Minute)
	second := g.account()
	if second.Seq != 1 || g.model.Tier(second) == first[0].To {
		t.Fatalf("the lesser visit leads to seq %d in %s", second.Seq, g.model.Tier(second))
	}
	g.want(g.relayed(), fmt.Sprintf("1 %s @%d", first[0].To, noon), fmt.Sprintf("2 %s @%d", g.model.Tier(second), noon+scoring.Minute))
	if a := g.account(); a.Seq != 2 {
		t.Errorf("the account has seq %d, want 2", a.Seq)
	}
}

func TestWhoTakesAShardLearnsWhatWasPublished(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.visit(6, noon)
	first := g.relayed()
	g.setBack()
	g.visit(6, noon+scoring.Minute)
	g.gate.shards = make([]recent, 1) // another process
	g.want(g.relayed(), fmt.Sprintf("1 %s @%d", first[0].To, noon))
	g.tenure++
	g.gate.shards[0].young = nil // what others published since must not be missed
	g.setBack()
	g.visit(6, noon+2*scoring.Minute)
	g.want(g.relayed(), fmt.Sprintf("1 %s @%d", first[0].To, noon))
}

// A restored outbox holds a tier change that is older than what was published since:
// the compacted topic ends with the latest all the same.
func TestARestoredOutboxEndsWithWhatWasPublishedLast(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.visit(2, noon)
	g.letOut()
	before := g.store.Store
	restored := memory.New(1)
	g.store.Store = restored
	g.visit(2, noon)
	g.store.Store = before
	g.want(g.relayed(), fmt.Sprintf("1 B @%d", noon))
	g.visit(5, noon+scoring.Minute)
	g.want(g.relayed(), fmt.Sprintf("2 A @%d", noon+scoring.Minute))
	g.store.Store = restored
	got := g.relayed()
	if last := got[len(got)-1]; last.Seq != 2 || last.To != "A" {
		t.Errorf("published %+v, want seq 2 last", got)
	}
	if a := g.account(); a.Seq != 2 {
		t.Errorf("the account has seq %d, want 2", a.Seq)
	}
}

// The store is set back while a tier change is on its way to Kafka.
func TestWhatIsNotThereToBeTrimmedIsUpheld(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.visit(5, noon)
	entry := g.letOut()
	g.setBack()
	if err := g.gate.Trim(t.Context(), 0, []string{entry.ID}); err != nil {
		t.Fatal(err)
	}
	g.wantAccount(1, "A")
	g.want(g.relayed(), fmt.Sprintf("1 A @%d", noon))
}

func TestWhatCouldNotBeTrimmedIsUpheldLater(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.visit(5, noon)
	entry := g.letOut()
	gone, end := context.WithCancel(t.Context())
	end() // the store does not answer when it should be trimmed
	if err := g.gate.Trim(gone, 0, []string{entry.ID}); err == nil {
		t.Fatal("trimmed by a store that does not answer")
	}
	g.setBack()
	if _, err := g.gate.Outbox(t.Context(), 0, "", 1); err != nil {
		t.Fatal(err)
	}
	g.wantAccount(1, "A")
	g.want(g.relayed(), fmt.Sprintf("1 A @%d", noon))
}

func TestRepeatsPassTheGate(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.visit(6, noon)
	entry := g.letOut()
	// Not acknowledged: the same comes again.
	if again := g.letOut(); string(again.Value) != string(entry.Value) {
		t.Fatalf("got %s, want %s", again.Value, entry.Value)
	}
}

func TestWhatWasLetOutAndNeverPublishedStandsForNothing(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.visit(6, noon)
	if _, err := g.gate.Outbox(t.Context(), 0, "", 100); err != nil { // publishing it fails
		t.Fatal(err)
	}
	g.setBack()
	g.visit(6, noon+scoring.Minute)
	got := g.relayed()
	if len(got) != 1 || got[0].At != noon+scoring.Minute {
		t.Fatalf("got %+v, want the second", got)
	}
}

func (g *gated) account() *scoring.Account {
	g.Helper()
	records, err := g.store.Load(g.Context(), engine.Wanted{Accounts: []string{gatedAccount}})
	if err != nil {
		g.Fatal(err)
	}
	a, err := engine.Read(g.model, records[0])
	if err != nil {
		g.Fatal(err)
	}
	return a
}

// handed is what lies in the outbox, as who appended it hands it over.
func (g *gated) handed() []relay.Entry {
	g.Helper()
	entries, err := g.store.Outbox(g.Context(), 0, "", 100)
	if err != nil || len(entries) == 0 {
		g.Fatalf("got %d entries, %v", len(entries), err)
	}
	return asRelayed(entries)
}

func TestWhatIsHandedOverPassesTheGateWhereNothingSpeaksAgainstIt(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.visit(2, noon)
	first := g.handed()
	if g.gate.Admit(0, first) {
		t.Fatal("admitted before it is known what was published")
	}
	g.relayed()
	g.visit(3, noon+scoring.Minute)
	second := g.handed()
	if !g.gate.Admit(0, second) {
		t.Fatal("refused although it follows what was published")
	}
	if err := g.gate.Trim(t.Context(), 0, []string{second[0].ID}); err != nil {
		t.Fatal(err)
	}
	if g.gate.Admit(0, first) {
		t.Fatal("admitted under a number that was published with another meaning since")
	}
	canary := []relay.Entry{{ID: "9", Account: engine.Canary("0", 1).Account}}
	if g.gate.Admit(0, canary) {
		t.Fatal("a canary was admitted")
	}
	g.tenure++
	if g.gate.Admit(0, second) {
		t.Fatal("admitted although another may have had the shard")
	}
}

// The store is set back while what was handed over is on its way to Kafka.
func TestWhatWasHandedOverAndIsNotThereToBeTrimmedIsUpheld(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.relayed()
	g.visit(5, noon)
	entries := g.handed()
	if !g.gate.Admit(0, entries) {
		t.Fatal("refused although nothing speaks against it")
	}
	g.topic.records = append(g.topic.records, tail.Record{Value: entries[0].Value})
	g.setBack()
	if err := g.gate.Trim(t.Context(), 0, []string{entries[0].ID}); err == nil {
		t.Fatal("trimmed, though it was gone: nobody will read the outbox")
	}
	if g.gate.Admit(0, entries) {
		t.Fatal("admitted before the state knows what was published")
	}
	g.want(g.relayed(), fmt.Sprintf("1 A @%d", noon))
	g.wantAccount(1, "A")
}
