package codec_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

// Field names and timestamps: https://www.twilio.com/docs/segment/connections/spec/common
// (track, page, group: …/spec/track, /page, /group), read 2026-11.
const track = `{"anonymousId":"507f191e810c19729de860ea","channel":"browser","context":{"campaign":{"name":"TPS Innovation Newsletter","source":"Newsletter"},` +
	`"groupId":"Acme.example","ip":"8.8.8.8","locale":"en-US","library":{"name":"analytics.js","version":"2.11.1"},` +
	`"page":{"path":"/pricing/","referrer":"","search":"","title":"Pricing","url":"https://example.com/pricing/"},` +
	`"traits":{"email":"dana@acme.example","title":"VP Engineering","plan":"pro"},"userAgent":"Mozilla/5.0"},"event":"Demo Requested","integrations":{"All":true},` +
	`"messageId":"022bb90c-bbac-11e4-8dfc-aa07a5b093db","originalTimestamp":"2026-11-02T09:29:58.000Z","projectId":"p1","properties":{"seats":25,"page":"modal"},` +
	`"receivedAt":"2026-11-02T09:30:01.000Z","sentAt":"2026-11-02T09:29:59.000Z","timestamp":"2026-11-02T09:30:00.123Z","type":"track","userId":"97980cfea0067","version":2,"writeKey":"secret"}`

// Fields: https://www.rudderstack.com/docs/event-spec/standard-events/common-fields/, read 2026-11.
// rudderId and request_ip are what its servers add: seen in payloads, not in that page.
const rudderPage = `{"anonymousId":"a1","channel":"web","context":{"app":{"name":"RudderLabs JavaScript SDK"},"page":{"path":"/pricing","title":"Pricing","url":"https://example.com/pricing"},` +
	`"traits":{"email":"sam@acme.example"}},"integrations":{"All":true},"messageId":"m-2","name":"Pricing","originalTimestamp":"2026-11-02T10:00:00.000+05:30",` +
	`"properties":{"path":"/pricing?x=1"},"receivedAt":"2026-11-02T04:40:03.000Z","request_ip":"1.1.1.1","rudderId":"r1","sentAt":"2026-11-02T10:00:02.000+05:30","type":"page","userId":""}`

const group = `{"type":"group","messageId":"g-1","timestamp":"2026-11-02T09:30:00Z","groupId":" ACME ","userId":"u1","traits":{"name":"Acme","employees":329,"plan":"enterprise",` +
	`"email":"hello@acme.example","address":{"city":"Bern"},"technologies":["sap"],"mixed":["a",1],"public":true,"none":null,"website":"https://www.Acme.example/about?x","domains":["acme.test","gmail.com","no domain"]}}`

func segmentDecoder() *codec.Decoder {
	return codec.New(codec.Rules{
		Now: func() int64 { return clock }, ProfilesTopic: "account-profiles",
		Formats: map[string]codec.Format{"calls": codec.Segment(), "account-profiles": codec.Segment()},
		Reads:   func(string) (properties, fields bool) { return true, true },
	})
}

func call(value string) *codec.Record {
	return &codec.Record{Topic: "calls", Time: clock, Value: []byte(value)}
}

// changed replaces one part of a call.
func changed(value, part, by string) string {
	if !strings.Contains(value, part) {
		panic("not in the call: " + part)
	}
	return strings.Replace(value, part, by, 1)
}

