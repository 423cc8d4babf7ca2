package mapping_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tidemark/pkg/mapping"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

func TestBadFilesSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no bad examples: %v", err)
	}
	for _, path := range paths {
		_, err := mapping.Load(path)
		var known *mapping.Error
		if !errors.As(err, &known) {
			t.Fatalf("%s: got %v", path, err)
		}
		compare(t, strings.TrimSuffix(path, ".yaml")+".txt", err.Error()+"\n")
	}
	if _, err := mapping.Load("nowhere.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// usual is a mapping with one thing changed.
func usual(key, expression string) string {
	values := map[string]string{
		"id": "row.id", "source": `"s"`, "type": `"t"`, "time": "row.time", "subject": "row.account",
	}
	head, indent := "", "    "
	switch key {
	case "each", "time_unit":
		head = fmt.Sprintf("%s: %s\n", key, expression)
	case "":
	default:
		values[key] = expression
	}
	out := head + "events:\n  - when: true\n"
	for _, name := range []string{"id", "source", "type", "time", "subject", "domain", "strength", "properties"} {
		if values[name] != "" {
			out += fmt.Sprintf("%s%s: %q\n", indent, name, values[name])
		}
	}
	if key == "contact" {
		out += indent + "contact: " + expression + "\n"
	}
	return out
}

const usualRow = `{"id":"1","time":"2026-11-02T09:30:00Z","account":"Acme","n":5,"big":9007199254740993,"huge":123456789012345678901234567890,` +
	`"list":[1,"a"],"o":{"x":1},"b":true,"email":"dana@acme.example","url":"https://www.Acme.example:8080/x?y","s":1793611800,"ms":1793611800123,"us":1793611800123456,"text":"1793611800"}`

func parse(t testing.TB, source string) *mapping.Mapping {
	t.Helper()
	m, err := mapping.Parse("m.yaml", []byte(source))
	if err != nil {
		t.Fatalf("%v in\n%s", err, source)
	}
	return m
}

// one maps a value by a mapping with one thing changed.
func one(t *testing.T, key, expression, value string) ([]*scoring.Event, []*codec.Bad) {
	t.Helper()
	return decoder(parse(t, usual(key, expression))).Decode(&codec.Record{
		Topic: "rows", Time: clock, Key: []byte("k"), Value: []byte(value), Headers: []codec.Header{{Key: "h", Value: []byte("v")}},
	})
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key, expression string
		got             func(e *scoring.Event) any
		want            any
	}{
		{"id", "row.big", func(e *scoring.Event) any { return e.ID }, "9007199254740993"},
		{"id", "row.n / 2", func(e *scoring.Event) any { return e.ID }, "2.5"},
		{"id", `row.id + "/" + string(row.n)`, func(e *scoring.Event) any { return e.ID }, "1/5"},
		{"id", `hash(row.id, row.n)`, func(e *scoring.Event) any { return len(e.ID) }, 32},
		{"id", `key + headers.h + topic`, func(e *scoring.Event) any { return e.ID }, "kvrows"},
		{"id", `row?.missing ?? row.id`, func(e *scoring.Event) any { return e.ID }, "1"},
		{"subject", `lower(trim(row.account))`, func(e *scoring.Event) any { return e.Account }, "acme"},
		{"subject", `host(row.url)`, func(e *scoring.Event) any { return e.Account }, "acme.example"},
		{"type", `"x." + snake("Demo Requested")`, func(e *scoring.Event) any { return e.Type }, "x.demo_requested"},
		{"time", `arrived - 1000`, nil, nil},
		{"time", `day("2026-11-01")`, func(e *scoring.Event) any { return e.Time }, clock - 36*3600*1000},
		{"time", `date("11/01/2026", "01/02/2006")`, func(e *scoring.Event) any { return e.Time }, clock - 36*3600*1000},
		{"strength", `row.n`, func(e *scoring.Event) any { return e.Strength }, 5.0},
		{"strength", `row.missing`, func(e *scoring.Event) any { return e.Strength }, 1.0},
		{"properties", `pick(row, "n", "o", "none")`, func(e *scoring.Event) any { return fmt.Sprint(e.Properties) }, "map[n:5 o:map[x:1]]"},
		{"properties", `{"n": row.n, "x": 1.0 / 0, "l": 1..3, "t": day("2026-11-01")}`, func(e *scoring.Event) any { return fmt.Sprint(e.Properties) }, "map[l:[1 2 3] n:5 t:2026-11-01T00:00:00Z x:<nil>]"},
		{"properties", `row.missing`, func(e *scoring.Event) any { return e.Properties == nil }, true},
		{"properties", `without(row.o, "x")`, func(e *scoring.Event) any { return fmt.Sprint(e.Properties) }, "map[]"},
		{"contact", `{email: row.email, title: row.missing}`, func(e *scoring.Event) any { return fmt.Sprint(e.Contact.Fields) }, "map[email:dana@acme.example]"},
		{"contact", `{title: row.missing}`, func(e *scoring.Event) any { return e.Contact == nil }, true},
	} {
		events, faults := one(t, tt.key, tt.expression, usualRow)
		if tt.want == nil {
			if len(faults) != 1 || faults[0].Reason != codec.BadTime {
				t.Errorf("%s: %s: got %v, want bad_time: a number without a unit", tt.key, tt.expression, faults)
			}
			continue
		}
		if len(events) != 1 {
			t.Errorf("%s: %s: got %v", tt.key, tt.expression, faults)
			continue
		}
		if got := tt.got(events[0]); got != tt.want {
			t.Errorf("%s: %s: got %v, want %v", tt.key, tt.expression, got, tt.want)
		}
	}
}

