package codec_test

import (
	"strings"
	"testing"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

// usersDecoder is for who learns from users.
func usersDecoder(f codec.Format) *codec.Decoder {
	return codec.New(codec.Rules{Now: func() int64 { return clock }, Formats: map[string]codec.Format{"calls": f}, Users: true})
}

func named(kind, more string) string {
	return `{"type":"` + kind + `","messageId":"1","timestamp":"2026-11-02T09:30:00Z"` + more + `}`
}

func TestCallsSayWhoActed(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		value string
		want  scoring.Hint
		otherwise,
		notice bool
	}{
		"a user":               {value: named("page", `,"groupId":"a","userId":"u","anonymousId":"b"`), want: scoring.Hint{User: "u", Anonymous: "b"}},
		"a browser":            {value: named("page", `,"anonymousId":7`), want: scoring.Hint{Anonymous: "7"}, otherwise: true},
		"an identify":          {value: named("identify", `,"userId":"u","anonymousId":"b","traits":{"email":"X@acme.example"}`), want: scoring.Hint{User: "u", Anonymous: "b", Email: "X@acme.example", Same: true}},
		"free mail":            {value: named("identify", `,"userId":"u","traits":{"email":"x@gmail.com"}`), want: scoring.Hint{User: "u", Email: "x@gmail.com", Same: true}, otherwise: true},
		"an address for an id": {value: named("page", `,"userId":"x@acme.example"`), want: scoring.Hint{User: "x@acme.example", Email: "x@acme.example"}},
		"a group":              {value: named("group", `,"groupId":"a","userId":"u","traits":{"plan":"pro"}`), want: scoring.Hint{User: "u"}},
		"a group of nothing":   {value: named("group", `,"groupId":"a","userId":"u"`), want: scoring.Hint{User: "u"}, notice: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := decode(t, usersDecoder(codec.Segment()), call(row.value))
			if e.Hint == nil {
				t.Fatal("got no hint")
			}
			got := *e.Hint
			bad, otherwise := got.Otherwise.(*codec.Bad)
			got.Otherwise = nil
			if got != row.want || otherwise != row.otherwise || otherwise && bad.Reason != codec.NoAccount || (e.Kind == scoring.KindNotice) != row.notice {
				t.Errorf("got %+v (%v) of kind %d, want %+v", got, bad, e.Kind, row.want)
			}
			if events, _ := segmentDecoder().Decode(call(row.value)); len(events) > 0 && events[0].Hint != nil {
				t.Error("got a hint that nobody asked for")
			}
		})
	}
	check(t, usersDecoder(codec.Segment()), call(named("page", ``)), codec.NoAccount)
}

func TestGroupCallsWithoutProfiles(t *testing.T) {
	t.Parallel()
	if e := decode(t, usersDecoder(codec.SegmentWithoutProfiles()), call(group)); e.Kind != scoring.KindNotice || e.Profile != nil || e.Account != "acme" {
		t.Errorf("got %+v, want a notice", e)
	}
	d := codec.New(codec.Rules{Formats: map[string]codec.Format{"calls": codec.SegmentWithoutProfiles()}})
	if events, faults := d.Decode(call(group)); len(events)+len(faults) > 0 {
		t.Errorf("got %v and %v, want the call passed over", events, faults)
	}
}

// drafts maps every message to the same.
type drafts codec.Draft

func (d drafts) Map(_ *codec.Message, take func(codec.Mapped)) {
	take(codec.Mapped{Item: 3, Entry: -1, Draft: codec.Draft(d)})
}

func TestMappedEventsSayWhoActed(t *testing.T) {
	t.Parallel()
	draft := codec.Draft{ID: "1", Source: "s", Type: "t", Time: clock, User: "u", Strength: 1, Contact: &scoring.Contact{Email: "x@gmail.com"}}
	e := decode(t, usersDecoder(codec.Mapping(drafts(draft))), call(`{}`))
	if bad, ok := e.Hint.Otherwise.(*codec.Bad); e.Hint.User != "u" || e.Hint.Email != "x@gmail.com" || !e.Hint.Same || !ok || bad.Reason != codec.NoAccount || bad.Place != "item[3]" {
		t.Errorf("got %+v", e.Hint)
	}
	draft.Domain = "no domain"
	check(t, usersDecoder(codec.Mapping(drafts(draft))), call(`{}`), codec.BadAttribute)
	draft.Domain, draft.User = "", ""
	events, faults := usersDecoder(codec.Mapping(drafts(draft))).Decode(call(`{}`))
	if len(events) > 0 || len(faults) != 1 || !strings.HasPrefix(faults[0].Message, "item[3]: ") {
		t.Errorf("got %v and %v", events, faults)
	}
}
