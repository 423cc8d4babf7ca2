package codec_test

import (
	"reflect"
	"strings"
	"testing"

	"tidemark/streams/codec"
)

// variants are events that differ from the valid one in one part, and whether the quick
// way is to read them.
var variants = []struct {
	name, text string
	quick      bool
}{
	{"valid", valid, true},
	{"spaces between", with(`,"subject":`, ` , "subject" : `), true},
	{"spaces behind", valid + "  ", true},
	{"letters of other scripts", with("VP Engineering", "Geschäftsführerin"), true},
	{"broken UTF-8", with("VP Engineering", "VP\xff"), false},
	{"an escape", with("VP Engineering", `VP\u0020Engineering`), false},
	{"a control character", with("VP Engineering", "VP\tEngineering"), false},
	{"a line feed between", with(`"subject"`, "\n"+`"subject"`), false},
	{"an outcome", with("engagement.page_view", "outcome.won"), true},
	{"a profile", profile(`{}`), false},
	{"an erasure", erasure(`{"contact":{"id":"c"}}`), false},
	{"no subject", with(`"subject":"acme.example",`, ``), false},
	{"an empty subject", with(`"subject":"acme.example"`, `"subject":""`), false},
	{"a subject in capitals", with(`"subject":"acme.example"`, `"subject":"Acme"`), false},
	{"an extension", with(`"data"`, `"traceparent":"00-1","n":[1,{"a":null}],"data"`), true},
	{"a type twice", with(`"data"`, `"type":"engagement.email_open","data"`), true},
	{"a type twice, then null", with(`"data"`, `"type":null,"data"`), false},
	{"a null extension", with(`"data"`, `"datacontenttype":null,"data"`), true},
	{"an attribute of another kind", with(`"data"`, `"datacontenttype":1,"data"`), false},
	{"data twice", with(`"data"`, `"data":{},"data"`), false},
	{"data of null", with(`"data":{`, `"data":null,"more":{`), true},
	{"data in base64", with(`"data":`, `"data_base64":null,"data":`), false},
	{"no contact", with(contact, `null`), true},
	{"an empty contact", with(contact, `{}`), true},
	{"a contact of nulls", with(contact, `{"id":null,"team":null}`), true},
	{"a contact of something else", with(contact, `{"team":{"size":[1,2]}}`), true},
	{"a contact twice", with(`"contact"`, `"contact":{},"contact"`), false},
	{"a contact with a number", with(contact, `{"id":7}`), false},
	{"an id twice, then null", with(contact, `{"id":"c-1","title":"CTO","id":null}`), true},
	{"a strength of null", with(`"strength":1.0`, `"strength":null`), false},
	{"a strength twice", with(`"strength":1.0`, `"strength":"x","strength":2`), true},
	{"a strength of -0", with(`"strength":1.0`, `"strength":-0.0`), true},
	{"a strength too large", with(`"strength":1.0`, `"strength":10.5`), false},
	{"properties of null", with(`{"path":"/pricing","campaign":"q4"}`, `null`), true},
	{"nested properties", with(`"q4"`, `[true,{"a":[{}]}]`), true},
	{"properties that are a list", with(`{"path":"/pricing","campaign":"q4"}`, `[]`), false},
	{"nested too deeply", with(`"q4"`, strings.Repeat("[", 62)+strings.Repeat("]", 62)), false},
	{"too old", with("2026-11-02", "1999-11-02"), false},
	{"no time", with("2026-11-02T09:30:00.123Z", "today"), false},
	{"another version", with(`"1.0"`, `"0.3"`), false},
	{"cut short", valid[:len(valid)-1], false},
	{"cut within a string", valid[:len(valid)-10], false},
	{"more behind it", valid + "{}", false},
	{"no colon", with(`"subject":`, `"subject"`), false},
	{"a comma too many", with(`"q4"}`, `"q4",}`), false},
	{"a key too few", with(`,"subject":`, `,:`), false},
}

func TestTheQuickWayReadsTheUsualEvent(t *testing.T) {
	t.Parallel()
	for _, v := range variants {
		if _, ok := decoder().Quickly([]byte(v.text)); ok != v.quick {
			t.Errorf("%s: got %v, want %v: %s", v.name, ok, v.quick, v.text)
		}
		sameBothWays(t, []byte(v.text))
	}
}

// FuzzQuick looks for a text of which the quick way reads another event than the document.
func FuzzQuick(f *testing.F) {
	for _, v := range variants {
		f.Add([]byte(v.text))
	}
	f.Fuzz(sameBothWays)
}

func sameBothWays(t *testing.T, text []byte) {
	t.Helper()
	for _, need := range []bool{false, true} {
		d := codec.New(codec.Rules{Now: func() int64 { return clock }, Reads: func(string) (bool, bool) { return need, need }})
		got, ok := d.Quickly(text)
		if !ok {
			continue
		}
		want, fault := d.Thoroughly(text)
		if fault != nil || !reflect.DeepEqual(spelled(t, got), spelled(t, want)) {
			t.Fatalf("got %+v, want %+v (%v): %s", got, want, fault, text)
		}
	}
}