// A fault names the attribute, the line and the way out, and shows nobody's data.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key, expression, value string
		want                   codec.Reason
		message                string
	}{
		{"", "", `[`, codec.Malformed, "value: not JSON"},
		{"id", "row.missing", usualRow, codec.MissingAttribute, "id: missing"},
		{"id", "row.o", usualRow, codec.BadAttribute, "id: an object, must be a text or a number (line 3 of m.yaml)"},
		{"id", "row.huge", usualRow, codec.BadAttribute, "id: a number with more digits than can be told apart"},
		{"id", "row.none.id", usualRow, codec.BadAttribute, "id: the expression on line 3 of m.yaml fails: cannot fetch id from <nil>"},
		{"id", "hash(row.none)", usualRow, codec.BadAttribute, "fails: hash takes texts and numbers that are not empty"},
		{"id", "int(row.email)", usualRow, codec.BadAttribute, "fails: it fails on what this message holds"},
		{"id", "row.list[7]", usualRow, codec.BadAttribute, "fails: it fails on what this message holds"},
		{"id", "row.id.x", `{"id":"dana@acme.example"}`, codec.BadAttribute, "fails: it fails on what this message holds"},
		{"time", "row.none", usualRow, codec.MissingAttribute, "time: null, an instant is required"},
		{"time", "row.s", usualRow, codec.BadTime, "time: a number; set time_unit to s, ms or us"},
		{"time", "row.text", usualRow, codec.BadTime, `time: "1793611800" is not RFC 3339`},
		{"time", "row.o", usualRow, codec.BadTime, "time: an object, must be an instant"},
		{"time", `day("1.11.2026")`, usualRow, codec.BadAttribute, "day takes a date such as 2026-11-02"},
		{"time", `day("2026-12-01")`, usualRow, codec.FutureTime, "ahead of the clock"},
		{"type", `"account.profile"`, usualRow, codec.BadAttribute, "type: account.profile is for entries with attributes"},
		{"type", `"contact.erased"`, usualRow, codec.MissingAttribute, "contact: neither id nor email"},
		{"subject", "row.none", usualRow, codec.NoAccount, "subject: missing"},
		{"subject", "row.b", usualRow, codec.BadAttribute, "subject: a boolean"},
		{"strength", "row.n * 3", usualRow, codec.BadAttribute, "strength: 15, must be from 0 to 10"},
		{"strength", "0.0 / 0", usualRow, codec.BadAttribute, "strength: NaN, must be from 0 to 10"},
		{"strength", "row.account", usualRow, codec.BadAttribute, "strength: a text, must be a number"},
		{"properties", "row.list", usualRow, codec.BadAttribute, "properties: a list, must be an object"},
		{"each", "row.none", usualRow, codec.BadAttribute, "each: null, must be a list (line 1 of m.yaml)"},
		{"each", "row.list", usualRow, codec.BadAttribute, "item[0]: id: the expression on line 4 of m.yaml fails"},
		{"properties", `{"x": map(1..200000, #)}`, usualRow, codec.BadAttribute, "it makes more than 100000 elements"},
	} {
		events, faults := one(t, tt.key, tt.expression, tt.value)
		if len(events) > 0 || len(faults) == 0 || faults[0].Reason != tt.want || !strings.Contains(faults[0].Message, tt.message) || strings.Contains(faults[0].Message, "dana") {
			t.Errorf("%s: %s: got %v, want %s: %s", tt.key, tt.expression, faults, tt.want, tt.message)
		}
	}
}