func TestSegmentTrack(t *testing.T) {
	t.Parallel()
	got := decode(t, segmentDecoder(), call(track))
	page := map[string]any{"path": "/pricing/", "referrer": "", "search": "", "title": "Pricing", "url": "https://example.com/pricing/"}
	want := &scoring.Event{
		Kind: scoring.KindEvent, ID: "022bb90c-bbac-11e4-8dfc-aa07a5b093db", Source: "segment/p1", Type: "segment.track.demo_requested",
		Time: at("2026-11-02T09:30:00.123Z"), Arrived: clock, Account: "acme.example", Strength: 1,
		Contact: &scoring.Contact{
			ID: "97980cfea0067", Email: "dana@acme.example", Title: "VP Engineering",
			Fields: scoring.Map{"id": "97980cfea0067", "email": "dana@acme.example", "title": "VP Engineering", "plan": "pro"},
		},
		Properties: scoring.Map{
			"seats": 25.0, "page": "modal", "event": "Demo Requested", "user_agent": "Mozilla/5.0",
			"campaign": map[string]any{"name": "TPS Innovation Newsletter", "source": "Newsletter"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v %+v\nwant %+v %+v", got, got.Contact, want, want.Contact)
	}
	got = decode(t, segmentDecoder(), call(changed(track, `,"page":"modal"`, ``)))
	if !reflect.DeepEqual(got.Properties.Get("page"), page) {
		t.Errorf("got page %v", got.Properties.Get("page"))
	}
}

func TestRudderStackPage(t *testing.T) {
	t.Parallel()
	got := decode(t, segmentDecoder(), call(rudderPage))
	if got.Type != "segment.page" || got.Source != "segment" || got.Account != "" || got.Domain != "acme.example" || got.Contact.ID != "a1" {
		t.Errorf("got %+v %+v", got, got.Contact)
	}
	if want := at("2026-11-02T04:40:01Z"); got.Time != want {
		t.Errorf("got time %d, want receivedAt less what lay between happening and sending, %d", got.Time, want)
	}
	if p := got.Properties; p.Get("path") != "/pricing?x=1" || p.Get("title") != "Pricing" || p.Get("name") != "Pricing" || p.Get("url") != "https://example.com/pricing" {
		t.Errorf("got properties %v", p)
	}
}

func TestSegmentGroup(t *testing.T) {
	t.Parallel()
	got := decode(t, segmentDecoder(), call(group))
	want := &scoring.Profile{
		Attributes: map[string]any{
			"name": "Acme", "employees": 329.0, "plan": "enterprise", "technologies": []any{"sap"}, "public": true,
			"website": "https://www.Acme.example/about?x", "domains": []any{"acme.test", "gmail.com", "no domain"},
		},
		Domains: []string{"acme.test", "acme.example"},
	}
	if got.Kind != scoring.KindProfile || got.Type != "account.profile" || got.Account != "acme" || got.Contact != nil || !reflect.DeepEqual(got.Profile, want) {
		t.Errorf("got %+v\n%+v\nwant %+v", got, got.Profile, want)
	}
}

func TestSegmentCallsOfNoAccountArePassedOver(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		`{"type":"alias","previousId":"a","userId":"u","messageId":"1"}`,
		`{"type":"group","messageId":"1","timestamp":"2026-11-02T09:30:00Z","groupId":"acme","userId":"u1"}`,
		`{"type":"group","messageId":"1","timestamp":"2026-11-02T09:30:00Z","groupId":"acme","traits":{"email":"a@b.example","x":{}}}`,
		`{"batch":[]}`,
	} {
		if events, faults := segmentDecoder().Decode(call(value)); len(events)+len(faults) > 0 {
			t.Errorf("%s: got %v and %v", value, events, faults)
		}
	}
}

func TestSegmentVariants(t *testing.T) {
	t.Parallel()
	identify := `{"type":"identify","messageId":"i1","timestamp":"2026-11-02T09:30:00Z","userId":"u1","traits":{"email":"D@Acme.example","title":"CFO"}}`
	for _, tt := range []struct {
		name, value string
		ok          func(e *scoring.Event) bool
	}{
		{"identify", identify, func(e *scoring.Event) bool {
			return e.Type == "segment.identify" && e.Domain == "acme.example" && e.Contact.Title == "CFO" && e.Properties.Get("title") == "CFO"
		}},
		{"screen", changed(changed(track, `"track"`, `"screen"`), `"event":"Demo Requested"`, `"name":"Home"`), func(e *scoring.Event) bool {
			return e.Type == "segment.screen" && e.Properties.Get("name") == "Home"
		}},
		{"an e-mail address as user id", changed(changed(track, `"97980cfea0067"`, `"Dana@Other.example"`), `"email":"dana@acme.example",`, ``), func(e *scoring.Event) bool {
			return e.Contact.Email == "Dana@Other.example" && e.Account == "acme.example"
		}},
		{"numbers as ids", changed(changed(track, `"97980cfea0067"`, `12345678901234567`), `"Acme.example"`, `42`), func(e *scoring.Event) bool {
			return e.Contact.ID == "12345678901234567" && e.Account == "42"
		}},
		{"anonymous", changed(track, `"userId":"97980cfea0067"`, `"userId":null`), func(e *scoring.Event) bool { return e.Contact.ID == "507f191e810c19729de860ea" }},
		{"traits of any kind", changed(track, `"email":"dana@acme.example","title":"VP Engineering"`, `"email":7,"title":["x"]`), func(e *scoring.Event) bool {
			return e.Contact.Email == "" && e.Contact.Title == ""
		}},
		{"nobody", `{"type":"page","messageId":"1","timestamp":"2026-11-02T09:30:00Z","context":{"groupId":"a"}}`, func(e *scoring.Event) bool {
			return e.Contact == nil && e.Account == "a" && len(e.Properties.Map()) == 0
		}},
		{"originalTimestamp alone", `{"type":"page","messageId":"1","originalTimestamp":"2026-11-02T09:30:00Z","sentAt":"2026-11-02T09:30:05Z","groupId":"a"}`, func(e *scoring.Event) bool {
			return e.Time == at("2026-11-02T09:30:00Z")
		}},
		{"receivedAt alone", `{"type":"page","messageId":"1","receivedAt":"2026-11-02T09:30:00Z","groupId":"a"}`, func(e *scoring.Event) bool { return e.Time == at("2026-11-02T09:30:00Z") }},
		{"sent before it happened", `{"type":"page","messageId":"1","originalTimestamp":"2026-11-02T09:30:09Z","sentAt":"2026-11-02T09:30:00Z","receivedAt":"2026-11-02T09:00:00Z","groupId":"a"}`, func(e *scoring.Event) bool {
			return e.Time == at("2026-11-02T09:00:00Z")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if e := decode(t, segmentDecoder(), call(tt.value)); !tt.ok(e) {
				t.Errorf("got %+v %+v", e, e.Contact)
			}
		})
	}
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Demo Requested": "demo_requested", "CTA Clicked": "cta_clicked", "ctaClicked": "cta_clicked", "CTAClicked": "cta_clicked", "HTTPError": "http_error",
		" Order  Completed! ": "order_completed", "step2Done": "step2_done", "v2": "v2", "a/b.c": "a_b_c", "Größe Gewählt": "größe_gewählt", "購入": "購入", "already_snake": "already_snake",
	} {
		e := decode(t, segmentDecoder(), call(changed(track, "Demo Requested", name)))
		if e.Type != "segment.track."+want {
			t.Errorf("%q: got %s, want %s", name, e.Type, want)
		}
	}
}

