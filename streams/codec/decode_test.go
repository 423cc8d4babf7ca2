package codec_test

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

func binaryRecord() *codec.Record {
	return &codec.Record{
		Topic: "engagement-events", Partition: 3, Offset: 4711, Time: clock,
		Value: []byte(`{"strength":2}`),
		Headers: []codec.Header{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte("9f1c")},
			{Key: "ce_source", Value: []byte("/web")},
			{Key: "ce_type", Value: []byte("engagement.page_view")},
			{Key: "ce_time", Value: []byte("2026-11-02T09:30:00Z")},
			{Key: "ce_subject", Value: []byte("acme.example")},
		},
	}
}

func set(r *codec.Record, key, value string) {
	r.Headers = append(r.Headers, codec.Header{Key: key, Value: []byte(value)})
}

func drop(r *codec.Record, key string) {
	r.Headers = slices.DeleteFunc(r.Headers, func(h codec.Header) bool { return h.Key == key })
}

func at(text string) int64 {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UnixMilli()
}

// decode is the one event of a record that must be good.
func decode(t *testing.T, d *codec.Decoder, r *codec.Record) *scoring.Event {
	t.Helper()
	events, faults := d.Decode(r)
	if len(faults) > 0 {
		t.Fatalf("got %s; value %.300q", faults[0], r.Value)
	}
	if len(events) != 1 {
		t.Fatalf("got %d events, want 1", len(events))
	}
	return events[0]
}

func wantEvent() *scoring.Event {
	return &scoring.Event{
		Kind: scoring.KindEvent, ID: "9f1c", Source: "/web", Type: "engagement.page_view",
		Time: at("2026-11-02T09:30:00.123Z"), Account: "acme.example", Strength: 1,
		Contact: &scoring.Contact{
			ID: "c-17", Email: "dana@acme.example", Title: "VP Engineering", Role: "technical_buyer",
			Fields: scoring.Map{"id": "c-17", "email": "dana@acme.example", "title": "VP Engineering", "role": "technical_buyer"},
		},
		Properties: scoring.Map{"path": "/pricing", "campaign": "q4"},
	}
}

