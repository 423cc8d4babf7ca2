package scoring_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"tidemark/scoring"
)

// FuzzUnpack: no bytes panic, and what unpacks packs to bytes that stay the same.
func FuzzUnpack(f *testing.F) {
	m := storedUnder(f, true)
	for _, name := range []string{"unknown", "erased", "typical", "moved", "heir", "merged", "settled"} {
		plain := stored(f)
		f.Add(plain.Pack(nil, live(f, plain, name)))
	}
	f.Add(m.Pack(nil, live(f, m, "held")))
	for _, file := range goldenStates(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := m.Unpack(data)
		if err != nil {
			return
		}
		first := m.Pack(nil, a)
		b, err := m.Unpack(first)
		if err != nil {
			t.Fatalf("%x unpacks, its packed form %x does not: %v", data, first, err)
		}
		if second := m.Pack(nil, b); !bytes.Equal(first, second) {
			t.Fatalf("%x packs to %x, then to %x", data, first, second)
		}
		m.Open(b)
		m.Score(b, b.Clock)
		m.Receipt(b, b.Clock)
		m.Tier(b)
		for i, typ := range []string{"web.view", "web.legacy", "web.legacy", "web.view"} {
			at := b.Clock + int64(i)
			m.Apply(b, &scoring.Event{ID: fmt.Sprint("f", i), Source: "/web", Type: typ, Time: at, Arrived: at, Strength: 1, Contact: &scoring.Contact{ID: "bot"}}, math.MinInt64)
		}
	})
}

// FuzzEventOrder: events in any order, with duplicates, give one score.
func FuzzEventOrder(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, uint64(1))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 1, 9, 9, 9}, uint64(2))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		spec := stored(t).Spec()
		spec.Signals[1].OncePer = 0
		m := compile(t, spec)[0]
		var events []*scoring.Event
		for ; len(data) >= 4 && len(events) < 200; data = data[4:] {
			e := &scoring.Event{
				ID: fmt.Sprint(len(events)), Source: "/web", Type: pickByte(data[0], "intent.search", "web.view", "web.complaint", "web.legacy"),
				Time: start + int64(binary.BigEndian.Uint16(data[1:]))*minute, Arrived: start + 50*day, Strength: float64(data[3]%21) / 2,
			}
			if data[3] > 100 {
				e.Contact = &scoring.Contact{ID: fmt.Sprint(data[3]), Role: pickByte(data[1], "buyer", "technical", "other", "")}
			}
			events = append(events, e)
		}
		d := newDice(seed)
		want := d.scoreAt(m, events, start+60*day)
		again := append(events[:len(events):len(events)], events...)
		d.Shuffle(len(again), func(i, k int) { again[i], again[k] = again[k], again[i] })
		if got := d.scoreAt(m, again, start+60*day); math.Abs(got-want) > 1e-9 {
			t.Errorf("score %v, in another order %v", want, got)
		}
	})
}

// goldenStates are the files of all layouts that were ever released.
func goldenStates(t testing.TB) []string {
	files, err := filepath.Glob(filepath.Join("testdata", "state", "*.bin"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden states (%v)", err)
	}
	return files
}

func pickByte(b byte, from ...string) string { return from[int(b)%len(from)] }

func (d dice) scoreAt(m *scoring.Model, events []*scoring.Event, at int64) float64 {
	var a scoring.Account
	m.Open(&a)
	for _, e := range events {
		m.Apply(&a, e, start)
	}
	return m.Score(&a, at)
}

// FuzzCompile: no spec panics; one that compiles scores, and solves what is next.
// A spec is a drawn one with whatever the JSON changes in it.
func FuzzCompile(f *testing.F) {
	for seed, data := range []string{
		`{}`, `{"Signals":[{"Group":"none","HalfLife":-1}],"Tiers":[{},{}],"Surge":[{}],"ICP":{}}`,
		`{"Score":{"Min":-1e300,"Max":1e300}}`, `{"Committee":{"Window":1,"PointsPerRole":-3,"Cap":-5}}`,
		`{"Groups":[{"Name":"group0","Cap":1e-300}]}`, `{"Holds":{"Rules":[{"Name":"x","Signals":["signal0","signal0"],"Burst":{"Of":2,"Within":1}}]}}`, `{"Signals":[{"Name":"signal0","HalfLife":1}]}`,
		`{"Tiers":[{"Name":"T1","Min":1e-9,"Hysteresis":1e9,"MinDwell":1,"Cooldown":9223372036854775806},{"Name":"T2"}]}`,
	} {
		f.Add(uint64(seed), []byte(data))
	}
	f.Fuzz(func(t *testing.T, seed uint64, data []byte) {
		spec := newDice(seed).spec()
		if json.Unmarshal(data, &spec) != nil || len(spec.Signals) > 20 || len(spec.Tiers) > 20 || len(spec.Groups) > 20 {
			return
		}
		m, err := scoring.Compile(spec, "hash", miniConditions{}, scoring.NewNames(unique(spec.Names())))
		if err != nil {
			return
		}
		d := newDice(1)
		a := new(scoring.Account)
		m.Open(a)
		for _, in := range d.history(spec, 12) {
			if out := m.Apply(a, in.event, in.watermark); len(out.Crossings) > 1000 {
				t.Fatalf("%d crossings of one event", len(out.Crossings))
			}
		}
		if score := m.Score(a, a.Clock+day); math.IsNaN(score) {
			t.Errorf("score %v", score)
		}
		if at, ok := m.NextCrossing(a); ok && at <= a.Clock {
			t.Errorf("next crossing at %d, the clock is %d", at, a.Clock)
		}
	})
}