func TestBadSegmentCalls(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, value string
		want        codec.Reason
	}{
		{"not JSON", `{`, codec.Malformed},
		{"a list", `[` + track + `]`, codec.Malformed},
		{"null", `null`, codec.Malformed},
		{"no type", changed(track, `"type":"track",`, ``), codec.MissingAttribute},
		{"a CloudEvent", valid, codec.BadAttribute},
		{"type a number", changed(track, `"type":"track"`, `"type":1`), codec.BadAttribute},
		{"no event", changed(track, `"event":"Demo Requested",`, ``), codec.MissingAttribute},
		{"an event without a letter", changed(track, `Demo Requested`, ` -!- `), codec.MissingAttribute},
		{"event a number", changed(track, `"Demo Requested"`, `5`), codec.BadAttribute},
		{"no messageId", changed(track, `"messageId":"022bb90c-bbac-11e4-8dfc-aa07a5b093db",`, ``), codec.MissingAttribute},
		{"messageId empty", changed(track, `022bb90c-bbac-11e4-8dfc-aa07a5b093db`, ``), codec.MissingAttribute},
		{"messageId an object", changed(track, `"022bb90c-bbac-11e4-8dfc-aa07a5b093db"`, `{}`), codec.BadAttribute},
		{"userId a list", changed(track, `"97980cfea0067"`, `[]`), codec.BadAttribute},
		{"groupId a list", changed(track, `"Acme.example"`, `[]`), codec.BadAttribute},
		{"groupId too long", changed(track, `Acme.example`, strings.Repeat("a", 257)), codec.BadAttribute},
		{"timestamp a number", changed(track, `"2026-11-02T09:30:00.123Z"`, `1793611800`), codec.BadTime},
		{"timestamp a word", changed(track, `2026-11-02T09:30:00.123Z`, `today`), codec.BadTime},
		{"no time at all", `{"type":"page","messageId":"1","sentAt":"2026-11-02T09:30:00Z","groupId":"a"}`, codec.MissingAttribute},
		{"ahead", changed(track, `2026-11-02T09:30:00.123Z`, `2026-11-03T09:30:00Z`), codec.FutureTime},
		{"old", changed(track, `2026-11-02T09:30:00.123Z`, `2020-11-03T09:30:00Z`), codec.TooOld},
		{"properties a text", changed(track, `{"seats":25,"page":"modal"}`, `"x"`), codec.BadAttribute},
		{"traits a list", changed(track, `{"email":"dana@acme.example","title":"VP Engineering","plan":"pro"}`, `[1]`), codec.BadAttribute},
		{"context a list", `{"type":"page","messageId":"1","timestamp":"2026-11-02T09:30:00Z","groupId":"a","context":[]}`, codec.BadAttribute},
		{"no account", `{"type":"page","messageId":"1","timestamp":"2026-11-02T09:30:00Z","anonymousId":"a"}`, codec.NoAccount},
		{"free mail", changed(rudderPage, `sam@acme.example`, `sam@gmail.com`), codec.NoAccount},
		{"group without an id", changed(group, `"groupId":" ACME "`, `"groupId":" "`), codec.NoAccount},
		{"group with a text for traits", `{"type":"group","messageId":"1","timestamp":"2026-11-02T09:30:00Z","groupId":"a","traits":"x"}`, codec.BadAttribute},
		{"too large", changed(track, `/pricing/`, strings.Repeat("x", 256<<10)), codec.Oversize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, segmentDecoder(), call(tt.value), tt.want)
		})
	}
	check(t, segmentDecoder(), &codec.Record{Topic: "calls"}, codec.Malformed)
}

