package codec_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

type change struct {
	SpecVersion     string     `json:"specversion"`
	ID              string     `json:"id"`
	Source          string     `json:"source"`
	Type            string     `json:"type"`
	Subject         string     `json:"subject"`
	Time            string     `json:"time"`
	DataContentType string     `json:"datacontenttype"`
	Data            changeData `json:"data"`
}

type changeData struct {
	Account   string          `json:"account"`
	Seq       uint64          `json:"seq"`
	From      string          `json:"from"`
	To        string          `json:"to"`
	Direction string          `json:"direction"`
	MQA       bool            `json:"mqa"`
	Score     float64         `json:"score"`
	Threshold *float64        `json:"threshold"`
	Cause     scoring.Cause   `json:"cause"`
	DemotesAt *string         `json:"demotes_at"`
	Receipt   scoring.Receipt `json:"receipt"`
	Model     modelRef        `json:"model"`
	Profile   map[string]any  `json:"profile"`
}

type modelRef struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
}

// reference is the tier change as encoding/json writes it.
func reference(t *testing.T, account string, c *scoring.Crossing) []byte {
	t.Helper()
	out := change{
		SpecVersion: "1.0", ID: account + "/" + strconv.FormatUint(c.Seq, 10), Source: "tidemark/tm",
		Type: codec.ChangeType, Subject: account, Time: codec.FormatTime(c.At), DataContentType: "application/json",
		Data: changeData{
			Account: account, Seq: c.Seq, From: c.From, To: c.To, Direction: map[bool]string{true: "up", false: "down"}[c.Up], MQA: c.MQA,
			Score: c.Score, Threshold: c.Threshold, Cause: c.Cause, Receipt: c.Receipt,
			Model:   modelRef{c.Model.Name(), c.Model.Version(), c.Model.Hash()},
			Profile: map[string]any{},
		},
	}
	if c.DemotesAt != nil {
		at := codec.FormatTime(*c.DemotesAt)
		out.Data.DemotesAt = &at
	}
	if c.Profile != nil {
		out.Data.Profile = c.Profile.Attributes
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// dice makes crossings of all kinds.
type dice struct{ *rand.Rand }

func (d dice) text() string {
	const letters = "abcXYZ019-_./ \"\\<>&\n\t\x01\x7fäß€\u2028\u2029😀\xff"
	out := make([]byte, d.IntN(12))
	for i := range out {
		out[i] = letters[d.IntN(len(letters))]
	}
	if d.IntN(2) == 0 {
		return "plain-" + strconv.Itoa(d.IntN(1000))
	}
	return string(out)
}

func (d dice) number() float64 {
	switch d.IntN(6) {
	case 0:
		return 0
	case 1:
		return float64(d.IntN(200) - 100)
	case 2:
		return math.Ldexp(d.Float64()-0.5, d.IntN(160)-80)
	case 3:
		return []float64{1e-6, 9.999e-7, 1e21, 9.99e20, 1e-10, -1e-7, 5e-324, math.MaxFloat64}[d.IntN(8)]
	}
	return d.Float64() * 100
}

func (d dice) optional() *float64 {
	if d.IntN(2) == 0 {
		return nil
	}
	x := d.number()
	return &x
}

// some is a list of up to three, none of them nil.
func some[T any](d dice, one func() T) []T {
	out := []T{}
	for range d.IntN(4) {
		out = append(out, one())
	}
	return out
}

func (d dice) crossing(m *scoring.Model) *scoring.Crossing {
	c := &scoring.Crossing{
		Seq: d.Uint64() >> d.IntN(64), At: d.Int64N(4e12) - 1e12, From: d.text(), To: d.text(), Up: d.IntN(2) == 0, MQA: d.IntN(2) == 0,
		Score: d.number(), Threshold: d.optional(), Cause: scoring.Cause{Kind: scoring.CauseDecay}, Model: m,
	}
	if d.IntN(2) == 0 {
		c.Cause = scoring.Cause{Kind: scoring.CauseEvent, ID: d.text(), Source: d.text(), Type: d.text(), Signals: some(d, d.text)}
	}
	if d.IntN(2) == 0 {
		at := d.Int64N(4e12)
		c.DemotesAt = &at
	}
	if d.IntN(2) == 0 {
		c.Profile = &scoring.Profile{Attributes: map[string]any{"owner": d.text(), "size": d.number(), "list": []any{d.text()}}}
	}
	signal := func() scoring.SignalReceipt {
		s := scoring.SignalReceipt{Name: d.text(), Points: d.number(), Intensity: d.number(), Weight: d.number(), Limit: d.optional(), HalfLife: "14d"}
		if d.IntN(3) == 0 {
			s.Held, s.HeldPoints = d.number(), d.number()
		}
		return s
	}
	c.Receipt = scoring.Receipt{
		Score: d.number(), Adjustment: d.number(),
		Fit: scoring.FitReceipt{Points: d.number(), Sum: d.number(), Cap: d.optional(), Rules: some(d, func() scoring.RuleReceipt {
			return scoring.RuleReceipt{Name: d.text(), Points: d.number()}
		})},
		Groups: some(d, func() scoring.GroupReceipt {
			return scoring.GroupReceipt{Name: d.text(), Points: d.number(), Sum: d.number(), Cap: d.optional(), Floor: d.optional(), Signals: some(d, signal)}
		}),
		Committee: scoring.CommitteeReceipt{Points: d.number(), People: d.IntN(9), Roles: some(d, d.text)},
		Surges: some(d, func() scoring.SurgeReceipt {
			return scoring.SurgeReceipt{Name: d.text(), Points: d.number(), Recent: d.number(), Usual: d.number()}
		}),
		ICP: scoring.ICPReceipt{Inside: d.IntN(2) == 0, Unmet: some(d, d.text), Max: d.optional()},
	}
	return c
}

func changeModel(t testing.TB) *scoring.Model {
	t.Helper()
	spec := scoring.Spec{
		Name: `a "model"`, Version: 3, PublishAttributes: []string{"owner", "size", "list"},
		Groups:  []scoring.GroupSpec{{Name: "g"}},
		Signals: []scoring.SignalSpec{{Name: "s", Group: "g", Type: "x", Points: 1, HalfLife: scoring.Day}},
		Tiers:   []scoring.TierSpec{{Name: "A", Min: new(float64)}, {Name: "C"}},
	}
	m, err := scoring.Compile(spec, "hash", nil, scoring.NewNames(spec.Names()))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Tier changes are the bytes that encoding/json would write.
func TestChangeIsWhatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	m, d := changeModel(t), dice{rand.New(rand.NewPCG(1, 2))}
	for range 5000 {
		account, c := d.text(), d.crossing(m)
		got, err := codec.ChangeEncoder{Namespace: "tm"}.Change(account, c)
		if err != nil {
			t.Fatal(err)
		}
		if want := reference(t, account, c); !bytes.Equal(got, want) {
			t.Fatalf("\n got %s\nwant %s", got, want)
		}
		if seq, ok := codec.SeqOf(got); !ok || seq != c.Seq {
			t.Fatalf("the seq of %s is read as %d, %v", got, seq, ok)
		}
		if at, ok := codec.InstantOf(got); !ok || at != c.At {
			t.Fatalf("the instant of %s is read as %d, %v", got, at, ok)
		}
	}
	if seq, ok := codec.SeqOf([]byte(`{"id":"acme.example/7"}`)); ok {
		t.Errorf("what Change never wrote has seq %d", seq)
	}
	for _, text := range []string{"{}", `{"id":"","time":"2026"}`, `{"id":"","time":"2026-13-01T00:00:00.000Z"}`} {
		if at, ok := codec.InstantOf([]byte(text)); ok {
			t.Errorf("%s has the instant %d", text, at)
		}
	}
}

// What is no number cannot be published.
func TestChangeRefusesWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	c := dice{rand.New(rand.NewPCG(3, 4))}.crossing(changeModel(t))
	c.Receipt.Score = math.NaN()
	if got, err := (codec.ChangeEncoder{}).Change("acme.example", c); err == nil {
		t.Errorf("got %s, want an error", got)
	}
}

func BenchmarkChange(b *testing.B) {
	c := dice{rand.New(rand.NewPCG(5, 6))}.crossing(changeModel(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (codec.ChangeEncoder{Namespace: "tm"}).Change("acme.example", c); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAppendingAChangeAllocatesNothing(t *testing.T) {
	spec := changeModel(t).Spec()
	spec.Name = "model" // the other's needs escapes
	m, err := scoring.Compile(spec, "hash", nil, scoring.NewNames(spec.Names()))
	if err != nil {
		t.Fatal(err)
	}
	crossing := &scoring.Crossing{
		Seq: 1e6, From: "A", To: "C", Score: 1.5, Cause: scoring.Cause{Kind: scoring.CauseEvent, ID: "e", Signals: []string{"s"}}, Model: m,
		Receipt: scoring.Receipt{Groups: []scoring.GroupReceipt{{Name: "g", Signals: []scoring.SignalReceipt{{Name: "s", HalfLife: "1d"}}}}},
	}
	e, b := codec.ChangeEncoder{Namespace: "tm-of-some-length-that-no-stack-holds"}, make([]byte, 0, 4096)
	got := testing.AllocsPerRun(100, func() {
		if _, err := e.AppendChange(b, "acme.example", crossing); err != nil {
			t.Fatal(err)
		}
	})
	if got > 0 && !raceEnabled {
		t.Errorf("got %v allocations, want 0", got)
	}
}

// What stands before it stays, and what is appended is what Change makes.
func TestAppendChangeAppends(t *testing.T) {
	t.Parallel()
	m, d := changeModel(t), dice{rand.New(rand.NewPCG(7, 8))}
	for range 100 {
		account, c := d.text(), d.crossing(m)
		alone, err := codec.ChangeEncoder{Namespace: `a "space"`}.Change(account, c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := codec.ChangeEncoder{Namespace: `a "space"`}.AppendChange([]byte("before"), account, c)
		if want := append([]byte("before"), alone...); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("got %s (%v), want %s", got, err, want)
		}
	}
}
