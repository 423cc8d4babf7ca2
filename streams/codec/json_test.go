package codec

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

var jsonSeeds = []string{
	`{}`, `[]`, `null`, `true`, `false`, `0`, `-0`, `-0.0e-0`, `1.5E+3`, `1e308`, `1e309`, `-`, `01`, `1.`, `.5`, `1e`, `+1`,
	`""`, `"\u00e9\ud83d\ude00\ud800\ud800\u0041\udc00"`, `"\u12"`, `"\`, `"\"`, "\"\x1f\"", "\"\x7f\"", `"\/\b\f\n\r\t\\\""`,
	`{"a":1,"a":{"b":[1,2,{"c":null}]},"\u0061":"x"}`, `{"a"}`, `{"a":}`, `{,}`, `{"a":1,}`, `[1,]`, `[,1]`, `[1 2]`, `{"a" : [ 1 , 2 ] }`,
	`nul`, `truex`, `NaN`, `Infinity`, `'a'`, "\ufeff{}", " \t\r\n1 ", "1\v", "\u00a01", `1 2`, `[[[[[[]]]]]]`, `"a`, `{"":""}`,
	strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("9", 310), "0." + strings.Repeat("1", 400),
}

// FuzzJSON holds the parser against encoding/json: the same texts are read, and
// with the same values. Allowed to differ: broken UTF-8 and nesting beyond 64,
// which only this one refuses, and a byte order mark, which only this one reads.
func FuzzJSON(f *testing.F) {
	for _, seed := range jsonSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d document
		ok := d.parse(text)
		if !utf8.Valid(text) {
			if ok {
				t.Fatalf("broken UTF-8 was read: %q", text)
			}
			return
		}
		var want any
		err := json.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &want)
		if ok != (err == nil) {
			if strings.Contains(d.fault, "nested") {
				return
			}
			t.Fatalf("got %v %q, encoding/json says %v: %q", ok, d.fault, err, text)
		}
		if !ok {
			if d.fault == "" {
				t.Fatalf("no fault given: %q", text)
			}
			return
		}
		if got := d.any(0); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %#v: %q", got, want, text)
		}
	})
}

func TestDepthLimit(t *testing.T) {
	t.Parallel()
	for depth, want := range map[int]bool{maxDepth: true, maxDepth + 1: false} {
		for _, pair := range []string{"[]", `{"a":}`} {
			text := strings.Repeat(pair[:len(pair)-1], depth) + "1" + strings.Repeat(pair[len(pair)-1:], depth)
			var d document
			if got := d.parse([]byte(text)); got != want {
				t.Errorf("depth %d of %s: got %v (%s), want %v", depth, pair, got, d.fault, want)
			}
		}
	}
}

func TestPlainEventNeedsNoAllocationToParse(t *testing.T) {
	var d document
	text := []byte(`{"specversion":"1.0","id":"9f1c","data":{"strength":1.5,"list":[1,"two",null]}}`)
	if got := testing.AllocsPerRun(100, func() { d.parse(text) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
