package sniff_test

import (
	"strings"
	"testing"
	"time"

	"tidemark/configs"
	"tidemark/pkg/mapping"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/sniff"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

var clock = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC).UnixMilli()

var formats = []sniff.Format{{Name: "cloudevents"}, {Name: "segment", Format: codec.Segment()}}

func model(t *testing.T) *scoring.Model {
	t.Helper()
	file, err := modelfile.Parse("m", configs.ReferenceModel())
	if err != nil {
		t.Fatal(err)
	}
	m, err := scoring.Compile(file.Spec, file.Hash, modelfile.Conditions(), scoring.NewNames(file.Spec.Names()))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func look(t *testing.T, values ...string) *sniff.Report {
	t.Helper()
	var records []codec.Record
	for _, v := range values {
		r := codec.Record{Topic: "t", Time: clock, Value: []byte(v)}
		if v == "" {
			r.Value = nil
		}
		records = append(records, r)
	}
	return sniff.Look(records, formats, model(t), codec.Rules{Now: func() int64 { return clock }})
}

func event(id, typ, path string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"s","type":"` + typ + `","time":"2026-11-02T09:30:00Z","data":{"contact":{"email":"dana@acme.example"},"properties":{"path":"` + path + `"}}}`
}

func TestCloudEvents(t *testing.T) {
	t.Parallel()
	r := look(t, event("1", "engagement.page_view", "/pricing"), event("2", "engagement.page_view", "/"), event("3", "web.visit", "/"), "", event("4", "", "/"),
		strings.Replace(event("5", "x", "/"), "dana@acme.example", "dana@gmail.com", 1), event("6", "account.profile", "/"))
	if r.Format != "cloudevents" || r.Records != 7 || r.Tombstones != 1 || r.Read != 5 || r.Events != 3 || r.Mapping != "" {
		t.Errorf("got %+v", r)
	}
	if len(r.Types) != 2 || r.Types[0].Name != "engagement.page_view" || r.Types[0].Matched != 2 || r.Types[0].ByDomain != 2 || r.Types[0].Members[0] != "path" ||
		r.Types[0].Why() != "matched by pricing-page, any-visit, careers-page" || r.Types[1].Why() != "no signal's match.type fits" {
		t.Errorf("got %+v", r.Types)
	}
	if len(r.Faults) != 2 || r.Faults[0].Reason != codec.NoAccount || r.Faults[0].Count != 2 {
		t.Errorf("got %+v", r.Faults)
	}
}

func TestSegment(t *testing.T) {
	t.Parallel()
	r := look(t, `{"type":"track","event":"Demo Requested","messageId":"1","timestamp":"2026-11-02T09:30:00Z","userId":"u","context":{"groupId":"a"}}`,
		`{"type":"page","messageId":"2","timestamp":"2026-11-02T09:30:00Z","anonymousId":"u"}`)
	if r.Format != "segment" || r.Read != 2 || r.Events != 1 || r.Types[0].Name != "segment.track.demo_requested" || r.Faults[0].Reason != codec.NoAccount {
		t.Errorf("got %+v", r)
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	typ := sniff.Type{Events: 2, Signals: []string{"a"}}
	if got := typ.Why(); got != "match.type of a fits, but where does not hold for any" {
		t.Errorf("got %s", got)
	}
	typ.Matched = 1
	if got := typ.Why(); got != "where of a does not hold for the others" {
		t.Errorf("got %s", got)
	}
}

// What is proposed is a mapping, and reads the sample that it was made of.
func TestAMappingToStartFrom(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		value string
		want  []string
		reads bool
	}{
		"rows":      {`{"rows":[{"uuid":"x","createdAt":1793611800123,"action":"Demo Requested","company":{"website":"https://acme.example"},"email":"a@b.example","odd name":1,"n":2}]}`, []string{"each: message.rows", "time_unit: ms", "id: row.uuid", "domain: 'host(row.company?.website)'", `'row["odd name"]'`}, true},
		"a list":    {`[{"event_id":7,"date":"2026-11-01","account_id":"acme","type":"x"}]`, []string{"each: message\n", "day(row.date)", "subject: row.account_id"}, true},
		"an object": {`{"recipient":"dana@acme.example","ts":1793611800,"x":"y"}`, []string{"time_unit: s", "hash(row.recipient, row.ts, row.x)", "contact: {email: row.recipient}", `intent.topic_research`}, true},
		"no time":   {`{"id":"1","domain":"acme.example"}`, []string{"time: arrived", "time_unit: ms"}, true},
		"nothing":   {`{"a":1}`, []string{"subject: row.account  #"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := look(t, tt.value)
			for _, want := range tt.want {
				if !strings.Contains(r.Mapping, want) {
					t.Errorf("got\n%s\nwant %s", r.Mapping, want)
				}
			}
			m, err := mapping.Parse("m.yaml", []byte(r.Mapping))
			if err != nil {
				t.Fatalf("%v in\n%s", err, r.Mapping)
			}
			d := codec.New(codec.Rules{Now: func() int64 { return clock }, Formats: map[string]codec.Format{"t": codec.Mapping(m)}})
			events, faults := d.Decode(&codec.Record{Topic: "t", Time: clock, Value: []byte(tt.value)})
			if tt.reads != (len(events) == 1) {
				t.Errorf("got %v by\n%s", faults, r.Mapping)
			}
		})
	}
	for _, value := range []string{"hello", "5", "[]", "[1]"} {
		if r := look(t, value); r.Format != "" || r.Mapping != "" {
			t.Errorf("%s: got %+v", value, r)
		}
	}
}
