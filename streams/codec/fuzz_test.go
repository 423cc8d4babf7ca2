package codec_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

// FuzzDecodeStructured looks for a value that panics or gives an event outside
// of the specification.
func FuzzDecodeStructured(f *testing.F) {
	for _, seed := range []string{
		valid, profile(`{"attributes":{"a":[1],"b":["x"]},"domains":["a.b"],"parent":"p"}`), profile(`null`),
		erasure(`{"contact":{"email":"A@B.example"}}`), with(`"subject":"acme.example",`, ``), with(contact, `{}`),
		with(`"data"`, `"datacontenttype":"text/plain","data_base64":"e30=","x"`), "\xef\xbb\xbf" + valid, `null`, `{"specversion":"1.0"}`,
	} {
		f.Add([]byte(seed))
	}
	d := decoder()
	f.Fuzz(func(t *testing.T, value []byte) {
		events, faults := d.Decode(&codec.Record{Topic: "intent-events", Value: value})
		one(t, events, faults)
	})
}

// FuzzDecodeBinary does the same for binary mode and for tombstones.
func FuzzDecodeBinary(f *testing.F) {
	f.Add("account-profiles", []byte("key"), []byte(`{"strength":2}`), "application/json", "1.0", "id", "/s", "t", "2026-11-01T00:00:00Z", "Acme")
	f.Add("account-profiles", []byte("key"), []byte(nil), "", "1.0", "id", "/s", "account.profile", "2026-11-01T00:00:00Z", "Acme")
	f.Add("t", []byte(nil), []byte(`{"contact":{"id":"c"}}`), "a/b+json", "1.0", "id", "/s", "contact.erased", "2026-11-01T00:00:00Z", "Acme")
	f.Add("t", []byte(nil), []byte(`{"domain":"x.example"}`), "text/plain;charset=x", "0.3", "", "/s", "outcome.won", "now", " ")
	d := decoder()
	f.Fuzz(func(t *testing.T, topic string, key, value []byte, media, version, id, source, typ, at, subject string) {
		r := &codec.Record{Topic: topic, Key: key, Value: value}
		if len(value) == 0 {
			r.Value = nil
		}
		for _, h := range [][2]string{
			{"content-type", media},
			{"ce_specversion", version},
			{"ce_id", id},
			{"ce_source", source},
			{"ce_type", typ},
			{"ce_time", at},
			{"ce_subject", subject},
		} {
			if h[1] != "" {
				set(r, h[0], h[1])
			}
		}
		events, faults := d.Decode(r)
		one(t, events, faults)
	})
}

// one checks what is decoded of a record that holds one event.
func one(t *testing.T, events []*scoring.Event, faults []*codec.Bad) {
	t.Helper()
	if len(events)+len(faults) != 1 {
		t.Fatalf("got %d events and %v", len(events), faults)
	}
	all(t, events, faults)
}

// all checks whatever is decoded of a record.
func all(t *testing.T, events []*scoring.Event, faults []*codec.Bad) {
	t.Helper()
	for _, e := range events {
		obeys(t, e)
	}
	for _, fault := range faults {
		if !slices.Contains(codec.Reasons(), fault.Reason) || fault.Message == "" || len(fault.Message) > 500 || !utf8.ValidString(fault.Message) ||
			codec.PlaceIn(fault.Message) != fault.Place {
			t.Fatalf("got %+v", fault)
		}
	}
}

// obeys checks what the specification promises of an event.
func obeys(t *testing.T, e *scoring.Event) {
	t.Helper()
	if (e.Account == "") == (e.Domain == "") || len(e.Account) > 256 || len(e.Domain) > 253 ||
		e.Account != strings.ToLower(strings.TrimSpace(e.Account)) || strings.IndexFunc(e.Account+e.Domain, unicode.IsControl) >= 0 {
		t.Fatalf("account %q, domain %q", e.Account, e.Domain)
	}
	if e.Strength < 0 || e.Strength > 10 || math.Signbit(e.Strength) || math.IsNaN(e.Strength) {
		t.Fatalf("strength %v", e.Strength)
	}
	if e.Time > clock+codec.DefaultFutureTolerance {
		t.Fatalf("time %d is in the future", e.Time)
	}
	for _, s := range []string{e.ID, e.Source, e.Type, e.Account, e.Domain} {
		if !utf8.ValidString(s) {
			t.Fatalf("broken UTF-8 in %+v", e)
		}
	}
	switch e.Kind {
	case scoring.KindProfile:
		if e.Profile == nil || e.Account == "" {
			t.Fatalf("profile %+v", e)
		}
	case scoring.KindErasure:
		if len(e.Erased()) == 0 || e.Contact != nil {
			t.Fatalf("erasure %+v", e)
		}
	case scoring.KindTombstone:
	default:
		if e.ID == "" || e.Source == "" || e.Type == "" || e.Time < clock-codec.DefaultMaxEventAge {
			t.Fatalf("event %+v", e)
		}
	}
}
