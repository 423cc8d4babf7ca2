package codec_test

import (
	"strings"
	"testing"
	"time"

	"tidemark/streams/codec"
)

// clock is the instant at which the tests' decoders stand.
var clock = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC).UnixMilli()

func decoder() *codec.Decoder {
	return codec.New(codec.Rules{
		Now:           func() int64 { return clock },
		ProfilesTopic: "account-profiles",
		Reads:         func(string) (properties, fields bool) { return true, true },
	})
}

const valid = `{"specversion":"1.0","id":"9f1c","source":"/web","type":"engagement.page_view","time":"2026-11-02T09:30:00.123Z",` +
	`"subject":"acme.example","data":{"contact":{"id":"c-17","email":"dana@acme.example","title":"VP Engineering",` +
	`"role":"technical_buyer"},"strength":1.0,"properties":{"path":"/pricing","campaign":"q4"}}}`

// with replaces one part of the valid event.
func with(part, by string) string {
	if !strings.Contains(valid, part) {
		panic("not in the valid event: " + part)
	}
	return strings.Replace(valid, part, by, 1)
}

// profile is a valid profile with the given data.
func profile(data string) string {
	return `{"specversion":"1.0","id":"p","source":"/crm","type":"account.profile","time":"2026-11-01T00:00:00Z",` +
		`"subject":"acme.example","data":` + data + `}`
}

// erasure is a valid erasure with the given data.
func erasure(data string) string {
	return `{"specversion":"1.0","id":"e","source":"/crm","type":"contact.erased","time":"2026-11-01T00:00:00Z",` +
		`"subject":"acme.example","data":` + data + `}`
}

const contact = `{"id":"c-17","email":"dana@acme.example","title":"VP Engineering","role":"technical_buyer"}`

