package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func small() Workload {
	w := DefaultWorkload(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	w.Events, w.Accounts = 20_000, 2_000
	return w
}

// all gives copies of a workload's events.
func all(w Workload) (events []event) {
	g := newGenerator(w)
	for e, ok := g.next(); ok; e, ok = g.next() {
		e.value = bytes.Clone(e.value)
		events = append(events, e)
	}
	return events
}

func TestSameSeedGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	a, b := all(small()), all(small())
	other := small()
	other.Seed++
	c := all(other)
	if len(a) != 20_000 {
		t.Fatalf("got %d events, want 20000", len(a))
	}
	same := 0
	for i := range a {
		if !bytes.Equal(a[i].value, b[i].value) || a[i].key != b[i].key || a[i].topic != b[i].topic {
			t.Fatalf("event %d differs:\n%s\n%s", i, a[i].value, b[i].value)
		}
		if bytes.Equal(a[i].value, c[i].value) {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d events are the same under another seed", same)
	}
}

func TestWorkloadHasTheShapeAskedFor(t *testing.T) {
	t.Parallel()
	w := small()
	seen, accounts, latest := map[string]int{}, map[string]int{}, int64(0)
	repeats, late, intents := 0, 0, 0
	for i, e := range all(w) {
		var v struct {
			ID, Type, Subject string
			Time              time.Time
			Data              struct {
				Contact struct{ ID, Title, Seniority string }
			}
		}
		if err := json.Unmarshal(e.value, &v); err != nil {
			t.Fatalf("%v in %s", err, e.value)
		}
		if v.Subject != e.key || v.Time.UnixMilli() != e.time || v.Data.Contact.Title == "" {
			t.Fatalf("key %s, time %d: %s", e.key, e.time, e.value)
		}
		if strings.HasPrefix(v.Type, "intent.") != (e.topic == intentTopic) {
			t.Fatalf("topic %d: %s", e.topic, e.value)
		}
		if e.topic == intentTopic {
			intents++
		}
		accounts[e.key]++
		if before, ok := seen[v.ID]; ok {
			if repeats++; i-before > 400 {
				t.Errorf("%s came again after %d positions", v.ID, i-before)
			}
			continue
		}
		seen[v.ID] = i
		if e.time < latest-1000*2 { // events are about 2 minutes apart
			late++
		}
		latest = max(latest, e.time)
	}
	within(t, "duplicates", repeats, 150, 250)
	within(t, "late", late, 250, 500)
	within(t, "intent events", intents, 7_600, 8_400)
	most := 0
	for _, n := range accounts {
		most = max(most, n)
	}
	within(t, "events of the most popular account", most, 1_000, 6_000)
	if end := w.Start.Add(w.Span).UnixMilli(); latest >= end || latest < end-w.Span.Milliseconds()/100 {
		t.Errorf("latest event at %d, want just before %d", latest, end)
	}
}

func within(t *testing.T, what string, got, least, most int) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s: got %d, want %d to %d", what, got, least, most)
	}
}

func TestEventNumber(t *testing.T) {
	t.Parallel()
	g := newGenerator(small())
	for want := range 1200 {
		e := g.make(time.Now())
		if got, ok := eventNumber(idOf(e.value)); !ok || got != want {
			t.Fatalf("got %d, %v, want %d of %s", got, ok, want, e.value)
		}
	}
	for _, id := range []string{"", "e-", "p-17-0", "e-x"} {
		if n, ok := eventNumber([]byte(id)); ok {
			t.Errorf("%q gave number %d", id, n)
		}
	}
}

func TestWorkloadFaultsNameTheFlag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flag  string
		spoil func(*Workload)
	}{
		{"--events: 0", func(w *Workload) { w.Events = 0 }},
		{"--accounts: 0", func(w *Workload) { w.Accounts = 0 }},
		{"--zipf: 1", func(w *Workload) { w.Zipf = 1 }},
		{"--duplicates: 0.6", func(w *Workload) { w.Duplicates = 0.6 }},
		{"--disorder: -1", func(w *Workload) { w.Disorder = -1 }},
	} {
		w := small()
		c.spoil(&w)
		if err := w.Validate(); err == nil || !strings.Contains(err.Error(), c.flag) {
			t.Errorf("got %v, want one that says %s", err, c.flag)
		}
	}
	if err := small().Validate(); err != nil {
		t.Error(err)
	}
}

// The population's account is the one that the figure is of.
func TestPopulationHasFiveSignalsAndThreePeople(t *testing.T) {
	t.Parallel()
	types, people := map[string]bool{}, map[string]bool{}
	err := eachOfPopulation(1, time.Now(), func(m message) error {
		var v struct {
			Type string
			Data struct{ Contact struct{ ID string } }
		}
		if err := json.Unmarshal(m.value, &v); err != nil {
			return err
		}
		types[v.Type], people[v.Data.Contact.ID] = true, true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(types) != 5 || len(people) != 3 {
		t.Errorf("got types %v, people %v", types, people)
	}
}
