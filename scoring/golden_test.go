package scoring_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tidemark/scoring"
)

// storedNames is a dictionary as Redis keeps it: numbers never change their name.
var storedNames = []string{
	"tier:A", "tier:B", "tier:C", "signal:search", "signal:view", "signal:complaint", "signal:legacy",
	"surge:rush", "role:unknown", "role:buyer", "role:technical",
}

// stored is the model whose states are the golden files of layout 1.
func stored(t testing.TB) *scoring.Model { return storedUnder(t, false) }

// storedUnder is that model, or the same with holds: layout 2.
func storedUnder(t testing.TB, holding bool) *scoring.Model {
	t.Helper()
	spec := scoring.Spec{
		Name: "stored", Version: 1,
		Contacts: scoring.ContactsSpec{Roles: []scoring.PatternSpec{{Match: "cfo", Is: "buyer"}, {Match: "cto", Is: "technical"}}},
		Groups:   []scoring.GroupSpec{{Name: "intent"}, {Name: "web"}, {Name: "negative"}},
		Signals: []scoring.SignalSpec{
			{Name: "search", Group: "intent", Type: "intent.search", Points: 10, HalfLife: 10 * day},
			{Name: "view", Group: "web", Type: "web.view", Points: 5, HalfLife: 7 * day, Limit: ptr(8), OncePer: day},
			{Name: "complaint", Group: "negative", Type: "web.complaint", Points: -20, HalfLife: 30 * day},
			{Name: "legacy", Group: "web", Type: "web.legacy", Points: 1, HalfLife: scoring.Never},
		},
		Committee: &scoring.CommitteeSpec{Window: 30 * day, PointsPerRole: 5},
		Surge:     []scoring.SurgeSpec{{Name: "rush", Group: "intent", Short: 2 * day, Long: 20 * day, Ratio: 4, Min: 2, Points: 10}},
		Tiers:     []scoring.TierSpec{{Name: "A", Min: ptr(60), MQA: true, MinDwell: day, Cooldown: 2 * day}, {Name: "B", Min: ptr(30), Hysteresis: 5}, {Name: "C"}},
	}
	if holding {
		spec.Holds = &scoring.HoldsSpec{Rules: []scoring.HoldRuleSpec{
			{Name: "weak", Signals: []string{"view"}, When: "strength < 0.4"},
			{Name: "burst", Signals: []string{"view", "legacy"}, Burst: &scoring.BurstSpec{Of: 3, Within: 20 * minute}},
		}}
	}
	m, err := scoring.Compile(spec, "hash", miniConditions{}, scoring.NewNames(storedNames))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// live plays events that bring an account into a state worth keeping.
func live(t testing.TB, m *scoring.Model, name string) *scoring.Account {
	t.Helper()
	a := new(scoring.Account)
	m.Open(a)
	at, n := start, 0
	do := func(typ string, strength float64, c *scoring.Contact) {
		n++
		at += 7 * minute
		m.Apply(a, &scoring.Event{ID: fmt.Sprint(n), Source: "/web", Type: typ, Time: at, Arrived: at, Strength: strength, Contact: c}, at)
	}
	switch name {
	case "unknown":
	case "erased":
		do("intent.search", 7, nil)
		m.Apply(a, &scoring.Event{Kind: scoring.KindTombstone, Time: at + day}, at)
	case "typical":
		do("intent.search", 4, nil)
		do("web.view", 1, &scoring.Contact{ID: "c1", Title: "CFO"})
		do("web.view", 1, &scoring.Contact{ID: "c2", Title: "Cook"})
		do("web.complaint", 0.5, &scoring.Contact{Email: "Dana@acme.example"})
		do("web.legacy", 1, &scoring.Contact{ID: "c3", Role: "champion"})
		do("web.view", 2, &scoring.Contact{ID: "c1", Title: "CTO"})
	case "moved":
		do("intent.search", 7, nil)
		m.Advance(a, at+20*day)
		do("web.view", 1, nil)
	case "full":
		for i := range 600 {
			at += 5 * hour / 10
			do("web.view", 1, &scoring.Contact{ID: fmt.Sprint("c", i%90), Title: "CFO"})
		}
	case "heir":
		a = live(t, m, "typical")
		merge(m, live(t, m, "full"), a, start+30*day, start)
	case "merged", "settled", "kept":
		a = live(t, m, "typical")
		e := &scoring.Event{Kind: scoring.KindMerge, ID: "m1", Source: "/crm", Type: "account.merged", Time: a.Clock + hour}
		m.Merge(a, scoring.Merging{From: "acme.example", Into: "acct-42", Event: e, Watermark: a.Clock})
		switch name {
		case "settled":
			a.Settle()
		case "kept":
			a.Keep("acct-43")
		}
	case "held":
		do("intent.search", 4, nil)
		do("web.view", 1, &scoring.Contact{ID: "c1", Title: "CFO"})
		for range 3 {
			do("web.legacy", 1, &scoring.Contact{ID: "bot", Role: "champion"})
		}
		do("web.view", 0.25, &scoring.Contact{ID: "c3", Title: "CTO"})
		do("web.view", 0.25, nil)
	default:
		t.Fatalf("no state named %q", name)
	}
	return a
}

// TestStoredStatesStayReadable holds every layout that was ever released: each
// golden file still unpacks to the account it was written from, and packs to what the
// newest one holds. -update rewrites the newest; those of older layouts never change.
func TestStoredStatesStayReadable(t *testing.T) {
	t.Parallel()
	names := []string{"unknown", "erased", "typical", "moved", "full", "held", "heir", "merged", "settled", "kept"}
	for _, name := range names {
		m := storedUnder(t, name == "held")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := live(t, m, name)
			packed := m.Pack(nil, want)
			file := func(layout byte) string {
				return filepath.Join("testdata", "state", fmt.Sprintf("v%d-%s.bin", layout, name))
			}
			if *update {
				if err := os.WriteFile(file(packed[0]), packed, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			read := 0
			for layout := byte(1); layout <= packed[0]; layout++ {
				data, err := os.ReadFile(file(layout))
				if layout < packed[0] && errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				read++
				got, err := m.Unpack(data)
				if err != nil {
					t.Fatal(err)
				}
				m.Open(got)
				if a, b := summary(m, got), summary(m, want); a != b {
					t.Errorf("layout %d: unpacked %s\nwant %s", layout, a, b)
				}
				if again := m.Pack(nil, got); !bytes.Equal(again, packed) {
					t.Errorf("layout %d: packs to %x, want %x", layout, again, packed)
				}
			}
			if want := min(int(packed[0]), 2); read < want {
				t.Errorf("%d layouts were read, want %d", read, want)
			}
		})
	}
}

func summary(m *scoring.Model, a *scoring.Account) string {
	next, ok := m.NextCrossing(a)
	return fmt.Sprintf("tier %s seq %d clock %d begun %t next %d %t into %q receipt %s",
		m.Tier(a), a.Seq, a.Clock, a.Begun, next, ok, a.Into(), describe(m.Receipt(a, a.Clock)))
}

// TestTypicalStateIsSmall guards the budget of memory in Redis (ARCHITECTURE:
// 250 bytes with keys for 5 active signals and 3 people).
func TestTypicalStateIsSmall(t *testing.T) {
	t.Parallel()
	m := stored(t)
	if n := len(m.Pack(nil, live(t, m, "typical"))); n > 120 {
		t.Errorf("a typical state takes %d bytes", n)
	}
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	m := stored(t)
	good := m.Pack(nil, live(t, m, "typical"))
	for n := range good {
		if _, err := m.Unpack(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes unpacked", n, len(good))
		}
	}
	if _, err := m.Unpack(append(bytes.Clone(good), 0)); err == nil {
		t.Error("a byte too many unpacked")
	}
	newer := bytes.Clone(good)
	newer[0] = scoring.Layout + 1
	if _, err := m.Unpack(newer); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer layout: %v", err)
	}
}