func TestBadStructured(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, value string
		want        codec.Reason
	}{
		{"empty", ``, codec.Malformed},
		{"not JSON", `hello`, codec.Malformed},
		{"cut short", valid[:len(valid)-1], codec.Malformed},
		{"two values", valid + valid, codec.Malformed},
		{"a list", `[` + valid + `]`, codec.Malformed},
		{"a number", `17`, codec.Malformed},
		{"null", `null`, codec.Malformed},
		{"single quotes", strings.ReplaceAll(valid, `"`, `'`), codec.Malformed},
		{"NaN", with(`1.0,"prop`, `NaN,"prop`), codec.Malformed},
		{"infinite number", with(`1.0,"prop`, `1e999,"prop`), codec.Malformed},
		{"huge number in an unknown member", with(`"specversion"`, `"x":-1e400,"specversion"`), codec.Malformed},
		{"leading zero", with(`1.0,"prop`, `01,"prop`), codec.Malformed},
		{"trailing comma", with(`"q4"}`, `"q4",}`), codec.Malformed},
		{"comment", with(`{"contact"`, `/**/{"contact"`), codec.Malformed},
		{"control character in a string", with(`9f1c`, "9f\n1c"), codec.Malformed},
		{"bad escape", with(`9f1c`, `9f\x1c`), codec.Malformed},
		{"broken UTF-8", with(`9f1c`, "9f\xff1c"), codec.Malformed},
		{"cut UTF-8", with(`/pricing`, "/pricing\xe2\x82"), codec.Malformed},
		{"surrogate in UTF-8", with(`/pricing`, "\xed\xa0\x80"), codec.Malformed},
		{"nested too deeply", with(`"/pricing"`, strings.Repeat(`[`, 62)+strings.Repeat(`]`, 62)), codec.Malformed},
		{"deep as a bomb", strings.Repeat(`{"a":`, 20_000), codec.Malformed},
		{"two byte order marks", "\xef\xbb\xbf\xef\xbb\xbf" + valid, codec.Malformed},
		{"no specversion", with(`"specversion":"1.0",`, ``), codec.Malformed},
		{"old specversion", with(`"1.0"`, `"0.3"`), codec.BadAttribute},
		{"specversion a number", with(`"1.0"`, `1.0`), codec.BadAttribute},
		{"specversion null", with(`"1.0"`, `null`), codec.MissingAttribute},
		{"no id", with(`"id":"9f1c",`, ``), codec.MissingAttribute},
		{"id null", with(`"9f1c"`, `null`), codec.MissingAttribute},
		{"id empty", with(`"9f1c"`, `""`), codec.MissingAttribute},
		{"id a number", with(`"9f1c"`, `17`), codec.BadAttribute},
		{"no source", with(`"source":"/web",`, ``), codec.MissingAttribute},
		{"source empty", with(`"/web"`, `""`), codec.MissingAttribute},
		{"source an object", with(`"/web"`, `{}`), codec.BadAttribute},
		{"no type", with(`"type":"engagement.page_view",`, ``), codec.MissingAttribute},
		{"type a list", with(`"engagement.page_view"`, `["a"]`), codec.BadAttribute},
		{"the last of two ids empty", with(`"id":"9f1c"`, `"id":"9f1c","id":""`), codec.MissingAttribute},
		{"no time", with(`"time":"2026-11-02T09:30:00.123Z",`, ``), codec.MissingAttribute},
		{"time a number", with(`"2026-11-02T09:30:00.123Z"`, `1793611800123`), codec.BadTime},
		{"time empty", with(`2026-11-02T09:30:00.123Z`, ``), codec.BadTime},
		{"time without a zone", with(`.123Z`, ``), codec.BadTime},
		{"time of no such day", with(`2026-11-02`, `2026-02-29`), codec.BadTime},
		{"time with a blank", with(`02T09`, `02 09`), codec.BadTime},
		{"time five minutes ahead and a bit", with(`2026-11-02T09:30:00.123Z`, `2026-11-02T12:05:00.001Z`), codec.FutureTime},
		{"time in 9999", with(`2026-11-02`, `9999-12-31`), codec.FutureTime},
		{"time 400 days ago and a bit", with(`2026-11-02T09:30:00.123Z`, `2025-09-28T11:59:59.999Z`), codec.TooOld},
		{"time in year 0", with(`2026-11-02`, `0000-01-01`), codec.TooOld},
		{"outcome too old", with(`engagement.page_view","time":"2026`, `outcome.won","time":"2024`), codec.TooOld},
		{"too many bytes", with(`/pricing`, strings.Repeat("x", 256<<10)), codec.Oversize},
		{"subject too long", with(`acme.example"`, strings.Repeat("a", 257)+`"`), codec.BadAttribute},
		{"subject too long once lower-cased", with(`acme.example"`, strings.Repeat("Ⱥ", 128)+`"`), codec.BadAttribute},
		{"subject a number", with(`"acme.example"`, `1`), codec.BadAttribute},
		{"subject with NUL", with(`"acme.example"`, `"acme\u0000example"`), codec.BadAttribute},
		{"subject with a line end", with(`"acme.example"`, `"acme\nexample"`), codec.BadAttribute},
		{"subject with a C1 control", with(`"acme.example"`, `"acme\u0085example"`), codec.BadAttribute},
		{"data a list", with(`{"contact":`+contact, `[`+contact) + `]`, codec.Malformed},
		{"data a string", `{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-11-01T00:00:00Z","subject":"a","data":"x"}`, codec.BadAttribute},
		{"contact a string", with(contact, `"dana"`), codec.BadAttribute},
		{"contact a list", with(contact, `[]`), codec.BadAttribute},
		{"contact id a number", with(`"c-17"`, `17`), codec.BadAttribute},
		{"email a list", with(`"dana@acme.example"`, `["dana@acme.example"]`), codec.BadAttribute},
		{"title an object", with(`"VP Engineering"`, `{}`), codec.BadAttribute},
		{"role a boolean", with(`"technical_buyer"`, `true`), codec.BadAttribute},
		{"seniority a number", with(`"role"`, `"seniority":3,"role"`), codec.BadAttribute},
		{"strength null", with(`1.0,"prop`, `null,"prop`), codec.BadAttribute},
		{"strength a string", with(`1.0,"prop`, `"1","prop`), codec.BadAttribute},
		{"strength a boolean", with(`1.0,"prop`, `true,"prop`), codec.BadAttribute},
		{"strength negative", with(`1.0,"prop`, `-1,"prop`), codec.BadAttribute},
		{"strength just below 0", with(`1.0,"prop`, `-1e-9,"prop`), codec.BadAttribute},
		{"strength 11", with(`1.0,"prop`, `11,"prop`), codec.BadAttribute},
		{"strength just above 10", with(`1.0,"prop`, `10.000001,"prop`), codec.BadAttribute},
		{"properties a list", with(`{"path":"/pricing","campaign":"q4"}`, `[]`), codec.BadAttribute},
		{"properties a string", with(`{"path":"/pricing","campaign":"q4"}`, `"x"`), codec.BadAttribute},
		{"no subject, no contact", with(`"subject":"acme.example","data":{"contact":`+contact+`,`, `"data":{`), codec.NoAccount},
		{"blank subject, free mail", strings.Replace(with(`"acme.example"`, `"  "`), "dana@acme.example", "dana@GMail.com.", 1), codec.NoAccount},
		{"no subject, a public suffix", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"domain":"Co.UK."`), codec.NoAccount},
		{"no subject, an address at a public suffix", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"contact":{"email":"d@co.uk"}`), codec.NoAccount},
		{"no subject, an IP address", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"domain":"192.0.2.1"`), codec.NoAccount},
		{"no subject, an IP address of version 6", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"domain":"2001:db8::1"`), codec.NoAccount},
		{"no subject, an address at an IP address", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"contact":{"email":"d@[192.0.2.1]"}`), codec.NoAccount},
		{"no subject, free-mail domain", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"domain":"web.de"`), codec.NoAccount},
		{"no subject, e-mail without a domain", strings.Replace(with(`"acme.example"`, `null`), "dana@acme.example", "dana", 1), codec.NoAccount},
		{"no subject, domain a number", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"domain":1`), codec.BadAttribute},
		{"no subject, domain an address", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"domain":"https://acme.example"`), codec.BadAttribute},
		{"no subject, domain with an empty label", with(`"subject":"acme.example","data":{"contact":`+contact, `"data":{"domain":"acme..example"`), codec.BadAttribute},
		{"data and data_base64", with(`"data"`, `"data_base64":"e30=","data"`), codec.BadAttribute},

		{"profile without a subject", strings.Replace(profile(`{}`), `"subject":"acme.example",`, ``, 1), codec.NoAccount},
		{"profile without a subject but a domain", strings.Replace(profile(`{"domain":"acme.example"}`), `"subject":"acme.example",`, ``, 1), codec.NoAccount},
		{"profile data a list", profile(`[]`), codec.BadAttribute},
		{"profile attributes a list", profile(`{"attributes":[]}`), codec.BadAttribute},
		{"profile attribute nested", profile(`{"attributes":{"size":{"people":3}}}`), codec.BadAttribute},
		{"profile attribute a mixed list", profile(`{"attributes":{"tech":["a",1]}}`), codec.BadAttribute},
		{"profile attribute a list with null", profile(`{"attributes":{"tech":["a",null]}}`), codec.BadAttribute},
		{"profile domains a string", profile(`{"domains":"acme.example"}`), codec.BadAttribute},
		{"profile domains of numbers", profile(`{"domains":[1]}`), codec.BadAttribute},
		{"profile domain empty", profile(`{"domains":[""]}`), codec.BadAttribute},
		{"profile parent a list", profile(`{"parent":[]}`), codec.BadAttribute},
		{"profile parent too long", profile(`{"parent":"` + strings.Repeat("p", 257) + `"}`), codec.BadAttribute},
		{"profile from the future", strings.Replace(profile(`{}`), `2026-11-01`, `2026-12-01`, 1), codec.FutureTime},
		{"erasure without data", erasure(`null`), codec.MissingAttribute},
		{"erasure without a contact", erasure(`{}`), codec.MissingAttribute},
		{"erasure of a title", erasure(`{"contact":{"title":"CEO"}}`), codec.MissingAttribute},
		{"erasure of an empty id", erasure(`{"contact":{"id":""}}`), codec.MissingAttribute},
		{"erasure without an account", strings.Replace(erasure(`{"contact":{"id":"c"}}`), `"subject":"acme.example",`, ``, 1), codec.NoAccount},
	}
	d := decoder()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, d, &codec.Record{Topic: "intent-events", Value: []byte(tt.value)}, tt.want)
		})
	}
}