func TestStructured(t *testing.T) {
	t.Parallel()
	noContact := func(e *scoring.Event) { e.Contact = nil }
	byDomain := func(e *scoring.Event) { e.Account, e.Domain = "", "acme.example" }
	tests := []struct {
		name, value string
		edit        func(*scoring.Event)
	}{
		{"as in the specification", valid, func(*scoring.Event) {}},
		{"byte order mark", "\xef\xbb\xbf" + valid, func(*scoring.Event) {}},
		{"white space around", " \r\n\t" + valid + "\n", func(*scoring.Event) {}},
		{"unknown members", with(`"id"`, `"traceparent":"00-1","x":{"y":[1,null,true,"\\"]},"id"`), func(*scoring.Event) {}},
		{"escaped key", with(`"id":"9f1c"`, `"\u0069d":"9f\u0031c"`), func(*scoring.Event) {}},
		{"the last of duplicates", with(`"id":"9f1c"`, `"id":1,"id":"9f1c"`), func(*scoring.Event) {}},
		{"the last contact id", with(`"id":"c-17"`, `"id":5,"id":"c-17"`), func(*scoring.Event) {}},
		{"subject in capitals and blanks", with(`"acme.example"`, `" ACME.Example\t"`), func(*scoring.Event) {}},
		{"subject of 256 bytes", with(`"acme.example"`, `"`+strings.Repeat("A", 256)+`"`), func(e *scoring.Event) { e.Account = strings.Repeat("a", 256) }},
		{"no subject", with(`"subject":"acme.example",`, ``), byDomain},
		{"subject null", with(`"acme.example"`, `null`), byDomain},
		{"subject empty", with(`"acme.example"`, `""`), byDomain},
		{"e-mail domain in capitals", strings.Replace(with(`"acme.example"`, `""`), "dana@acme.example", "dana@ACME.Example.", 2), func(e *scoring.Event) {
			byDomain(e)
			e.Contact.Email = "dana@ACME.Example."
			e.Contact.Fields.Map()["email"] = "dana@ACME.Example."
		}},
		{"data.domain", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"domain":"ACME.example."`), func(e *scoring.Event) { byDomain(e); e.Contact = nil }},
		{"data.domain behind free mail", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"domain":"acme.example","contact":{"email":"d@gmail.com"}`), func(e *scoring.Event) {
			byDomain(e)
			e.Contact = &scoring.Contact{Email: "d@gmail.com", Fields: scoring.Map{"email": "d@gmail.com"}}
		}},
		{"data.domain is not read with a subject", with(`{"contact":`, `{"domain":7,"contact":`), func(*scoring.Event) {}},
		{"contact {}", with(contact, `{}`), noContact},
		{"contact null", with(contact, `null`), noContact},
		{"contact of nulls", with(contact, `{"id":null,"x":null}`), noContact},
		{"contact with a title only", with(contact, `{"title":"CEO","id":null}`), func(e *scoring.Event) {
			e.Contact = &scoring.Contact{Title: "CEO", Fields: scoring.Map{"title": "CEO", "id": nil}}
		}},
		{"contact with fields of its own", with(contact, `{"seniority":"executive","city":"Bern"}`), func(e *scoring.Event) {
			e.Contact = &scoring.Contact{Seniority: "executive", Fields: scoring.Map{"seniority": "executive", "city": "Bern"}}
		}},
		{"strength 0", with(`1.0,"prop`, `0,"prop`), func(e *scoring.Event) { e.Strength = 0 }},
		{"strength -0", with(`1.0,"prop`, `-0,"prop`), func(e *scoring.Event) { e.Strength = 0 }},
		{"strength 10", with(`1.0,"prop`, `1e1,"prop`), func(e *scoring.Event) { e.Strength = 10 }},
		{"no strength", with(`"strength":1.0,`, ``), func(*scoring.Event) {}},
		{"properties null", with(`{"path":"/pricing","campaign":"q4"}`, `null`), func(e *scoring.Event) { e.Properties = nil }},
		{"properties empty", with(`{"path":"/pricing","campaign":"q4"}`, `{}`), func(e *scoring.Event) { e.Properties = scoring.Map{} }},
		{"properties of every kind", with(`{"path":"/pricing","campaign":"q4"}`, `{"a":1,"b":[1.5,"x",{"y":null}],"c":false,"d":null,"a":2}`), func(e *scoring.Event) {
			e.Properties = scoring.Map{"a": 2.0, "b": []any{1.5, "x", map[string]any{"y": nil}}, "c": false, "d": nil}
		}},
		{"lone surrogate", with(`/pricing`, `\ud800x\ud83d\ude00`), func(e *scoring.Event) { e.Properties.Map()["path"] = "\ufffdx😀" }},
		{"as deep as may be", with(`"/pricing"`, strings.Repeat(`[`, 61)+strings.Repeat(`]`, 61)), func(e *scoring.Event) {
			deep := []any{}
			for range 60 {
				deep = []any{deep}
			}
			e.Properties.Map()["path"] = deep
		}},
		{"just within the future", with(`2026-11-02T09:30:00.123Z`, `2026-11-02T12:05:00Z`), func(e *scoring.Event) { e.Time = at("2026-11-02T12:05:00Z") }},
		{"just young enough", with(`2026-11-02T09:30:00.123Z`, `2025-09-28T12:00:00Z`), func(e *scoring.Event) { e.Time = at("2025-09-28T12:00:00Z") }},
		{"outcome", with(`engagement.page_view`, `outcome.won`), func(e *scoring.Event) { e.Kind, e.Type = scoring.KindOutcome, "outcome.won" }},
		{"data_base64", with(valid[strings.Index(valid, `"data"`):], `"data_base64":"`+
			base64.StdEncoding.EncodeToString([]byte(valid[strings.Index(valid, `{"contact"`):len(valid)-1]))+`"}`), func(*scoring.Event) {}},
	}
	d := decoder()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := wantEvent()
			tt.edit(want)
			if got := decode(t, d, &codec.Record{Value: []byte(tt.value)}); !reflect.DeepEqual(spelled(t, got), want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestEventWithoutData(t *testing.T) {
	t.Parallel()
	for _, data := range []string{``, `,"data":null`, `,"data":{}`} {
		value := `{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-11-01T00:00:00Z","subject":"a"` + data + `}`
		got := decode(t, decoder(), &codec.Record{Value: []byte(value), Time: 5})
		want := &scoring.Event{ID: "1", Source: "s", Type: "t", Time: at("2026-11-01T00:00:00Z"), Arrived: 5, Account: "a", Strength: 1}
		if !reflect.DeepEqual(spelled(t, got), want) {
			t.Errorf("data %q: got %+v, want %+v", data, got, want)
		}
	}
}

func TestContentModes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*codec.Record)
	}{
		{"binary", func(*codec.Record) {}},
		{"binary, JSON", func(r *codec.Record) { set(r, "content-type", "application/json") }},
		{"binary, JSON of a kind", func(r *codec.Record) { set(r, "Content-Type", "application/vnd.acme+json; charset=utf-8") }},
		{"binary, the last of duplicate headers", func(r *codec.Record) {
			r.Headers = append([]codec.Header{{Key: "ce_id", Value: []byte("other")}}, r.Headers...)
		}},
		{"binary, byte order mark", func(r *codec.Record) { r.Value = append([]byte("\xef\xbb\xbf"), r.Value...) }},
		{"structured by its value", func(r *codec.Record) { r.Headers, r.Value = nil, structuredTwin() }},
		{"structured, in spite of a plain content type", func(r *codec.Record) {
			r.Headers, r.Value = []codec.Header{{Key: "content-type", Value: []byte("application/json")}}, structuredTwin()
		}},
		{"structured by header", func(r *codec.Record) {
			r.Headers, r.Value = []codec.Header{{Key: "content-type", Value: []byte(`Application/CloudEvents+JSON; charset="UTF-8"`)}}, structuredTwin()
		}},
		{"structured, with ce_ headers beside it", func(r *codec.Record) {
			r.Value = structuredTwin()
			set(r, "ce_id", "other")
			set(r, "content-type", "application/cloudevents+json")
		}},
	}
	d := decoder()
	want := decode(t, d, binaryRecord())
	if want.Strength != 2 || want.ID != "9f1c" || want.Arrived != clock || want.Account != "acme.example" {
		t.Fatalf("got %+v", want)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := binaryRecord()
			tt.edit(r)
			if got := decode(t, d, r); !reflect.DeepEqual(spelled(t, got), want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// structuredTwin says in structured mode what binaryRecord says in binary mode.
func structuredTwin() []byte {
	return []byte(`{"specversion":"1.0","id":"9f1c","source":"/web","type":"engagement.page_view",` +
		`"time":"2026-11-02T09:30:00Z","subject":"acme.example","datacontenttype":"application/json","data":{"strength":2}}`)
}

func TestBinaryWithoutData(t *testing.T) {
	t.Parallel()
	for _, value := range [][]byte{nil, {}, []byte("null")} {
		r := binaryRecord()
		r.Value = value
		if got := decode(t, decoder(), r); got.Strength != 1 || got.Kind != scoring.KindEvent {
			t.Errorf("value %q: got %+v", value, got)
		}
	}
}

func TestProfile(t *testing.T) {
	t.Parallel()
	got := decode(t, decoder(), &codec.Record{Value: []byte(profile(`{"attributes":{"employees":900,"public":true,"industry":"design",` +
		`"technologies":["sap","kafka"],"none":[],"unknown":null,"twice":{},"twice":"x"},"domains":["ACME.example.","acme.example","acme.test"],"parent":" Holding "}`))})
	want := &scoring.Profile{
		Attributes: map[string]any{
			"employees": 900.0, "public": true, "industry": "design", "technologies": []any{"sap", "kafka"}, "none": []any{}, "twice": "x",
		},
		Domains: []string{"acme.example", "acme.test"}, Parent: "holding",
	}
	if got.Kind != scoring.KindProfile || got.Account != "acme.example" || got.ID != "p" || !reflect.DeepEqual(got.Profile, want) {
		t.Errorf("got  %+v %+v\nwant %+v", got, got.Profile, want)
	}
}

func TestProfileHoldsAtAnyAge(t *testing.T) {
	t.Parallel()
	for _, value := range []string{profile(`{}`), profile(`null`), erasure(`{"contact":{"id":"c"}}`)} {
		got := decode(t, decoder(), &codec.Record{Value: []byte(strings.Replace(value, "2026", "1996", 1))})
		if got.Time != at("1996-11-01T00:00:00Z") {
			t.Errorf("got %+v", got)
		}
	}
}

func TestErasures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		r    codec.Record
		want scoring.Event
	}{
		{
			"profile without data",
			codec.Record{Value: []byte(profile(`null`)), Time: 9},
			scoring.Event{Kind: scoring.KindTombstone, ID: "p", Source: "/crm", Type: "account.profile", Account: "acme.example", Time: at("2026-11-01T00:00:00Z"), Arrived: 9},
		},
		{
			"tombstone",
			codec.Record{Topic: "account-profiles", Key: []byte(" ACME.Example "), Time: 7},
			scoring.Event{Kind: scoring.KindTombstone, Account: "acme.example", Time: 7, Arrived: 7},
		},
		{
			"tombstone ahead of the clock",
			codec.Record{Topic: "account-profiles", Key: []byte("a"), Time: clock + 1e9},
			scoring.Event{Kind: scoring.KindTombstone, Account: "a", Time: clock + codec.DefaultFutureTolerance, Arrived: clock + 1e9},
		},
		{
			"contact by id and e-mail",
			codec.Record{Value: []byte(erasure(`{"contact":{"id":"C-1","email":"Dana@Acme.example"}}`))},
			scoring.Event{Kind: scoring.KindErasure, ID: "e", Source: "/crm", Type: "contact.erased", Account: "acme.example", Time: at("2026-11-01T00:00:00Z"), Order: &scoring.Order{Erased: []string{"C-1", "dana@acme.example"}}},
		},
		{
			"contact by e-mail, account by its domain",
			codec.Record{Value: []byte(strings.Replace(erasure(`{"contact":{"email":"Dana@Acme.example"}}`), `"subject":"acme.example",`, ``, 1))},
			scoring.Event{Kind: scoring.KindErasure, ID: "e", Source: "/crm", Type: "contact.erased", Domain: "acme.example", Time: at("2026-11-01T00:00:00Z"), Order: &scoring.Order{Erased: []string{"dana@acme.example"}}},
		},
	}
	d := decoder()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := decode(t, d, &tt.r); !reflect.DeepEqual(got, &tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestDecodeLine(t *testing.T) {
	t.Parallel()
	d := codec.New(codec.Rules{})
	got, fault := d.DecodeLine([]byte(with(`2026-11-02`, `1970-01-01`)), 17)
	if fault != nil {
		t.Fatal(fault)
	}
	if got.Time != at("1970-01-01T09:30:00.123Z") || got.Arrived != 17 || got.Properties != nil || got.Contact.Fields != nil {
		t.Errorf("got %+v %+v", got, got.Contact)
	}
	for line, want := range map[string]codec.Reason{
		"": codec.Malformed, "[]": codec.Malformed, "{}": codec.MissingAttribute,
		strings.Repeat(" ", 300<<10): codec.Oversize,
	} {
		if event, fault := d.DecodeLine([]byte(line), 0); fault == nil || fault.Reason != want || event != nil {
			t.Errorf("line %.20q: got %v, %v, want %s", line, event, fault, want)
		}
	}
}

// The event must not change when the buffer it came from is used again.
func TestNothingOfTheRecordIsKept(t *testing.T) {
	t.Parallel()
	d := decoder()
	value := []byte(valid)
	got := decode(t, d, &codec.Record{Value: value})
	for i := range value {
		value[i] = 'x'
	}
	decode(t, d, binaryRecord())
	if want := wantEvent(); !reflect.DeepEqual(spelled(t, got), want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	d := decoder()
	want := wantEvent()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 200 {
				events, faults := d.Decode(&codec.Record{Value: []byte(valid)})
				if faults != nil || !reflect.DeepEqual(spelled(t, events[0]), want) {
					t.Errorf("got %v, %v", events, faults)
				}
				if _, faults := d.Decode(&codec.Record{Value: bytes.Repeat([]byte("["), 100)}); faults == nil {
					t.Error("a hundred brackets were taken")
				}
			}
		})
	}
	wait.Wait()
}

