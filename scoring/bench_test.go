package scoring_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"tidemark/pkg/modelfile"
	"tidemark/scoring"
)

// reference is the model that uses every key.
func reference(b testing.TB) *scoring.Model {
	b.Helper()
	file, err := modelfile.Load(filepath.Join("testdata", "examples", "model.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	m, err := scoring.Compile(file.Spec, file.Hash, modelfile.Conditions(), scoring.NewNames(file.Spec.Names()))
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// busy is an account of the reference model in its best tier: 4 active signals,
// and more as asked, and 3 people.
func busy(b testing.TB, m *scoring.Model, more ...string) *scoring.Account {
	b.Helper()
	a := new(scoring.Account)
	m.Open(a)
	m.Apply(a, &scoring.Event{Kind: scoring.KindProfile, ID: "p", Source: "/crm", Time: start, Arrived: start, Profile: &scoring.Profile{
		Attributes: map[string]any{"employees": 1500.0, "industry": "fintech", "country": "US", "relationship": "none", "revenue_musd": 120.0, "technologies": []any{"salesforce"}},
	}}, start)
	for i, typ := range append(more, "intent.topic_research", "intent.competitor_search", "engagement.webinar_attended", "engagement.case_study_download") {
		m.Apply(a, incoming(i, typ), start)
	}
	return a
}

func incoming(i int, typ string) *scoring.Event {
	at := start + int64(i)*7*minute
	return &scoring.Event{
		ID: fmt.Sprint(i), Source: "/web", Type: typ, Time: at, Arrived: at, Strength: 1,
		Contact: &scoring.Contact{ID: fmt.Sprint("c", i%3), Title: "VP Engineering"},
	}
}

// negative is a type that earns negative points, so that the score may also rise
// with time.
const negative = "engagement.unsubscribed"

func BenchmarkApply(b *testing.B) {
	b.Run("falling", func(b *testing.B) { benchmarkApply(b) })
	b.Run("mixed", func(b *testing.B) { benchmarkApply(b, negative) })
}

func benchmarkApply(b *testing.B, more ...string) {
	m := reference(b)
	kept := busy(b, m, more...)
	events := make([]*scoring.Event, 64)
	for i := range events {
		events[i] = incoming(100+i, "engagement.webinar_attended")
	}
	b.ReportAllocs()
	var a *scoring.Account
	for i := 0; b.Loop(); i++ {
		if i%len(events) == 0 {
			b.StopTimer()
			a = repack(b, m, kept)
			b.StartTimer()
		}
		e := events[i%len(events)]
		m.Apply(a, e, e.Time)
	}
}

func BenchmarkScore(b *testing.B) {
	m := reference(b)
	a := busy(b, m)
	b.ReportAllocs()
	for b.Loop() {
		m.Score(a, start+day)
	}
}

func BenchmarkNextCrossing(b *testing.B) {
	for name, more := range map[string][]string{"falling": nil, "mixed": {negative}} {
		b.Run(name, func(b *testing.B) {
			m := reference(b)
			a := busy(b, m, more...)
			b.ReportAllocs()
			for b.Loop() {
				m.NextCrossing(a)
			}
		})
	}
}

// BenchmarkNextCrossingCrowded solves with the most people an account keeps.
func BenchmarkNextCrossingCrowded(b *testing.B) {
	m := stored(b)
	a := live(b, m, "full")
	m.Apply(a, &scoring.Event{ID: "x", Source: "/web", Type: "web.complaint", Time: a.Clock, Arrived: a.Clock, Strength: 1}, a.Clock)
	b.ReportAllocs()
	for b.Loop() {
		m.NextCrossing(a)
	}
}

func BenchmarkReceipt(b *testing.B) {
	m := reference(b)
	a := busy(b, m)
	b.ReportAllocs()
	for b.Loop() {
		m.Receipt(a, start+day)
	}
}

func BenchmarkPack(b *testing.B) {
	m := reference(b)
	a := busy(b, m)
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = m.Pack(buf[:0], a)
	}
	b.ReportMetric(float64(len(buf)), "bytes")
}

func BenchmarkUnpack(b *testing.B) {
	m := reference(b)
	data := m.Pack(nil, busy(b, m))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Unpack(data); err != nil {
			b.Fatal(err)
		}
	}
}