func TestBadRecords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*codec.Record)
		want codec.Reason
	}{
		{"no value", func(r *codec.Record) { r.Value, r.Headers = nil, nil }, codec.Malformed},
		{"no value, structured", func(r *codec.Record) { r.Value = nil; set(r, "content-type", "application/cloudevents+json") }, codec.Malformed},
		{"batched mode without a list", func(r *codec.Record) { set(r, "content-type", "application/cloudevents-batch+json") }, codec.Malformed},
		{"another event format", func(r *codec.Record) { set(r, "content-type", "application/cloudevents+avro") }, codec.Malformed},
		{"another charset", func(r *codec.Record) {
			set(r, "content-type", "application/cloudevents+json; charset=iso-8859-1")
		}, codec.Malformed},
		{"structured by header only", func(r *codec.Record) { set(r, "Content-Type", "application/cloudevents+json") }, codec.MissingAttribute},
		{"data is text", func(r *codec.Record) { set(r, "content-type", "text/plain") }, codec.BadAttribute},
		{"data is not JSON", func(r *codec.Record) { r.Value = []byte(`{"strength":}`) }, codec.Malformed},
		{"data is a list", func(r *codec.Record) { r.Value = []byte(`[]`) }, codec.BadAttribute},
		{"no ce_specversion", func(r *codec.Record) { drop(r, "ce_specversion") }, codec.MissingAttribute},
		{"old ce_specversion", func(r *codec.Record) { set(r, "ce_specversion", "0.2") }, codec.BadAttribute},
		{"no ce_id", func(r *codec.Record) { drop(r, "ce_id") }, codec.MissingAttribute},
		{"empty ce_source", func(r *codec.Record) { set(r, "ce_source", "") }, codec.MissingAttribute},
		{"no ce_type", func(r *codec.Record) { drop(r, "ce_type") }, codec.MissingAttribute},
		{"bad ce_time", func(r *codec.Record) { set(r, "ce_time", "yesterday") }, codec.BadTime},
		{"no ce_time", func(r *codec.Record) { drop(r, "ce_time") }, codec.MissingAttribute},
		{"broken UTF-8 in a header", func(r *codec.Record) { set(r, "ce_id", "\xff") }, codec.Malformed},
		{"control in ce_subject", func(r *codec.Record) { set(r, "ce_subject", "a\x00b") }, codec.BadAttribute},
		{"no ce_subject", func(r *codec.Record) { drop(r, "ce_subject") }, codec.NoAccount},
		{"headers too large", func(r *codec.Record) { set(r, "ce_more", strings.Repeat("x", 256<<10)) }, codec.Oversize},
		{"tombstone without a key", func(r *codec.Record) { r.Topic, r.Value, r.Key = "account-profiles", nil, nil }, codec.NoAccount},
		{"tombstone with a blank key", func(r *codec.Record) { r.Topic, r.Value, r.Key = "account-profiles", nil, []byte(" ") }, codec.NoAccount},
		{"tombstone with a long key", func(r *codec.Record) {
			r.Topic, r.Value, r.Key = "account-profiles", nil, []byte(strings.Repeat("k", 257))
		}, codec.BadAttribute},
		{"tombstone with a control in the key", func(r *codec.Record) { r.Topic, r.Value, r.Key = "account-profiles", nil, []byte("a\x01b") }, codec.BadAttribute},
		{"tombstone with a broken key", func(r *codec.Record) { r.Topic, r.Value, r.Key = "account-profiles", nil, []byte("\xff") }, codec.Malformed},
	}
	d := decoder()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := binaryRecord()
			tt.edit(r)
			check(t, d, r, tt.want)
		})
	}
}