// benchRecords are one event in each format that needs no mapping, and five in a batch.
func benchRecords() map[string]*codec.Record {
	return map[string]*codec.Record{
		"structured": {Value: []byte(valid)}, "binary": binaryRecord(), "segment": call(changed(track, "Acme.", "acme.")),
		"batch": batch(numbered(1), numbered(2), numbered(3), numbered(4), numbered(5)),
	}
}

func benchDecoder(need bool) *codec.Decoder {
	return codec.New(codec.Rules{
		Now: func() int64 { return clock }, Reads: func(string) (bool, bool) { return need, need },
		Formats: map[string]codec.Format{"calls": codec.Segment()},
	})
}

// Memory comes in slabs and chunks: an event alone costs no allocation, and a batch
// the list of its events.
func TestDecodingAllocatesNothingPerEvent(t *testing.T) {
	type record struct {
		name string
		need bool
	}
	for r, want := range map[record]float64{
		{"structured", false}: 0, {"binary", false}: 0, {"segment", false}: 0, {"batch", false}: 1,
		{"structured", true}: 0, {"binary", true}: 0, {"batch", true}: 1,
	} {
		d, value := benchDecoder(r.need), benchRecords()[r.name]
		got := testing.AllocsPerRun(1000, func() {
			if _, faults := d.Decode(value); faults != nil {
				t.Fatal(faults[0])
			}
		})
		if got > want && !raceEnabled {
			t.Errorf("%+v: got %v allocations, want %v", r, got, want)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	records := benchRecords()
	for _, name := range []string{"structured", "binary", "segment", "batch"} {
		for _, need := range []bool{false, true} {
			b.Run(name+map[bool]string{false: "", true: "-properties"}[need], func(b *testing.B) {
				d := benchDecoder(need)
				b.ReportAllocs()
				b.SetBytes(int64(len(records[name].Value)))
				for b.Loop() {
					if _, faults := d.Decode(records[name]); faults != nil {
						b.Fatal(faults[0])
					}
				}
			})
		}
	}
}