func TestTimeUnits(t *testing.T) {
	t.Parallel()
	for unit, want := range map[string]map[string]int64{
		"s":  {"row.s": 1793611800000, "row.text": 1793611800000, "row.s + 0.5": 1793611800500},
		"ms": {"row.ms": 1793611800123},
		"us": {"row.us": 1793611800123},
	} {
		for expression, ms := range want {
			source := "time_unit: " + unit + "\n" + usual("time", expression)
			events, faults := decoder(parse(t, source)).Decode(&codec.Record{Topic: "rows", Value: []byte(usualRow)})
			if len(events) != 1 || events[0].Time != ms {
				t.Errorf("%s as %s: got %v, %v, want %d", expression, unit, events, faults, ms)
			}
		}
	}
	// A unit that is declared wrongly is noticed.
	for unit, want := range map[string]map[string]codec.Reason{
		"s":  {"row.ms": codec.BadTime, "row.us": codec.BadTime, "row.time": codec.BadTime},
		"ms": {"row.s": codec.TooOld, "row.us": codec.BadTime},
		"us": {"row.s": codec.TooOld, "row.ms": codec.TooOld},
	} {
		for expression, reason := range want {
			source := "time_unit: " + unit + "\n" + usual("time", expression)
			_, faults := decoder(parse(t, source)).Decode(&codec.Record{Topic: "rows", Value: []byte(usualRow)})
			if len(faults) != 1 || faults[0].Reason != reason {
				t.Errorf("%s as %s: got %v, want %s", expression, unit, faults, reason)
			}
		}
	}
}

const several = `
each: message.rows
when: row.ok
events:
  - {id: row.id, source: '"s"', type: '"first"', time: row.time, subject: row.account}
  - {when: row.n > 1, id: 'row.id + row.suffix', source: '"s"', type: '"second"', time: row.time, subject: row.account}
`

func TestSeveralEventsOfSeveralRows(t *testing.T) {
	t.Parallel()
	value := `{"rows":[{"ok":true,"id":"1","n":1,"time":"2026-11-02T09:30:00Z","account":"a"},{"ok":false},{"id":"x"},` +
		`{"ok":true,"id":"2","suffix":"b","n":2,"time":"2026-11-02T09:31:00Z","account":"a"},{"ok":true,"id":"3","suffix":"","n":2,"time":"2026-11-02T09:31:00Z","account":"a"},` +
		`{"ok":1},{"ok":true,"id":"4","suffix":"b","n":2,"time":"2026-11-02T09:32:00Z"}]}`
	r := &codec.Record{Topic: "rows", Value: []byte(value)}
	events, faults := decoder(parse(t, several)).Decode(r)
	var got []string
	for _, e := range events {
		got = append(got, e.Type+" "+e.ID)
	}
	if strings.Join(got, ", ") != "first 1, first 2, second 2b, first 3" {
		t.Errorf("got %v", got)
	}
	var places []string
	for _, f := range faults {
		places = append(places, f.Place)
	}
	if strings.Join(places, ", ") != "item[4].events[1], item[5], item[6].events[0], item[6].events[1]" ||
		!strings.Contains(faults[0].Message, "would count as a repeat") || !strings.Contains(faults[1].Message, "when: a number, must be true or false") {
		t.Errorf("got %v", faults)
	}
	r.Refused = []string{"item[3].events[0]", "item[5]"}
	if events, faults := decoder(parse(t, several)).Decode(r); len(events) != 3 || len(faults) != 3 {
		t.Errorf("got %d events and %v", len(events), faults)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	d := decoder(parse(t, several))
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Go(func() {
			value := fmt.Sprintf(`{"rows":[{"ok":true,"id":"%d","n":1,"time":"2026-11-02T09:30:00Z","account":"a%d"}]}`, n, n)
			for range 100 {
				events, faults := d.Decode(&codec.Record{Topic: "rows", Value: []byte(value)})
				if len(events) != 1 || events[0].ID != fmt.Sprint(n) || events[0].Account != fmt.Sprint("a", n) {
					t.Errorf("got %v, %v", events, faults)
				}
			}
		})
	}
	wait.Wait()
}

func TestErasesAPerson(t *testing.T) {
	t.Parallel()
	source := `events: [{id: row.id, source: '"s"', type: '"contact.erased"', time: row.time, subject: row.account, contact: {id: row.n, email: row.email}}]`
	events, faults := decoder(parse(t, source)).Decode(&codec.Record{Topic: "rows", Value: []byte(usualRow)})
	if len(events) != 1 || events[0].Kind != scoring.KindErasure || fmt.Sprint(events[0].Erased()) != "[5 dana@acme.example]" || events[0].Contact != nil {
		t.Errorf("got %+v, %v", events, faults)
	}
}