func TestBadBase64(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, members string
		want          codec.Reason
	}{
		{"not a string", `"data_base64":1`, codec.BadAttribute},
		{"not base64", `"data_base64":"???"`, codec.BadAttribute},
		{"not JSON within", `"data_base64":"aGVsbG8="`, codec.Malformed},
		{"another content type", `"datacontenttype":"application/avro","data_base64":"e30="`, codec.BadAttribute},
		{"strength within", `"data_base64":"eyJzdHJlbmd0aCI6MTF9"`, codec.BadAttribute},
	}
	d := decoder()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			value := `{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-11-01T00:00:00Z","subject":"a",` + tt.members + `}`
			check(t, d, &codec.Record{Value: []byte(value)}, tt.want)
		})
	}
}

// check decodes a record that must be bad, and reads the message as a person
// who may not see personal data.
func check(t *testing.T, d *codec.Decoder, r *codec.Record, want codec.Reason) {
	t.Helper()
	events, faults := d.Decode(r)
	if len(faults) != 1 || len(events) != 0 {
		t.Fatalf("got %d events and faults %v, want %s; value %.200q", len(events), faults, want, r.Value)
	}
	fault := faults[0]
	if fault.Reason != want {
		t.Errorf("got %s, want %s; value %.200q", fault, want, r.Value)
	}
	for _, personal := range []string{"@", "dana", "c-17", "VP Eng"} {
		if strings.Contains(fault.Message, personal) {
			t.Errorf("message %q holds personal data (%q)", fault.Message, personal)
		}
	}
	if len(fault.Message) == 0 || len(fault.Message) > 300 {
		t.Errorf("message of %d bytes: %q", len(fault.Message), fault.Message)
	}
}

