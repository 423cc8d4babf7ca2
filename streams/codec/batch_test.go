package codec_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

// batch is a record in batched mode with these elements.
func batch(elements ...string) *codec.Record {
	return &codec.Record{
		Topic: "intent-events", Time: clock, Value: []byte("[" + strings.Join(elements, ",") + "]"),
		Headers: []codec.Header{{Key: "content-type", Value: []byte("application/cloudevents-batch+json; charset=UTF-8")}},
	}
}

// numbered is the valid event with another id.
func numbered(n int) string { return with(`"9f1c"`, fmt.Sprintf(`"%d"`, n)) }

func ids(events []*scoring.Event) (out []string) {
	for _, e := range events {
		out = append(out, e.ID)
	}
	return out
}

func TestBatch(t *testing.T) {
	t.Parallel()
	d := decoder()
	events, faults := d.Decode(batch(" "+numbered(1)+"\n", numbered(2), strings.Replace(numbered(3), `"/pricing"`, `"],[{\"\\\\"`, 1)))
	if len(faults) > 0 || !reflect.DeepEqual(ids(events), []string{"1", "2", "3"}) {
		t.Fatalf("got %v and %v", ids(events), faults)
	}
	want := wantEvent()
	want.ID, want.Arrived = "2", clock
	if !reflect.DeepEqual(spelled(t, events[1]), want) {
		t.Errorf("got  %+v\nwant %+v", events[1], want)
	}
	for _, value := range []string{`[]`, "\xef\xbb\xbf [ \n] \t"} {
		r := batch()
		r.Value = []byte(value)
		if events, faults := d.Decode(r); len(events)+len(faults) > 0 {
			t.Errorf("%q: got %v and %v", value, events, faults)
		}
	}
}

// A bad element, whatever is wrong with it, costs the others nothing.
func TestBadElements(t *testing.T) {
	t.Parallel()
	d := decoder()
	for _, tt := range []struct {
		name, element, message string
		want                   codec.Reason
	}{
		{"no id", with(`"id":"9f1c",`, ``), "id: missing", codec.MissingAttribute},
		{"a number", `17`, "a number, a CloudEvent is an object", codec.Malformed},
		{"null", `null`, "null, a CloudEvent is an object", codec.Malformed},
		{"nothing", ``, "not JSON: it ends too early", codec.Malformed},
		{"a batch", `[` + valid + `]`, "a list, a CloudEvent is an object", codec.Malformed},
		{"out of range", with(`1.0,"prop`, `1e999,"prop`), "not JSON: a number out of range", codec.Malformed},
		{"not JSON", with(`1.0,"prop`, `01,"prop`), "not JSON", codec.Malformed},
		{"crossed brackets", `{"a":[1}]`, "not JSON", codec.Malformed},
		{"broken UTF-8", with(`/pricing`, "\xff"), "not valid UTF-8", codec.Malformed},
		{"nested too deeply", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "nested too deeply", codec.Malformed},
		{"a byte order mark", "\xef\xbb\xbf" + with(`"1.0"`, `"0.3"`), "specversion", codec.BadAttribute},
		{"too old", with(`2026-11-02T`, `2020-11-02T`), "time: 2020-11-02", codec.TooOld},
		{"no account", with(`"subject":"acme.example","data":{"contact":`+contact+`,`, `"data":{`), "required", codec.NoAccount},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			events, faults := d.Decode(batch(numbered(1), tt.element, numbered(2), tt.element))
			if !reflect.DeepEqual(ids(events), []string{"1", "2"}) || len(faults) != 2 {
				t.Fatalf("got %v and %v", ids(events), faults)
			}
			for i, place := range []string{"batch[1]", "batch[3]"} {
				f := faults[i]
				if f.Reason != tt.want || f.Place != place || !strings.HasPrefix(f.Message, place+": ") || !strings.Contains(f.Message, tt.message) || codec.PlaceIn(f.Message) != place {
					t.Errorf("got %+v, want %s at %s: %s", f, tt.want, place, tt.message)
				}
			}
		})
	}
}

func TestBadBatches(t *testing.T) {
	t.Parallel()
	d := decoder()
	for name, value := range map[string]string{
		"empty": ``, "an event": valid, "null": `null`, "cut short": `[` + valid + `,`, "open": `[`, "open string": `["a`, "open escape": `["a\`,
		"closed by a brace": `[` + valid + `}`, "two": `[` + valid + `][` + valid + `]`, "text behind": `[` + valid + `] x`, "brackets": strings.Repeat("[", 100_000),
	} {
		r := batch()
		r.Value = []byte(value)
		check(t, d, r, codec.Malformed)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	large := batch(numbered(1))
	large.Value = append(large.Value, bytes.Repeat([]byte(" "), 256<<10)...)
	check(t, d, large, codec.Oversize)
	charset := batch(numbered(1))
	charset.Headers[0].Value = []byte("application/cloudevents-batch+json; charset=utf-16")
	check(t, d, charset, codec.Malformed)
	tombstone := batch(numbered(1))
	tombstone.Value = nil
	check(t, d, tombstone, codec.Malformed)
}

// Each dead letter holds the whole record, so their number is bounded.
func TestABatchOfNothingIsBounded(t *testing.T) {
	t.Parallel()
	r := batch(strings.Repeat(",", 100_000), numbered(1))
	events, faults := decoder().Decode(r)
	if len(events) != 1 || len(faults) != 64 || faults[63].Place != "batch[63]" ||
		!strings.HasSuffix(faults[63].Message, "; 99937 more bad events behind it have no dead letter of their own") {
		t.Errorf("got %d events, %d faults, the last %v", len(events), len(faults), faults[len(faults)-1])
	}
}

func TestRefusedEventsArePassedOver(t *testing.T) {
	t.Parallel()
	r := batch(numbered(0), `1`, numbered(2), `3`)
	r.Refused = []string{"batch[1]", "batch[2]"}
	events, faults := decoder().Decode(r)
	if !reflect.DeepEqual(ids(events), []string{"0"}) || len(faults) != 1 || faults[0].Place != "batch[3]" {
		t.Errorf("got %v and %v", ids(events), faults)
	}
	for message, want := range map[string]string{
		"batch[12]: x": "batch[12]", "item[3].events[1]: id: x": "item[3].events[1]", "item[0]: x": "item[0]", "batch[x]: y": "", "batch[1] x": "", "id: missing": "", "": "",
	} {
		if got := codec.PlaceIn(message); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}

// FuzzDecodeBatch looks for a list that panics, loses an element, or is split where
// the JSON parser would not.
func FuzzDecodeBatch(f *testing.F) {
	for _, seed := range []string{"[]", "[" + valid + "," + valid + "]", `[1,"],[",{"a":[1,2]}]`, `[[],[`, "\xef\xbb\xbf[null]", `[,]`, `["\"]`} {
		f.Add([]byte(seed))
	}
	d := decoder()
	f.Fuzz(func(t *testing.T, value []byte) {
		r := batch()
		r.Value = value
		events, faults := d.Decode(r)
		all(t, events, faults)
		if n := codec.Elements(value); n >= 0 && n < 64 && len(events)+len(faults) != n {
			t.Fatalf("got %d events and %d faults of %d elements: %q", len(events), len(faults), n, value)
		}
	})
}
