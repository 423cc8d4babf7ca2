package codec_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

// spelled is a copy of an event whose objects are maps, after they were held against
// what they say by name.
func spelled(t *testing.T, e *scoring.Event) *scoring.Event {
	t.Helper()
	if e == nil {
		return nil
	}
	out := *e
	if e.Properties != nil {
		out.Properties = spell(t, e.Properties)
	}
	if e.Contact != nil && e.Contact.Fields != nil {
		contact := *e.Contact
		contact.Fields = spell(t, contact.Fields)
		out.Contact = &contact
	}
	return &out
}

func spell(t *testing.T, o scoring.Object) scoring.Map {
	t.Helper()
	m := scoring.Map(o.Map())
	for name := range m {
		same(t, o, m, name)
		same(t, o, m, name+"?")
	}
	return m
}

// same wants the same of two objects by one name.
func same(t *testing.T, got, want scoring.Object, name string) {
	t.Helper()
	if got, want := got.Get(name), want.Get(name); !reflect.DeepEqual(got, want) {
		t.Errorf("%q: got %v, want %v", name, got, want)
	}
	text, is := got.Text(name)
	if want, should := want.Text(name); text != want || is != should {
		t.Errorf("%q: got text %q, %v, want %q, %v", name, text, is, want, should)
	}
}

func TestObjectsAreReadByNameAsAWhole(t *testing.T) {
	t.Parallel()
	const properties = `{"path":"/pricing","campaign":"q4"}`
	for name, text := range map[string]string{
		"plain":                       properties,
		"blanks":                      ` { "path" : "/pricing" , "campaign" : null } `,
		"of every kind":               `{"a":1,"b":[1.5,"x",{"y":null}],"c":false,"d":null,"e":"text","":{"f":{}}}`,
		"the last of duplicates":      `{"a":"x","b":"y","a":2,"b":{"a":"z"},"a":"last"}`,
		"escapes":                     `{"\u0061":"b\n","c\\u0061":"\ud83d\ude00","ca":"plain"}`,
		"a name that looks escaped":   `{"\\u0061":1,"a":"x"}`,
		"nothing":                     `{}`,
		"members within members":      `{"a":{"b":"deep","c":[{"b":"deeper"}]},"b":"top"}`,
		"a text that looks like more": `{"a":"{\"b\":1}"}`,
	} {
		reads := codec.Rules{Now: func() int64 { return clock }, Reads: func(string) (bool, bool) { return true, true }}
		event, fault := codec.New(reads).DecodeLine([]byte(with(properties, text)), 0)
		if fault != nil {
			t.Fatalf("%s: %v", name, fault)
		}
		m := spell(t, event.Properties)
		for _, other := range []string{"a", "b", "ca", `\u0061`, `c\u0061`, "path", "", "y", "f"} {
			same(t, event.Properties, m, other)
		}
	}
}

// Those of one record say what they said however many come after it.
func TestObjectsOutliveWhatComesAfterThem(t *testing.T) {
	t.Parallel()
	d := decoder()
	var events []*scoring.Event
	for n := range 300 {
		text := fmt.Sprintf(`{"path":"/p%d","list":[%s0]}`, n, strings.Repeat("1,", n))
		value := []byte(with(`{"path":"/pricing","campaign":"q4"}`, text))
		events = append(events, decode(t, d, &codec.Record{Value: value}))
		clear(value)
	}
	for n, e := range events {
		list, _ := e.Properties.Get("list").([]any)
		if path, _ := e.Properties.Text("path"); path != fmt.Sprintf("/p%d", n) || len(list) != n+1 {
			t.Fatalf("event %d: got path %q and %d numbers", n, path, len(list))
		}
	}
}

func TestReadingATextOfAnObjectAllocatesNothing(t *testing.T) {
	e := decode(t, decoder(), &codec.Record{Value: []byte(valid)})
	if n := testing.AllocsPerRun(100, func() { e.Properties.Text("campaign") }); n > 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