func TestMessagesNameAttributeValueAndWayOut(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value, want string }{
		{"strength", with(`1.0,"prop`, `11,"prop`), `data.strength: "11", must be from 0 to 10`},
		{"time", with(`2026-11-02T09`, `2026-11-31T09`), `time: "2026-11-31T09:30:00.123Z" is not RFC 3339, such as 2026-11-02T09:30:00Z`},
		{"version", with(`"1.0"`, `"0.3"`), `specversion: "0.3", must be "1.0"`},
		{"future", with(`2026-11-02T09:30:00.123Z`, `2026-11-02T13:00:00Z`), `time: 2026-11-02T13:00:00.000Z is 1h0m0s ahead of the clock, at most 5m0s is allowed`},
		{"old", with(`2026-11-02T09:30:00.123Z`, `2020-11-02T12:00:00Z`), `time: 2020-11-02T12:00:00.000Z is 2191 days ago, at most 400 days is allowed`},
		{"long", with(`2026-11-02T09:30:00.123Z`, strings.Repeat("é", 40)), `time: "éééééééééééééééééééééééé"… (80 bytes) is not RFC 3339, such as 2026-11-02T09:30:00Z`},
		{"e-mail for a time", with(`2026-11-02T09:30:00.123Z`, `dana@acme.example`), `time: <redacted> is not RFC 3339, such as 2026-11-02T09:30:00Z`},
		{"JSON", with(`"9f1c"`, `9f1c`), `value: not JSON: a comma or the end of the object is expected at byte 27`},
	}
	d := decoder()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, faults := d.Decode(&codec.Record{Value: []byte(tt.value)})
			if len(faults) != 1 || faults[0].Message != tt.want {
				t.Errorf("got %v\nwant %s", faults, tt.want)
			}
		})
	}
}