func TestSegmentBatch(t *testing.T) {
	t.Parallel()
	later := strings.NewReplacer(`"timestamp":"2026-11-02T09:30:00.123Z",`, ``, `"sentAt":"2026-11-02T09:29:59.000Z",`, ``).Replace(track)
	value := fmt.Sprintf(`{"batch":[%s,17,%s,%s],"sentAt":"2026-11-02T09:29:59.500Z"}`, track, changed(track, `"track"`, `"x"`), later)
	events, faults := segmentDecoder().Decode(call(value))
	if len(events) != 2 || len(faults) != 2 || faults[0].Place != "batch[1]" || faults[1].Place != "batch[2]" || faults[1].Reason != codec.BadAttribute {
		t.Fatalf("got %v and %v", ids(events), faults)
	}
	if want := at("2026-11-02T09:29:59.500Z"); events[1].Time != want {
		t.Errorf("got %d, want the batch's sentAt to count: %d", events[1].Time, want)
	}
	r := call(value)
	r.Refused = []string{"batch[0]", "batch[1]"}
	if events, faults := segmentDecoder().Decode(r); len(events) != 1 || len(faults) != 1 {
		t.Errorf("got %v and %v", ids(events), faults)
	}
}

func TestSegmentTombstoneInTheProfilesTopic(t *testing.T) {
	t.Parallel()
	got := decode(t, segmentDecoder(), &codec.Record{Topic: "account-profiles", Key: []byte("Acme"), Time: clock})
	if got.Kind != scoring.KindTombstone || got.Account != "acme" {
		t.Errorf("got %+v", got)
	}
}

// FuzzDecodeSegment looks for a call that panics or gives an event outside of the
// specification.
func FuzzDecodeSegment(f *testing.F) {
	for _, seed := range []string{track, rudderPage, group, `{"batch":[` + track + `,1]}`, `{"type":"alias"}`, `{"type":"track","event":"\ufffd\u0000A"}`} {
		f.Add([]byte(seed))
	}
	d := segmentDecoder()
	f.Fuzz(func(t *testing.T, value []byte) {
		events, faults := d.Decode(&codec.Record{Topic: "calls", Value: value})
		all(t, events, faults)
	})
}
